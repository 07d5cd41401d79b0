"""What methods are called inside a chart, where room is short."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence


def short_names(labels: Sequence[str]) -> tuple[str, ...]:
    """``labels`` without the words in parentheses at their ends, where they stay different without them."""
    cut = [re.sub(r"(?<=\S)\s+\([^()]*\)\s*$", "", label) for label in labels]
    # a label that is another one cut would make two rows look alike
    often = Counter([*cut, *labels])
    return tuple(
        short if often[short] == 1 + (short == label) else label for short, label in zip(cut, labels, strict=True)
    )
