"""Where everything of a qualitative figure stands: the whole image, crops beside and below it, words below them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..page.plates import BRIGHTEST
from ..page.qualitative import error_map
from .sheet import Frame, Picture, Sheet, Words
from .subjects import TRUTH, Plate, Subject
from .template import LEADING, SIZES
from .wording import fitting_size, wrapped

#: Points between pictures, between the whole image and the crops, and between images.
GAP, BESIDE, BETWEEN = 2.0, 4.0, 6.0
#: Crops are at least so wide, in points, where the width allows it.
LEAST = 43.0
#: Beside a single row of crops the whole image takes at most this share of the width.
SHARE = 0.42
#: Windows of an image are told apart by the colours of their frames; a light and a dark one show on any ground.
COLOURS = ("E6194B", "FFD21F", "3CB4FF", "55D660", "FF7FE9")


@dataclass(frozen=True)
class _Grid:
    """How a figure is divided: crops of ``crop`` points in ``rows`` of columns by key, and a box for the whole image.

    In a single row the crops stand at the right of the box. Otherwise it takes the place of the first ``span`` crops.
    """

    plate: Plate
    width: float
    rows: tuple[tuple[str, ...], ...]
    crop: float
    span: int = 0

    @property
    def single(self) -> bool:
        """Whether all columns stand beside each other: their names then stand once, below the last image."""
        return not self.span

    def left(self, row: int, place: int) -> float:
        """Where a crop begins."""
        if self.single:
            return self.width - self.crop - (len(self.rows[0]) - 1 - place) * (self.crop + GAP)
        return (place + (0 if row else self.span)) * (self.crop + GAP)

    @property
    def whole(self) -> float:
        """The width of the box for whole images."""
        return self.left(0, 0) - (BESIDE if self.single else GAP)


def arrange(plate: Plate, width: float) -> Sheet:
    """The figure in ``width`` points, an image below the other: crops in one row where they are then large enough."""
    grid = _in_a_row(plate, width)
    if grid.crop < LEAST:
        grid = max(_in_rows(plate, width), grid, key=lambda each: each.crop)
    texts = _Texts.of(grid)
    shapes: list[Picture | Frame | Words] = []
    y = 0.0
    for number, subject in enumerate(plate.subjects, 1):
        last = number == len(plate.subjects)
        block, height = _block(grid, texts, subject, number, y, not grid.single or last)
        shapes += block
        y += height + (0 if last else BETWEEN)
    return Sheet(width, y, tuple(shapes))


def _in_a_row(plate: Plate, width: float) -> _Grid:
    """Crops as wide as the width allows beside whole images that are as high as they are."""
    keys = tuple(plate.columns)
    low, high = 0.0, width / len(keys)
    for _ in range(40):  # the whole images grow with the crops
        grid = _Grid(plate, width, (keys,), (low + high) / 2)
        wanted = max(_crops_height(grid, each) * _aspect(each) for each in plate.subjects)
        fits = min(wanted, SHARE * width) <= grid.whole
        low, high = (grid.crop, high) if fits else (low, grid.crop)
    return _Grid(plate, width, (keys,), low)


def _in_rows(plate: Plate, width: float) -> _Grid:
    """As many columns as leave the fewest places empty, and of these the fewest rows; the whole image among them."""
    keys = tuple(plate.columns)
    span = 2 if max(map(_aspect, plate.subjects)) > 1 else 1
    most = max(span + 1, int((width + GAP) / (LEAST + GAP)))
    across = min(range(span + 1, min(most, len(keys) + span) + 1), key=lambda each: (-(len(keys) + span) % each, -each))
    first = across - span
    rows = (keys[:first], *(keys[start : start + across] for start in range(first, len(keys), across)))
    return _Grid(plate, width, rows, (width - (across - 1) * GAP) / across, span)


def _aspect(subject: Subject) -> float:
    height, width = subject.whole.shape[:2]
    return float(width / height)


@dataclass(frozen=True)
class _Texts:
    """How the words below crops are set: the size and lines of names, and of scores, on one line or one a metric."""

    name_size: float
    names: dict[str, list[str]]
    score_size: float
    one_line: bool

    @classmethod
    def of(cls, grid: _Grid) -> _Texts:
        plate = grid.plate
        name_size, lines = wrapped([*plate.columns.values()], grid.crop)
        scores = [each.scores for subject in plate.subjects for each in subject.versions.values()] + [plate.metrics]
        size = fitting_size([" / ".join(each) for each in scores], grid.crop, 6)
        apart = fitting_size([text for each in scores for text in each], grid.crop, 5) or min(SIZES)
        return cls(name_size, dict(zip(plate.columns, lines, strict=True)), size or apart, size is not None)

    def scores(self, plate: Plate, subject: Subject, key: str) -> list[str]:
        """The lines below a crop: its scores; below the ground truth what they are."""
        scores = plate.metrics if key == TRUTH else subject.versions[key].scores if key in subject.versions else ()
        return [" / ".join(scores)] if self.one_line and scores else [*scores]

    def height(self, plate: Plate, keys: Sequence[str], names: bool) -> float:
        """What the words below a row of crops take."""
        scores = (1 if self.one_line else len(plate.metrics)) if plate.metrics else 0
        most = max(len(self.names[key]) for key in keys) if names else 0
        above = 1.0 if scores or most else 0.0
        return above + LEADING * (scores * self.score_size + most * self.name_size) + (0.5 if most else 0)


def _crops_height(grid: _Grid, subject: Subject) -> float:
    """From the upper edge of a row's first crop to the lower one of its last: of all windows, with their maps."""
    windows = sum(grid.crop * box.height / box.width + GAP for box in subject.windows)
    return windows * (2 if grid.plate.errors else 1) - GAP


def _block(
    grid: _Grid, texts: _Texts, subject: Subject, number: int, top: float, names: bool
) -> tuple[list[Picture | Frame | Words], float]:
    """An image with its crops and the words below them; what it takes of the height."""
    plate, stem = grid.plate, f"{number}-{_slug(subject.name)}"
    shapes: list[Picture | Frame | Words] = [*_whole(grid, texts, subject, stem, top)]
    y = top
    for row, keys in enumerate(grid.rows):
        for window, box in enumerate(subject.windows):
            height = grid.crop * box.height / box.width
            truth = subject.versions[TRUTH].pixels if TRUTH in subject.versions else None
            for maps in (False, True) if plate.errors else (False,):
                for place, key in enumerate(keys):
                    version = subject.versions.get(key)
                    if version is None or (maps and key == TRUTH) or (maps and truth is None):
                        continue
                    pixels = box.cut(version.pixels)
                    if maps and truth is not None:
                        pixels = error_map(pixels, box.cut(truth), BRIGHTEST)
                    kind = "-errors" if maps else ""
                    name = f"{stem}-window{window + 1}-{[*plate.columns].index(key) + 1}-{_slug(key)}{kind}"
                    place_of = (grid.left(row, place), y, grid.crop, height)
                    shapes.append(Picture(*place_of, pixels, name))
                    if len(subject.windows) > 1 and not maps:
                        inside = (place_of[0] + 0.6, y + 0.6, grid.crop - 1.2, height - 1.2)
                        shapes.append(Frame(*inside, COLOURS[window % len(COLOURS)]))
                y += height + GAP
        shapes += _words(grid, texts, subject, row, names, y - GAP)
        y += texts.height(plate, keys, names)
    return shapes, y - GAP - top


def _whole(grid: _Grid, texts: _Texts, subject: Subject, stem: str, top: float) -> Iterator[Picture | Frame]:
    """The whole image as large as its box allows, in the middle of it, with its windows framed."""
    height, width = subject.whole.shape[:2]
    across, down = grid.whole, _crops_height(grid, subject)
    if not grid.single:  # the room of the words beside it, too
        down += texts.height(grid.plate, grid.rows[0], True)
    scale = min(across / width, down / height)
    x, y = (across - scale * width) / 2, top + ((down - scale * height) / 2 if grid.single else 0)
    yield Picture(x, y, scale * width, scale * height, subject.whole, f"{stem}-whole", exact=False)
    for number, box in enumerate(subject.windows):
        left, right = (min(max(x + scale * at, x + 1), x + scale * width - 1) for at in (box.x, box.x + box.width))
        above, below = (min(max(y + scale * at, y + 1), y + scale * height - 1) for at in (box.y, box.y + box.height))
        place = (left, above, right - left, below - above)  # at the edge of the image, whole lines all the same
        yield Frame(*place, "FFFFFF", 2.0)
        yield Frame(*place, COLOURS[number % len(COLOURS)], 1.2)


def _words(grid: _Grid, texts: _Texts, subject: Subject, row: int, names: bool, top: float) -> Iterator[Words]:
    for place, key in enumerate(grid.rows[row]):
        middle, y = grid.left(row, place) + grid.crop / 2, top + 1.0
        scores = texts.scores(grid.plate, subject, key)
        for line in scores:
            yield Words(middle, y + 0.8 * LEADING * texts.score_size, line, texts.score_size)
            y += LEADING * texts.score_size
        if names:
            rows = (1 if texts.one_line else len(grid.plate.metrics)) if grid.plate.metrics else 0
            y = top + 1.0 + LEADING * texts.score_size * rows
            for line in texts.names[key]:
                yield Words(middle, y + 0.8 * LEADING * texts.name_size, line, texts.name_size)
                y += LEADING * texts.name_size


def _slug(text: str) -> str:
    """Part of a file's name that every system and LaTeX take."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")[:40] or "x"


def error_words() -> str:
    """What the colours of error maps mean."""
    return f"difference from the ground truth, black for none, white for {BRIGHTEST} of 255 grey levels or more"
