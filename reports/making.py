"""From run folders to what a report of them shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from derainbench.across_runs.merging import merged
from derainbench.efficiency.record import Record, parse_record, read_efficiency
from derainbench.errors import UserError
from derainbench.store import load_results

from .content import Content, content
from .published.shipped import paper_tables

#: The tables of papers in every report, unless others are asked for.
DEFAULT_TABLES = ("nasnet",)
#: Where the report of several runs goes, in the folder of the command.
MERGED_FOLDER = Path("report")


def report_of(runs: Sequence[Path], tables: Sequence[str] = DEFAULT_TABLES) -> Content:
    """The report of one or more runs (several are merged) beside the published ``tables``, by name or file.

    UserError where a folder is no run, where runs do not belong together, or where a table does not exist.
    """
    published = paper_tables(tables) if tables else ()
    results = merged([load_results(run) for run in runs])
    return content(results, published, _efficiency(runs))


def folder_for(runs: Sequence[Path], out: Path | None) -> Path:
    """Where the report goes: as asked, or beside the only run, or :data:`MERGED_FOLDER`.

    UserError where a run's folder ``report`` is a link, which leads elsewhere: nobody asked for that.
    """
    folder = out or (runs[0] / "report" if len(runs) == 1 else MERGED_FOLDER)
    if out is None and folder.is_symlink():
        raise UserError(f"{folder} is a link; give --out with the folder that it leads to, or remove it")
    return folder


def _efficiency(runs: Sequence[Path]) -> Mapping[str, Any] | None:
    """What was measured in any of the runs' folders; the later run's where two measured the same."""
    record = Record()
    for run in runs:
        found = read_efficiency(run)
        for session in parse_record(found, str(run)).sessions if found is not None else ():
            record = record.with_session(session)
    return record.data() if record.sessions else None
