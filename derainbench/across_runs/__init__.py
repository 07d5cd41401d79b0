"""Several runs: what their results depended on, merged into one, or compared."""
