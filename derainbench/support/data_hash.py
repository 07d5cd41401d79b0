"""The hash of plain data, which keys and digests are."""

from __future__ import annotations

import hashlib
import json


def data_hash(data: object) -> str:
    """SHA-256, in hexadecimal digits, of what JSON can say; the order of a mapping's keys does not count."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
