"""Suites out of papers' tables: by the name that shipped tables carry, or from a file that lists tables."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from derainbench.errors import UserError, did_you_mean
from derainbench.run.wanted import Suite, Wanted
from derainbench.support.toml import complaints, read_toml

from .shipped import PaperTable, paper_tables, shipped_tables


class _SuiteFile(BaseModel):
    """A suite of one's own: tables by name, or by path relative to the file. ``name`` is the file's by default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tables: Annotated[tuple[str, ...], Field(min_length=1)]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*$", max_length=100)] = ""


def read_suite(word: str, datasets: Collection[str] = ()) -> Suite:
    """The suite of that name, such as ``nasnet-ablations``, or in a TOML file with ``tables = ["nasnet/7", ...]``.

    ``datasets`` are names of cards that only this command knows. :class:`UserError` for what does not exist, and for a
    file with a mistake.
    """
    if word.endswith(".toml"):
        return _from_file(Path(word), datasets)
    tables = paper_tables(list(shipped_tables()))
    names = list(dict.fromkeys(table.suite for table in tables if table.suite))
    if word not in names:
        raise UserError(f"no suite is called {word!r}; {did_you_mean(word, names)} (your own: give its .toml file)")
    return _suite(word, tuple(table for table in tables if table.suite == word))


def _from_file(path: Path, datasets: Collection[str]) -> Suite:
    content = read_toml(path, "suite")
    if "tables" not in content and "columns" in content:
        raise UserError(f'suite {path} is a table; make a suite file beside it with tables = ["{path.name}"]')
    try:
        read = _SuiteFile.model_validate({"name": path.stem, **content})
    except ValidationError as error:
        raise UserError(f'suite {path}: {complaints(_SuiteFile, error)}; as in tables = ["nasnet/7"]') from error
    asked = [str(path.parent / name) if name.endswith(".toml") else name for name in read.tables]
    return _suite(read.name, paper_tables(asked, datasets))


def _suite(name: str, tables: tuple[PaperTable, ...]) -> Suite:
    wanted = tuple(
        Wanted(
            method=measure.method,
            trained_on=table.training_set(row) or column.dataset,
            tested_on=column.dataset,
            recipe=measure.recipe,
            table=table.name,
            row=table.row_name(row),
            column=column.dataset,
        )
        for table in tables
        for row, column, measure in table.measured()
    )
    if not wanted:
        raise UserError(f"suite {name!r}: nothing in {', '.join(t.name for t in tables)} can be measured; add a row")
    protocols = [column.protocol for table in tables for column in table.columns if column.protocol is not None]
    return Suite(name, wanted, tuple(dict.fromkeys(protocols)))
