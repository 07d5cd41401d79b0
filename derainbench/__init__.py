"""derainbench: train, evaluate and compare single-image deraining methods under named metric protocols."""

__version__ = "0.1.0"
