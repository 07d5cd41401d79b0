"""Ratios against scikit-image and plain transcriptions; each is a program: ``python -m benchmarks.NAME``."""
