"""Photographs without ground truth: found, restored by several methods, shown."""
