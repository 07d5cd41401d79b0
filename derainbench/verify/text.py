"""A verdict as a person reads it."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from derainbench.verify.verdict import Finding, InputScores, SplitVerdict, Verdict

#: Findings of one kind, and repeated backgrounds, that are shown one by one; of more, the first few and how many.
MOST_LINES = 50
_FIRST = 10

_One = TypeVar("_One")


def headline(verdict: Verdict) -> str:
    """``rain100l: usable``, or what keeps it from that in numbers."""
    count = len(verdict.problems)
    if not count:
        return f"{verdict.dataset}: usable"
    kinds = Counter(each.kind for each in verdict.problems)
    listed = ", ".join(f"{times} {kind}" for kind, times in kinds.items())
    return f"{verdict.dataset}: NOT usable: {count} problem{'s' if count > 1 else ''} ({listed})"


def summary(verdict: Verdict) -> str:
    """The headline and the numbers of pairs, in one line."""
    splits = ", ".join(f"{split.split} {split.pairs:,}" for split in verdict.splits)
    more = "" if verdict.usable else f"; see derainbench datasets verify {verdict.dataset}"
    return f"{headline(verdict)}; {splits} pairs{more}"


def as_text(verdict: Verdict) -> str:
    """All of it, a line a finding; what is too much is counted."""
    lines = [headline(verdict), f"  layout {verdict.layout!r} in {verdict.root}"]
    for split in verdict.splits:
        lines += [f"  {each}" for each in _split(split)]
    for title, findings in (("problems", verdict.problems), ("notices", verdict.all_notices)):
        if findings:
            lines += ["", f"{title}:", *_listed(findings)]
    return "\n".join(lines)


def _split(split: SplitVerdict) -> Iterator[str]:
    of = "" if split.expected in (None, split.pairs) else f" of {split.expected:,}"
    score = f", {_score(split.scores)}" if split.scores is not None and split.pairs else ""
    yield f"{split.split}: {split.pairs:,}{of} pairs, {split.scenes:,} scenes{score}"
    if split.repeated:
        shown = _shown(split.repeated)
        groups = ", ".join("=".join(group) for group in shown)
        if len(shown) < len(split.repeated):
            groups += f", {len(split.repeated) - len(shown):,} more; --json has all"
        text = f"{len(split.repeated):,} repeated backgrounds, by the images: {groups}"
        yield from textwrap.wrap(text, 100, initial_indent="  ", subsequent_indent="    ", break_long_words=False)
    if split.digest is not None:
        yield f"  manifest {split.digest[:12]}: {split.manifest or 'not kept, the cache cannot be written'}"


def _score(found: InputScores) -> str:
    text = f"input {found.psnr:.3f} dB / {found.ssim:.4f} under {found.protocol}"
    if found.not_compared:
        return f"{text} (not compared: {found.not_compared})"
    assert found.expected is not None
    return f"{text} (the card: {found.expected[0]} / {found.expected[1]})"


def _shown(those: Sequence[_One]) -> Sequence[_One]:
    return those if len(those) <= MOST_LINES else those[:_FIRST]


def _listed(findings: Iterable[Finding]) -> Iterator[str]:
    kinds: dict[str, list[Finding]] = {}
    for each in findings:
        kinds.setdefault(each.kind, []).append(each)
    for kind, those in kinds.items():
        shown = _shown(those)
        yield from (f"  {kind}: {each.message}" for each in shown)
        if len(shown) < len(those):
            yield f"  {kind}: {len(those) - len(shown):,} more; --json has all"
