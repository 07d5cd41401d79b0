"""What is said where a sample does not support a test."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Refusal:
    """No result, and why: ``reason`` is a clause such as ``only 4 scenes differ, a test needs 6``."""

    reason: str
