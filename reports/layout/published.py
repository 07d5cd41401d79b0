"""How a published table is set, for every format: its lines, its footnotes on protocol and source, and its blocks."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..comparison.cells import Cell, Metric, protocol_title
from ..published.filled import FilledTable, PublishedCell

#: How many protocols stand beside each other where a reader cannot switch.
BLOCKS = 2


@dataclass(frozen=True)
class Footnote:
    """What a mark beside published numbers says: ``tag`` is their protocol in short, ``title`` in words.

    ``source`` is a sentence without its full stop, ``bibtex`` its entry (empty where there is none) to cite after it,
    ``rest`` ends the sentence and says what else is to be known.
    """

    mark: str
    tag: str
    title: str
    source: str
    bibtex: str
    rest: str


@dataclass(frozen=True)
class Line:
    """A row on one dataset. ``measured`` is by protocol and metric; empty where the run has nothing for it.

    ``short`` says by metric how many digits fewer its published score has after the point than the longest of the
    dataset, so that points can stand below each other.
    """

    title: str
    published: PublishedCell
    short: dict[Metric, int]
    mark: str
    measured: dict[str, Mapping[Metric, Cell]]

    @property
    def shortfalls(self) -> tuple[int, ...]:
        """The numbers of :attr:`short`."""
        return (*self.short.values(),)


@dataclass(frozen=True)
class Panel:
    """A dataset of the table; its lines stand in the order of the table's rows."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class SetTable:
    """A table ready for setting, the ``number``-th of the report. ``blocks`` are the protocols to show of the run's."""

    number: int
    filled: FilledTable
    panels: tuple[Panel, ...]
    footnotes: tuple[Footnote, ...]
    blocks: tuple[str, ...]

    @property
    def title(self) -> str:
        """``NASNet, Table 2``."""
        return self.filled.table.title

    @property
    def caption(self) -> str:
        """What the table shows."""
        return self.filled.table.caption

    @property
    def legend(self) -> str:
        """What bold and underlined mean here; empty where nothing is marked."""
        rows = self.filled.rows
        published = any(cell.rank for row in rows for each in row.published for cell in each.cells)
        measured = any(cell.rank for row in rows for name in self.blocks for cell in row.measured.get(name, ()))
        among = [
            *(["rows published under one protocol"] if published else []),
            *(["those measured here, where differences are not tested"] if measured else []),
        ]
        return f"Bold and underlined: best and second among {', and among '.join(among)}." if among else ""

    @property
    def fillings(self) -> tuple[tuple[str, str], ...]:
        """The title of each row that was measured, and what it was measured with."""
        return tuple((row.title, row.filled_by) for row in self.filled.rows if row.filled_by)


def set_tables(paper: Iterable[FilledTable]) -> tuple[SetTable, ...]:
    """Every table of a report, numbered from 1; footnotes are lettered in the order in which a reader meets them."""
    return tuple(_set(filled, number) for number, filled in enumerate(paper, 1))


def _set(filled: FilledTable, number: int) -> SetTable:
    marks: dict[tuple[str, str, str], str] = {}
    footnotes = []
    for row in filled.rows:
        for cell in row.published:
            key = (cell.tag, cell.source, cell.note)
            if cell.source and key not in marks:
                marks[key] = letters(len(marks))
                source = filled.table.sources[cell.source]
                text = source.text.rstrip(" .")
                rest = rest_of(cell.note)
                footnotes.append(Footnote(marks[key], cell.tag, _words(cell), text, source.bibtex, rest))
    panels = tuple(_panel(filled, across, marks) for across in range(len(filled.table.columns)))
    return SetTable(number, filled, panels, tuple(footnotes), _blocks(filled))


def _panel(filled: FilledTable, across: int, marks: dict[tuple[str, str, str], str]) -> Panel:
    lines = []
    digits = [{metric: _digits(cell) for metric, cell in row.published[across].scores.items()} for row in filled.rows]
    for row, of_row in zip(filled.rows, digits, strict=True):
        cell = row.published[across]
        mark = marks.get((cell.tag, cell.source, cell.note), "")
        measured = {name: row.here(name, across) for name in row.measured}
        there = any(one.state != "missing" for cells in measured.values() for one in cells.values())
        short = {metric: max(each[metric] for each in digits) - count for metric, count in of_row.items()}
        lines.append(Line(row.title, cell, short, mark, measured if there else {}))
    return Panel(filled.table.columns[across].title, tuple(lines))


def _digits(cell: Cell) -> int:
    """After the point, of a cell that has a number."""
    return len(cell.text.partition(".")[2]) if cell.state == "finished" else 0


def rest_of(note: str) -> str:
    """What follows a source: a sentence, or the end of the source's where it begins with a small letter."""
    if not note:
        return "."
    end = "" if note.endswith((".", "!", "?")) else "."
    return f"{';' if note[0].islower() else '.'} {note}{end}"


def letters(number: int) -> str:
    """a, b, ... z, aa, ab, ..."""
    before, last = divmod(number, 26)
    return (letters(before - 1) if before else "") + string.ascii_lowercase[last]


def _words(cell: PublishedCell) -> str:
    if cell.protocol is None:
        return "protocol not known"
    return f"{'a guess: ' if cell.guess else ''}{protocol_title(cell.protocol)}"


def _blocks(filled: FilledTable) -> tuple[str, ...]:
    """The protocols of the run under which most rows are published; its first one where there is none."""
    if not filled.filled:
        return ()
    printed = Counter(cell.protocol for row in filled.rows for cell in row.published if cell.protocol)
    shared = [name for name in filled.protocols if name in printed]
    shared.sort(key=lambda name: -printed[name])
    return tuple(shared[:BLOCKS]) or filled.protocols[:1]
