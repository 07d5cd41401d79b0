"""What a suite asks for, as data: cells of tables, by the names of methods and datasets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Wanted:
    """One cell of a table: ``method`` trained on one dataset and tested on another, both by their cards' names.

    ``recipe`` are the fields in which the paper trained this row in another way than the method usually is; ``table``
    (such as ``nasnet/7``), ``row`` (its title) and ``column`` (its dataset) say where the scores belong. ``method`` may
    be one that does not exist here.
    """

    method: str
    trained_on: str
    tested_on: str
    recipe: Mapping[str, Any]
    table: str
    row: str
    column: str

    @property
    def place(self) -> str:
        """``nasnet/7 SENet``."""
        return f"{self.table} {self.row}"


@dataclass(frozen=True)
class Suite:
    """What a run should measure: named, as data. ``protocols`` are those of its tables' columns, none where they are
    silent."""

    name: str
    wanted: tuple[Wanted, ...]
    protocols: tuple[str, ...] = ()
