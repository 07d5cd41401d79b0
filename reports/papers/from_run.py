"""The images of a qualitative figure out of a run: by name or by rule, with what each method made of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from derainbench.errors import UserError, did_you_mean
from derainbench.images.decode import read_rgb
from derainbench.metrics.kinds import METRICS, of_protocols
from derainbench.plugins.names import UNPROCESSED
from derainbench.results.results import Results
from derainbench.results.scored_files import ScoredFiles

from ..comparison.cells import printed, protocols
from ..comparison.grids import ScoreGrid, SeedScores, score_grids
from ..comparison.labels import with_distinct_titles
from ..comparison.measured import measured
from ..page.qualitative import choose, window
from .subjects import INPUT, TRUTH, Columns, Order, Plate, Subject, Version, columns, found, windows_of
from .windows import Box, Image


@dataclass(frozen=True)
class Part:
    """A dataset of the run under the protocol; ``lines`` are the numbers of its grid's lines by column."""

    results: Results
    grid: ScoreGrid
    lines: Mapping[str, int]

    @cached_property
    def scored(self) -> ScoredFiles:
        """What its test files held when they were scored."""
        return ScoredFiles(self.grid.dataset)

    @property
    def input(self) -> dict[str, int]:
        """The number of the unprocessed input's line, by its column; empty where the run did not measure it."""
        numbers = [n for n, line in enumerate(self.grid.lines) if line.method.base == UNPROCESSED]
        return {INPUT: numbers[0]} if numbers else {}

    def seed(self, key: str) -> SeedScores:
        """The scores of a column's first seed, whose images are shown."""
        return next(scores for scores in self.grid.seed_values if scores.line == self.lines[key])

    def file(self, key: str, image: int) -> Path:
        """Where the image lies as the column's method restored it."""
        first, method = self.seed(key), self.grid.lines[self.lines[key]].method.name
        dataset = self.grid.dataset
        return self.results.restored(method, first.trained_on, first.seed, dataset.name, dataset.test[image].image)


@dataclass(frozen=True)
class _Chosen:
    """An image of a part by its number, and the rule that chose it; empty where it was named."""

    part: Part
    image: int
    rule: str = ""

    @property
    def name(self) -> str:
        """The whole name, with the dataset's in front."""
        return f"{self.part.grid.dataset.name}/{self.short}"

    @property
    def short(self) -> str:
        """The name in the dataset."""
        return self.part.grid.images[self.image]


def plate_of_run(results: Results, order: Order) -> Plate:
    """What the order asks for, out of a run whose restored images were kept.

    Without names, of each dataset the images that the page of a report shows; without a window, the one in which the
    methods differ most. :class:`UserError` where a name is none, a window leaves its image, or a file is gone.
    """
    parts = parts_of(with_distinct_titles(results), order)
    protocol = parts[0].grid.protocol
    all_columns = columns_of(parts)
    keys = all_columns.chosen(order)
    chosen = _named(order.wanted, parts) if order.wanted else _by_rule(parts, keys)
    windows = [(_find(name, chosen, "--window"), box) for name, box in order.windows]
    metrics = [name for name, each in of_protocols().items() if each.measured_under(protocol)]
    whole_names = len({each.part.grid.dataset.name for each in chosen}) > 1
    subjects = [_subject(each, keys, windows_of(each.name, windows), metrics, whole_names) for each in chosen]
    used = {key for subject in subjects for key in subject.versions}
    titles = all_columns.renamed([key for key in (INPUT, *keys, TRUTH) if key in used], order)
    return Plate(tuple(subjects), titles, tuple(METRICS[each].title for each in metrics), protocol, order.errors)


def parts_of(results: Results, order: Order) -> tuple[Part, ...]:
    """The datasets that are asked for and have scores, under the protocol that is, or the run's first."""
    protocol = order.protocol or next(iter(protocols(results)), "")
    known = [dataset.name for dataset in results.datasets]
    for name in order.datasets:
        if name not in known:
            raise UserError(f"--datasets {name!r}: not in {results.folder}; {did_you_mean(name, known)}")
    grids = score_grids(measured(results))
    parts = tuple(
        Part(results, grids[name, protocol], dict(_lines(grids[name, protocol])))
        for name in order.datasets or known
        if (name, protocol) in grids
    )
    if not parts:
        hint = did_you_mean(protocol, [*protocols(results)])
        raise UserError(f"{results.folder} has no finished evaluation under protocol {protocol!r}; {hint}")
    return parts


def _lines(grid: ScoreGrid) -> Iterator[tuple[str, int]]:
    """The methods of a grid by key: the name, with the training set where a method has several rows."""
    often = Counter(line.method.name for line in grid.lines)
    for number, line in enumerate(grid.lines):
        if line.method.base != UNPROCESSED:
            yield line.method.name if often[line.method.name] == 1 else line.full_name, number


def columns_of(parts: Sequence[Part]) -> Columns:
    """The columns that figures of these datasets may have."""
    titles: dict[str, str] = {}
    names: dict[str, list[str]] = {INPUT: [UNPROCESSED]}
    for part in parts:
        for key, number in part.lines.items():
            line = part.grid.lines[number]
            titles.setdefault(key, line.label if key == line.method.name else line.full_label)
            names[key] = [line.method.name, line.method.base]
    return columns(titles, names)


def _named(words: Sequence[str], parts: Sequence[Part]) -> list[_Chosen]:
    """The images of these names, in their order; a dataset's name stands in front where several have such an image."""
    everything = [_Chosen(part, image) for part in parts for image in range(len(part.grid.images))]
    by_name = {each.name: each for each in everything}
    return [by_name[name] for name in dict.fromkeys(_find(word, everything, "--images") for word in words)]


def _find(word: str, among: Sequence[_Chosen], option: str) -> str:
    """The whole name of the image that a word of ``option`` means: itself, or without the dataset in front."""
    several = [each.name for each in among if each.short == word]
    if len(several) > 1:
        raise UserError(f"{option} {word!r} may be {' or '.join(several[:5])}; write one of these")
    often = Counter(each.short for each in among)
    names = {each.short: each.name for each in among if often[each.short] == 1}
    names |= {each.name: each.name for each in among}
    return names[found(word, [*names], option)]


def _by_rule(parts: Sequence[Part], keys: Sequence[str]) -> list[_Chosen]:
    """Those that a report's page shows, as far as what was restored of them was kept; of several datasets one each."""
    chosen = []
    for part in parts:
        here = [key for key in keys if key in part.lines]
        there = {n for n in range(len(part.grid.images)) if all(part.file(key, n).is_file() for key in here)}
        by_rule = choose(part.grid, there.__contains__)[: 1 if len(parts) > 1 else None]
        chosen += [_Chosen(part, each.image, each.rule) for each in by_rule]
    if not chosen:
        part = parts[0]
        raise UserError(_not_kept(part, next((key for key in keys if key in part.lines), ""), 0))
    return chosen


def _subject(
    chosen: _Chosen, keys: Sequence[str], windows: tuple[Box, ...], metrics: Sequence[str], whole_name: bool
) -> Subject:
    part, image = chosen.part, chosen.image
    pair = part.grid.dataset.test[image]
    changed = part.scored.changed(pair)
    if changed:
        raise UserError(
            f"{chosen.name}: {changed[0]} is another image now than the one that was scored; put that back, or run the "
            "same command again"
        )
    clean = read_rgb(pair.clean)
    versions = {} if pair.rainy is None else {INPUT: Version(read_rgb(pair.rainy), _input_scores(part, image, metrics))}
    for key in keys:
        if key in part.lines:
            versions[key] = Version(_restored(part, key, image), _scores(part.seed(key), image, metrics))
    versions[TRUTH] = Version(clean)
    for key, version in versions.items():
        if version.pixels.shape != clean.shape:
            raise UserError(f"{chosen.name}: {key} is of another size than the ground truth; leave it out of --methods")
    name = chosen.name if whole_name else pair.image
    for box in windows:
        box.check(clean, name)
    restored = [version.pixels for key, version in versions.items() if key not in (INPUT, TRUTH)]
    boxes = windows or (box_by_rule(restored or [versions.get(INPUT, versions[TRUTH]).pixels], clean),)
    whole = versions.get(INPUT, versions[TRUTH]).pixels
    return Subject(name, pair.image, part.grid.dataset.title, whole, boxes, versions, chosen.rule)


def box_by_rule(restored: Sequence[Image], reference: Image) -> Box:
    """The window in which restored images differ most from each other, a single one from the reference."""
    square = window(restored, reference)
    return Box(square.left, square.top, square.side, square.side)


def _input_scores(part: Part, image: int, metrics: Sequence[str]) -> tuple[str, ...]:
    """Of the unprocessed input, where the run measured it."""
    of_input = [scores for scores in part.grid.seed_values if scores.line == part.input.get(INPUT)]
    return _scores(of_input[0], image, metrics) if of_input else ()


def _scores(scores: SeedScores, image: int, metrics: Sequence[str]) -> tuple[str, ...]:
    return tuple(printed(float(scores.values(metric)[image]), metric) for metric in metrics)


def _restored(part: Part, key: str, image: int) -> Image:
    path = part.file(key, image)
    if not path.is_file():
        raise UserError(_not_kept(part, key, image))
    return read_rgb(path)


def _not_kept(part: Part, key: str, image: int) -> str:
    what = (
        f"what {key} made of {part.grid.dataset.name}/{part.grid.images[image]}"
        if key
        else "a method's restored images"
    )
    return (
        f"{part.results.folder} does not hold {what}; run the same command again with --images all, which restores it "
        "anew and changes no score"
    )
