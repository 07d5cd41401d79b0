"""Whether a dataset is usable."""
