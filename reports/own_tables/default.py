"""The table that a run has anyway, as a file to begin with."""

from __future__ import annotations

from derainbench.errors import UserError, did_you_mean
from derainbench.plugins.names import UNKNOWN

from ..comparison.cells import protocol_title
from ..content import Content
from .spec import ANY, EACH, Layout, SpecColumn, SpecRow, TableSpec


def default_spec(content: Content, protocol: str | None = None, layout: Layout | None = None) -> TableSpec:
    """The comparison of a run under ``protocol`` (its first one if None): parameters, and every dataset.

    UserError where the run has no scores, or none under that protocol.
    """
    run = content.run
    name = next(iter(run.protocols), "") if protocol is None else protocol
    if name not in run.protocols or not run.results.datasets:
        hint = did_you_mean(name, [*run.protocols]) if run.protocols else "run it first"
        raise UserError(f"no scores under protocol {name!r} in {run.results.folder}; {hint}")
    foreign = {entry.method.name for entry in run.lines if entry.trained_on is not None}
    rows = [
        SpecRow(
            method=entry.method.name,
            title=entry.full_label,
            trained_on=entry.trained_on or (EACH if entry.method.name in foreign else None),
        )
        for entry in run.lines
    ]
    columns = [
        SpecColumn(cost="parameters", unit="1"),
        *(SpecColumn(dataset=dataset.name, title=dataset.title) for dataset in run.results.datasets),
    ]
    return TableSpec(
        caption=f"Comparison of deraining methods, {protocol_title(name)}.",
        label=f"tab:{name}",
        protocol=name,
        trained_on=ANY if foreign or UNKNOWN in {*run.results.scores["trained_on"]} else None,
        columns=tuple(columns),
        rows=tuple(rows),
        layout=layout or Layout(),
    )
