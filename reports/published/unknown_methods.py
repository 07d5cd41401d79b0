"""Names of methods in a published table that nobody knows: most likely they are misspelt."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import entry_points

from derainbench.errors import did_you_mean
from derainbench.names import parse_name
from derainbench.registry import GROUP

from .fillings import RunIndex
from .paper_table import PaperTable
from .shipped import paper_tables, shipped_tables


def unknown(index: RunIndex, table: PaperTable) -> Iterator[str]:
    """A sentence for each method of a row that is neither in the run, nor installed, nor one that shipped tables name.

    Installed methods are known by the names of their entry points: nothing is imported.
    """
    asked = {row.title: parse_name(row.measure.method).base for row in table.rows if row.measure is not None}
    here = {method.base for method in index.results.methods} | {entry.name for entry in entry_points(group=GROUP)}
    if here.issuperset(asked.values()):
        return
    known = here | {
        parse_name(row.measure.method).base
        for shipped in paper_tables([*shipped_tables()])
        for row in shipped.rows
        if row.measure is not None
    }
    for base in dict.fromkeys(base for base in asked.values() if base not in known):
        titles = "; ".join(title for title, each in asked.items() if each == base)
        near = did_you_mean(base, sorted(known))
        hint = f"; {near}" if near.startswith("did") else "."  # a list of all names would be no help here
        yield f"{titles}: {base} is neither in this run nor a known method{hint}"
