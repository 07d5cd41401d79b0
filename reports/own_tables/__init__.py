"""Tables of one's own: what a file asks for, filled from a run and from published tables."""
