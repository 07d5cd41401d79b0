"""Whether the files of a dataset are usable and the ones its card describes: ``derainbench datasets verify``."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from pathlib import Path

from derainbench.catalogue.cards import SPLITS, Card, SplitName
from derainbench.catalogue.image_sizes import other_sizes
from derainbench.catalogue.locate import Dataset, locate, places, select
from derainbench.catalogue.manifest import Manifest, open_manifest
from derainbench.catalogue.pairing import Matched, match_files
from derainbench.catalogue.patterns import Pattern
from derainbench.errors import UserError
from derainbench.images.decode import image_size
from derainbench.support.workers import in_chunks
from derainbench.verify.across_images import CleanImages, contradicted, copies, exchanged, repeated, shared_scenes
from derainbench.verify.files import (
    absent,
    count_findings,
    folder_findings,
    orphan_findings,
    orphan_notice,
    orphans,
    pairing_problems,
    used_files,
)
from derainbench.verify.one_pair import Inspection, inspect
from derainbench.verify.score import input_scores, protocol_of, score_findings
from derainbench.verify.split_facts import SplitFacts
from derainbench.verify.verdict import Finding, SplitVerdict, Verdict, below

#: Told (what, how many more files are done, of how many).
Progress = Callable[[str, int, int], None]

_FEW = 8  # pairs are looked at sooner than another process starts
_MOST_AT_ONCE = 16  # pairs that a worker is given
_PIXELS_AT_ONCE = 4_000_000  # it is given, because Ctrl-C waits for them


def to_verify(words: str, cards: dict[str, Card], data_root: Path | None) -> list[Dataset]:
    """The datasets that the words mean, as for ``--datasets``; but ``all`` are just those whose files are here.

    The embedded ones are among these where no data root is given. A dataset with a folder that cannot be read is here:
    that is for the verdict to say. Of a union they are its members. :class:`UserError` where there is none.
    """
    if words != "all":
        try:
            return _parts(select(words, cards, data_root))
        except UserError:
            unreadable = _unreadable(cards[words], data_root) if words in cards else None
            if unreadable is None:
                raise
            return [unreadable]
    wanted = [card for card in cards.values() if card.union is None and (data_root is None or not card.embedded)]
    found = [dataset for card in wanted if (dataset := _located(card, data_root)) is not None]
    if not found:
        raise UserError(f"the files of no dataset are in {data_root}; derainbench datasets says where to fetch them")
    return found


def _parts(datasets: list[Dataset]) -> list[Dataset]:
    """The datasets with the members of unions in their places, each once."""
    return list({part.name: part for dataset in datasets for part in dataset.parts}.values())


def verify(dataset: Dataset, workers: int = 1, progress: Progress = lambda what, more, total: None) -> Verdict:
    """Read every file of a dataset, say what is wrong with it, and keep a manifest of the splits that are sound.

    Files are read in ``workers`` processes where that is worth it. :class:`UserError` where a file changes meanwhile.
    """
    matched, splits = _matched(dataset)
    used = {split: used_files(each) for split, each in matched.items()}
    lone = {
        split: orphans(each, set().union(*(used[other] for other in used if other != split)))
        for split, each in matched.items()
    }
    clean = {}
    for split in (split for split in matched if matched[split].rows or matched[split].problems):
        verdict, clean[split] = _verify_split(dataset, split, matched[split], lone[split], workers, progress)
        splits.append(verdict)
    seen = [each.split for each in splits]
    notices = [
        each
        for split in SPLITS
        if split not in seen
        for each in (*absent(dataset, split), *orphan_notice(lone.get(split, [])))
    ]
    notices += shared_scenes(clean["train"], clean["test"]) if len(clean) == len(SPLITS) else []
    notices += folder_findings(dataset, _known_files(dataset, matched, lone))
    doubts = [*dataset.card.unconfirmed, dataset.layout.unconfirmed]
    notices += [Finding("unconfirmed", (), text) for text in doubts if text]
    return Verdict(dataset.name, dataset.layout.name, dataset.root, tuple(splits), tuple(notices))


def _located(card: Card, data_root: Path | None) -> Dataset | None:
    try:
        return locate(card, data_root)
    except UserError:
        unreadable = _unreadable(card, data_root)
        if unreadable is None:
            raise
        return unreadable


def _unreadable(card: Card, data_root: Path | None) -> Dataset | None:
    """The dataset in the first packaging whose files cannot even be looked for."""
    for layout in card.layouts:
        for root in places(card, layout, data_root):
            try:
                _look_for_files(Dataset(card, root, layout))
            except UserError:
                return Dataset(card, root, layout)
    return None


def _look_for_files(dataset: Dataset) -> None:
    for patterns in (dataset.layout.train, dataset.layout.test):
        for text in (patterns.rainy, *patterns.partners.values()) if patterns is not None else ():
            Pattern(text).matches_any(dataset.root)


def _matched(dataset: Dataset) -> tuple[dict[SplitName, Matched], list[SplitVerdict]]:
    """The files of each split of the layout, and the verdicts on splits with a folder or a name that is unreadable."""
    matched: dict[SplitName, Matched] = {}
    unreadable: list[SplitVerdict] = []
    for split in SPLITS:
        patterns = getattr(dataset.layout, split)
        if patterns is not None:
            try:
                found = match_files(dataset.root, patterns)
                orphans(found, ())  # where there is no rainy file, this is what looks for clean ones
                matched[split] = found
            except UserError as error:
                finding = Finding("unreadable", (), str(error))
                unreadable.append(SplitVerdict(split, 0, getattr(dataset.card.counts, split), 0, (finding,), ()))
    return matched, unreadable


def _verify_split(
    dataset: Dataset, split: SplitName, matched: Matched, lone: list[str], workers: int, progress: Progress
) -> tuple[SplitVerdict, CleanImages]:
    card = dataset.card
    expected, same_scene = getattr(card.counts, split), getattr(card.same_scene, split)
    problems, (wrong_count, notices) = pairing_problems(matched), count_findings(card, split, len(matched.rows))
    problems += wrong_count
    if expected is not None and not problems:  # then none is missing
        notices += orphan_notice(lone)
    else:
        problems += orphan_findings(lone)

    facts = _inspected(dataset, split, matched, workers, progress)
    clean = facts.clean_images()
    problems += facts.findings
    problems += copies(facts.rainy_names, facts.rainy_pixels)
    mispaired, strange = exchanged(facts.in_doubt, clean, card.additive)
    problems += mispaired
    problems += contradicted(clean, same_scene)
    groups, unknown = repeated(clean, same_scene)
    scores = None
    if split == "test":
        if sizes := other_sizes(card, facts.rainy_sides):
            problems.append(Finding("sizes", (), f"{sizes}; fetch the files that the card names"))
        scores = input_scores(card, facts.scores, not problems)
        wrong_score, doubtful_score = score_findings(card, scores)
        problems += wrong_score
        notices += doubtful_score
    manifest = _manifest(dataset, split, matched, progress) if not problems else None
    return SplitVerdict(
        split,
        len(matched.rows),
        expected,
        facts.scenes(same_scene),
        tuple(problems),
        (*notices, *strange, *unknown, *facts.kinds()),
        tuple(groups),
        scores,
        manifest.digest if manifest is not None else None,
        manifest.path if manifest is not None else None,
    ), clean


def _inspected(dataset: Dataset, split: SplitName, matched: Matched, workers: int, progress: Progress) -> SplitFacts:
    """What the images of a split say, each decoded once or a few times, in parallel."""
    protocol = protocol_of(dataset.card) if split == "test" else ""
    task = Inspection(matched.root, matched.patterns.side_by_side, matched.roles, protocol)
    facts = SplitFacts(matched, dataset.card.additive)
    rows = list(enumerate(matched.rows))
    largest = min(_MOST_AT_ONCE, max(1, _PIXELS_AT_ONCE // _pixels(matched)))
    processes = workers if len(rows) >= _FEW else 1
    for count, found in in_chunks(partial(inspect, task), rows, processes, largest):
        for each in found:
            facts.add(each)
        progress(f"{dataset.name} {split}: images", count, len(rows))
    return facts


def _manifest(dataset: Dataset, split: SplitName, matched: Matched, progress: Progress) -> Manifest:
    """The split's manifest, all files hashed anew."""
    what = f"{dataset.name} {split}: manifest"
    return open_manifest(
        dataset.card,
        dataset.root,
        matched.patterns,
        split,
        lambda done, total: progress(what, 1, total),
        trust=False,
    )


def _known_files(
    dataset: Dataset, matched: dict[SplitName, Matched], lone: dict[SplitName, list[str]]
) -> Collection[str]:
    """All files that some pattern of the layout names."""
    known = {name for names in lone.values() for name in names}
    for each in matched.values():
        known |= used_files(each)
        known.update(below(path, dataset.root) for problem in each.problems for path in problem.files)
        known.update(below(path, dataset.root) for path in each.orphans)
    return known


def _pixels(matched: Matched) -> int:
    """Of the first rainy image whose header can be read."""
    for row in matched.rows[:_FEW]:
        with suppress(UserError):
            return max(1, math.prod(image_size(matched.pair(row).rainy)))
    return _PIXELS_AT_ONCE
