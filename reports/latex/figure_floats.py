"""Distributes a report's charts over figures: in two columns of like height, each explained where it first stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..charts.drawing import Drawing
from ..figures import CurveFigures, DatasetFigures, Figure

#: A heading and the space below a drawing, in the drawings' units.
HEADING = 40
Charts = tuple[tuple[str, Drawing], ...]


@dataclass(frozen=True)
class FigureFloat:
    """Charts above each other in ``columns``, with their headings; ``title`` is what they are of.

    ``said`` are headings and what is to be said of them, without what an earlier float of ``repeated`` said already.
    """

    title: str
    columns: tuple[Charts, Charts]
    said: tuple[tuple[str, str], ...]
    repeated: bool
    remark: str


def dataset_floats(parts: Iterable[DatasetFigures]) -> tuple[FigureFloat, ...]:
    """A float for each dataset of a protocol."""
    found: list[FigureFloat] = []
    known: set[tuple[str, str]] = set()
    for part in parts:
        said = {(figure.heading, figure.caption or figure.refusal): None for figure in part.figures}
        new = tuple(each for each in said if each not in known)
        found.append(FigureFloat(part.dataset.title, _columns(part.figures), new, len(new) < len(said), part.remark))
        known.update(said)
    return tuple(found)


def training_floats(parts: Iterable[CurveFigures]) -> tuple[FigureFloat, ...]:
    """A float for two charts of trainings, in the order of the datasets."""
    charts = [(part, figure) for part in parts for figure in part.figures]
    found = []
    for start in range(0, len(charts), 2):
        pair = charts[start : start + 2]
        columns = [((f"{part.title}: {figure.heading}", figure.drawing),) for part, figure in pair if figure.drawing]
        said = dict.fromkeys((figure.heading, figure.caption) for _, figure in pair)
        titles = dict.fromkeys(part.title for part, _ in pair)
        remarks = dict.fromkeys(part.remark for part, _ in pair if part.remark)
        left, right = [*columns, (), ()][:2]
        found.append(FigureFloat(" and ".join(titles), (left, right), tuple(said), False, " ".join(remarks)))
    return tuple(found)


def _columns(figures: Sequence[Figure]) -> tuple[Charts, Charts]:
    """Every drawing in the column that is less high so far."""
    columns: tuple[list[tuple[str, Drawing]], list[tuple[str, Drawing]]] = ([], [])
    heights = [0.0, 0.0]
    for figure in figures:
        if figure.drawing is not None:
            place = int(heights[1] < heights[0])
            columns[place].append((figure.heading, figure.drawing))
            heights[place] += figure.drawing.height + HEADING
    return tuple(columns[0]), tuple(columns[1])
