"""How a table of quoted and measured rows is set, for every format: its groups, lines, and footnotes on sources."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from derainbench.support.words import listed

from ..published.joint import JointCell, JointRow, JointTable
from .published import letters, rest_of


@dataclass(frozen=True)
class Source:
    """A footnote: a sentence without its full stop, its entry (empty where there is none), and what ends it."""

    mark: str
    text: str
    bibtex: str
    rest: str


@dataclass(frozen=True)
class JointLine:
    """A row. ``marks`` are the letters of its footnotes; ``why`` says what keeps it apart, empty where nothing does."""

    name: str
    measured: bool
    cells: tuple[JointCell, ...]
    marks: str
    why: str


@dataclass(frozen=True)
class SetJoint:
    """A table ready for setting, the ``number``-th of its kind: ``lines`` that compare, and those ``apart``."""

    number: int
    joint: JointTable
    lines: tuple[JointLine, ...]
    apart: tuple[JointLine, ...]
    sources: tuple[Source, ...]

    @property
    def title(self) -> str:
        """``DRSformer, Table 1``."""
        return self.joint.table.title

    @property
    def caption(self) -> str:
        """What the table shows."""
        return self.joint.table.caption

    @property
    def measured(self) -> bool:
        """Whether anything in it was measured here."""
        return any(_has_scores(line) for line in (*self.lines, *self.apart) if line.measured)

    @property
    def legend(self) -> tuple[str, ...]:
        """What marks and places mean, a sentence each."""
        said = [
            "Quoted rows as printed, to the digits of their column; measured ones (here) under the column's protocol."
        ]
        if any(score.rank for line in self.lines for cell in line.cells for score in cell.scores.values()):
            said.append("Bold and underlined: best and second of a column, quoted and measured together.")
        if any(cell.unconfirmed for line in self.lines for cell in line.cells):
            said.append("A question mark: general knowledge, which nobody read in print; not ranked.")
        if self.apart:
            said.append("Apart: another protocol or another training set, compared with nothing.")
        return tuple(said)


def _has_scores(line: JointLine) -> bool:
    return any(score.state == "finished" for cell in line.cells for score in cell.scores.values())


def set_joint(tables: Iterable[JointTable]) -> tuple[SetJoint, ...]:
    """Every table, numbered from 1; footnotes are lettered in the order in which a reader meets them."""
    return tuple(_set(table, number) for number, table in enumerate(tables, 1))


def _set(table: JointTable, number: int) -> SetJoint:
    marks: dict[tuple[str, str], str] = {}
    sources = []
    for row in (*table.rows, *table.apart):
        for key in _keys(row):
            if key not in marks:
                marks[key] = letters(len(marks))
                source = table.table.sources[key[0]]
                sources.append(Source(marks[key], source.text.rstrip(" ."), source.bibtex, rest_of(key[1])))

    def line(row: JointRow, why: str) -> JointLine:
        return JointLine(row.name, row.measured, row.cells, ",".join(marks[key] for key in _keys(row)), why)

    lines = tuple(line(row, "") for row in table.rows)
    return SetJoint(number, table, lines, tuple(line(row, _why(table, row)) for row in table.apart), tuple(sources))


def _keys(row: JointRow) -> list[tuple[str, str]]:
    """The sources and notes of a row's numbers, each once."""
    return list(dict.fromkeys((cell.source, cell.note) for cell in row.cells if cell.source))


def _why(table: JointTable, row: JointRow) -> str:
    """What keeps a row apart: its protocol, with the columns where it is not all of them, or else its training set."""
    of_tag: dict[str, list[str]] = {}
    for column, cell in zip(table.columns, row.cells, strict=True):
        if cell.tag:
            of_tag.setdefault(cell.tag, []).append(column.title)
    scored = sum(score.state == "finished" for cell in row.cells for score in [next(iter(cell.scores.values()))])
    said = []
    for tag, columns in of_tag.items():
        where = f" on {listed(columns)}" if len(columns) < scored else ""
        said.append(f"protocol not known{where}" if tag == "?" else f"under {tag}{where}")
    return "; ".join(said) or "another training set"
