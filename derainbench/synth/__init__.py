"""A paired dataset of one's own."""
