"""What pages are called: an address by the thing's name alone, so that it stays when others come and go."""

from __future__ import annotations

import hashlib
import re

#: The longest readable part of an address.
_LONGEST = 60


def is_slug(name: str) -> bool:
    """Whether it may be what :func:`slug` gives."""
    return re.fullmatch(r"[a-z0-9-]{1,80}", name) is not None


def slug(name: str) -> str:
    """``name`` in small letters, digits and hyphens; of one that has other signs, six digits of its hash follow.

    ``prenet`` stays ``prenet``; ``My Net!`` and ``my-net`` differ.
    """
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:_LONGEST].rstrip("-")
    if plain and plain == name.lower():
        return plain
    return f"{plain or 'page'}-{hashlib.sha256(name.encode('utf-8', 'backslashreplace')).hexdigest()[:6]}"


def short(digest: str) -> str:
    """The first eight digits of a hash, as addresses and pages show it."""
    return digest[:8]
