"""A run folder read back, merged, compared; no torch."""
