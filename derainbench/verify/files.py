"""What the names of a dataset's files tell: missing and superfluous ones, numbers, spellings, strays."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath

from derainbench.catalogue.cards import Card, SplitName
from derainbench.catalogue.locate import Dataset
from derainbench.catalogue.pairing import Matched
from derainbench.catalogue.patterns import Pattern
from derainbench.images.decode import shown_name
from derainbench.images.find import IMAGE_SUFFIXES
from derainbench.support.words import listed
from derainbench.verify.verdict import Finding, below, first_few, shortened


def used_files(matched: Matched) -> set[str]:
    """The files of a split's pairs, as paths below the dataset's folder."""
    return {name for row in matched.rows for name in row.files}


def pairing_problems(matched: Matched) -> list[Finding]:
    """Files without partner, with several, and of one name."""
    root = matched.root
    return [
        Finding(each.kind, tuple(below(path, root) for path in each.files), shortened(each.message, each.files, root))
        for each in matched.problems
    ]


def orphans(matched: Matched, elsewhere: Collection[str]) -> list[str]:
    """Clean files and layers that no rainy file of this split needs, nor one ``elsewhere``, in another split.

    :class:`UserError` where a folder cannot be read.
    """
    if matched.rows or matched.problems:
        found = [below(path, matched.root) for path in matched.orphans]
    else:  # where there is no rainy file at all, nothing was looked for
        found = [name for text in matched.patterns.partners.values() for name, _ in Pattern(text).find(matched.root)]
    return sorted(set(found) - set(elsewhere))


def count_findings(card: Card, split: SplitName, pairs: int) -> tuple[list[Finding], list[Finding]]:
    """Problems and notices of a split's number of pairs, against the card's."""
    expected = getattr(card.counts, split)
    others = [other for other in card.other_counts if other.split == split]
    means = next((other.means for other in others if other.pairs == pairs), None)
    if pairs == expected or (expected is None and not others):
        return [], []
    if means is not None:
        usual = f", where {expected:,} are usual" if expected is not None else ""
        return [], [Finding("count", (), f"{pairs:,} {split} pairs{usual}: {means}")]
    if expected is None:
        known = " or ".join(f"{other.pairs:,} ({other.means})" for other in others)
        return [], [Finding("count", (), f"{pairs:,} {split} pairs, a number the card does not know: it has {known}")]
    remedy = "fetch what is missing" if pairs < expected else "remove what does not belong to it"
    return [Finding("count", (), f"{pairs:,} {split} pairs, the card says {expected:,}; {remedy}")], []


def orphan_findings(names: list[str]) -> list[Finding]:
    """A problem for each clean file or layer that no rainy file needs."""
    text = "{} belongs to no rainy file; restore that, or remove this one"
    return [Finding("orphan", (name,), text.format(name)) for name in names]


def orphan_notice(names: list[str]) -> list[Finding]:
    """The same as one notice, where the number of pairs says that none is missing."""
    if not names:
        return []
    return [Finding("orphan", tuple(names), f"{len(names):,} files belong to no rainy file: {first_few(names)}")]


def absent(dataset: Dataset, split: SplitName) -> list[Finding]:
    """The notice that a split which the card counts, or the layout has, is wholly absent here."""
    expected, patterns = getattr(dataset.card.counts, split), getattr(dataset.layout, split)
    if expected == 0 or (expected is None and patterns is None):
        return []
    return [Finding("absent", (), f"{split} images are not here" + ("" if patterns else ": this layout has none"))]


def folder_findings(dataset: Dataset, known: Collection[str]) -> list[Finding]:
    """Notices of what else lies in the folders of the ``known`` files, and of names that differ in spelling only."""
    strays: list[str] = []
    alike: list[tuple[str, ...]] = []
    for folder in sorted({str(PurePosixPath(name).parent) for name in known}):
        names = _images_in(dataset, folder)
        strays += [name for name in names if name not in known]
        alike += _alike(names)
    findings = []
    if strays:
        lists = [each.listed_in for each in (dataset.layout.train, dataset.layout.test) if each and each.listed_in]
        what = f"no pattern names with {listed(lists)}" if lists else "no pattern names"
        text = f"{len(strays):,} images beside the dataset's that {what}: {first_few(_shown(strays))}"
        findings.append(Finding("stray", tuple(strays), text))
    for group in alike:
        text = "differ in case or in the spelling of letters only: other systems take them for one"
        findings.append(Finding("spelling", group, f"{' and '.join(_shown(group))} {text}"))
    return findings


def _images_in(dataset: Dataset, folder: str) -> list[str]:
    prefix = "" if folder == "." else f"{folder}/"
    with os.scandir(dataset.root / folder) as entries:
        names = [entry.name for entry in entries]
    return sorted(f"{prefix}{name}" for name in names if name.rpartition(".")[2].lower() in IMAGE_SUFFIXES)


def _shown(names: Iterable[str]) -> list[str]:
    """For a line: the names of files that are none of the dataset's may hold anything."""
    return [shown_name(Path(name)) for name in names]


def _alike(names: Iterable[str]) -> list[tuple[str, ...]]:
    spelt: dict[str, list[str]] = {}
    for name in names:
        spelt.setdefault(unicodedata.normalize("NFC", name).casefold(), []).append(name)
    return [tuple(group) for group in spelt.values() if len(group) > 1]
