"""Finding and reading published tables: those that come with derainbench, and a user's own."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

from derainbench.catalogue.cards import all_cards
from derainbench.errors import UserError, did_you_mean
from derainbench.support.toml import complaints, read_toml

from ..tex.bibtex import unreadable
from .paper_table import AVERAGE, Measure, PaperTable, Published, Source, TableColumn, TableRow

__all__ = ["Measure", "PaperTable", "Published", "Source", "TableColumn", "TableRow", "paper_tables", "shipped_tables"]

#: The file beside a folder's tables that says what their sources are.
SOURCES = "sources.toml"


def paper_tables(names: Sequence[str], datasets: Collection[str] = ()) -> tuple[PaperTable, ...]:
    """The tables asked for: ``nasnet`` (all of a paper), ``nasnet/3``, or the path of a TOML file.

    ``datasets`` are names of datasets that no card here has, such as those of a run. :class:`UserError` for what does
    not exist, for a file with a mistake, and where two tables have one name.
    """
    known = sorted({*all_cards(), *datasets})
    found: dict[str, tuple[Path, PaperTable]] = {}
    for name, path in (each for asked in names for each in _named(asked)):
        table = _read(path, name, known)
        before, _ = found.setdefault(table.name, (path, table))
        if before != path:
            raise UserError(f"two tables are called {table.name!r}: {before} and {path}; give one another name")
    return tuple(table for _, table in found.values())


def shipped_tables() -> dict[str, tuple[str, ...]]:
    """The papers whose tables come with derainbench, and the names of their tables: ``nasnet/1``, ``nasnet/2``, ..."""
    return {paper: tuple(tables) for paper, tables in _shipped().items()}


def _shipped() -> dict[str, dict[str, Path]]:
    root = Path(str(files("derainbench.reports.published").joinpath("tables")))
    papers = {}
    for folder in sorted(path.parent for path in root.glob(f"*/{SOURCES}")):
        tables = [path for path in folder.glob("*.toml") if path.name != SOURCES]
        tables.sort(key=lambda path: (len(path.name), path.name))  # 10 after 9
        papers[folder.name] = {f"{folder.name}/{path.stem}": path for path in tables}
    return papers


def _named(asked: str) -> list[tuple[str, Path]]:
    """The names and files of the tables that a word or a path means."""
    shipped = _shipped()
    single = {name: path for tables in shipped.values() for name, path in tables.items()}
    if asked in shipped:
        return list(shipped[asked].items())
    if asked in single:
        return [(asked, single[asked])]
    if not asked.endswith(".toml"):
        hint = did_you_mean(asked, [*shipped, *single])
        raise UserError(f"no table is called {asked!r}; {hint} (your own: give the path of its .toml file)")
    return [(Path(asked).stem, Path(asked))]


def _read(path: Path, name: str, datasets: Sequence[str]) -> PaperTable:
    """The table in a file, with those of its own sources and of the folder's that it uses."""
    content = read_toml(path, "table")
    beside = path.parent / SOURCES
    own = content.pop("sources", {})
    if not isinstance(own, dict):
        raise UserError(f"table {path}: sources must be tables, one [sources.KEY] each")
    sources = {**(read_toml(beside, "table") if beside.is_file() else {}), **own}
    try:
        table = PaperTable.model_validate({"name": name, **content, "sources": sources})
    except ValidationError as error:
        found = by_title(complaints(PaperTable, error), content.get("rows"))
        raise UserError(f"table {path}: {found}") from error
    for where, wrong, known in _references(table, datasets):
        if wrong not in known:
            raise UserError(f"table {path}: {where}: there is no {wrong!r}; {did_you_mean(wrong, [*known])}")
    for key, source in table.sources.items():
        if problem := unreadable(source.bibtex):
            raise UserError(
                f"table {path}: sources.{key}.bibtex is {problem}; mend it, or leave it out (then nothing is cited)"
            )
    used = {key for where, key, known in _references(table, datasets) if known is table.sources}
    return table.model_copy(update={"sources": {key: each for key, each in table.sources.items() if key in used}})


def by_title(complaint: str, rows: object, word: str = "row", keys: Sequence[str] = ("title",)) -> str:
    """``rows.3.`` as ``row 'PReNet', ``, where it has a title: nobody counts the rows of a file.

    Others than rows are called by their ``word``, and known by the first of ``keys`` that is there.
    """

    def named(found: re.Match[str]) -> str:
        row = rows[int(found[1])] if isinstance(rows, list) else None
        titles = (row.get(key) for key in keys) if isinstance(row, dict) else ()
        title = next((each for each in titles if isinstance(each, str)), None)
        return f"{word} {int(found[1]) + 1 if title is None else repr(title)}{', ' if found[2] else ''}"

    return re.sub(rf"(?:(?<=^)|(?<=; )){word}s\.([0-9]+)(?:(\.)|(?=:))", named, complaint)


def _references(table: PaperTable, datasets: Sequence[str]) -> Iterator[tuple[str, str, Collection[str]]]:
    """Every word of a table that refers to something: where it stands, the word, and what it may be."""
    columns = [column.dataset for column in table.columns]
    yield "paper", table.paper, table.sources
    for trained_on in filter(None, [table.trained_on, *(row.trained_on for row in table.rows)]):
        yield "trained_on", trained_on, datasets
    yield from (("columns", dataset, datasets) for dataset in columns)
    for row in table.rows:
        where = f"row {row.title!r}"
        if row.measure is not None and row.measure.trained_on is not None:
            yield f"{where}, trained_on", row.measure.trained_on, datasets
        if row.parameters is not None:
            yield f"{where}, parameters.source", row.parameters.source, table.sources
        for dataset, published in row.published.items():
            yield f"{where}, published", dataset, [*columns, *([AVERAGE] if table.average else [])]
            yield f"{where}, published.{dataset}.source", published.source, table.sources
