"""Scenes that datasets share."""
