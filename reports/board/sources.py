"""Finding runs and submissions, and reading those that add up."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from derainbench.efficiency.record import EfficiencyRecord, read_efficiency
from derainbench.errors import UserError, printable
from derainbench.metrics.kinds import Metric, use
from derainbench.results.results import Results

from .checking import Known, examined
from .rows import Source
from .submission import RECORD, Submission, unpacked


@dataclass(frozen=True)
class Sources:
    """``read`` add up; ``left_out`` has a line for each that does not. ``efficiency`` is what any of them measured."""

    read: tuple[Source, ...]
    left_out: tuple[str, ...]
    efficiency: EfficiencyRecord = field(default_factory=EfficiencyRecord)


def find_runs(paths: Sequence[Path]) -> list[Path]:
    """The run folders and submissions that ``paths`` are, or that lie below them, each once; by their names.

    :class:`UserError` for a path that does not exist, or below which there is none. Links are not followed, nor is
    anything looked for inside a run, or in hidden folders.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        if not path.exists():
            raise UserError(f"{path}: no such file or folder; give run folders, submissions, or a folder of them")
        here = [*_below(path)] if path.is_dir() else [path]
        if not here:
            raise UserError(f"no run and no submission lies below {path}; give folders of derainbench run")
        found |= {each.resolve(): each for each in here if each.resolve() not in found}
    return [*found.values()]


def _below(folder: Path) -> Iterator[Path]:
    for name, folders, files in os.walk(folder):
        if "run.json" in files:
            folders.clear()
            yield Path(name)
            continue
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        yield from (Path(name, each) for each in sorted(files) if each.endswith(".zip"))


@contextmanager
def opened(paths: Sequence[Path], known: Known) -> Iterator[Sources]:
    """All of them, read; unpacked submissions stay as long as the block. What does not add up is left out."""
    read: list[Source] = []
    left_out: list[str] = []
    metrics: dict[str, Metric] = {}
    efficiency = EfficiencyRecord()
    with ExitStack() as stack:
        for path in paths:
            try:
                folder = path if path.is_dir() else stack.enter_context(unpacked(path))
            except UserError as error:
                left_out.append(printable(f"{path.name}: {error}"))
                continue
            submitted = folder != path or (folder / RECORD).is_file()
            checked, results, record = examined(folder, known, submitted)
            if results is None or checked.wrong:
                left_out.append(printable(f"{path.name}: {_first(checked.wrong)}"))
                continue
            source, costs = _source(path, results, record), read_efficiency(folder)
            read.append(source)
            metrics = {metric.name: metric.kind for metric in source.results.info.metrics} | metrics
            for session in costs.sessions:
                efficiency = efficiency.with_session(session)
        use(metrics.values())
        yield Sources(tuple(read), tuple(left_out), efficiency)


def _source(path: Path, results: Results, record: Submission | None) -> Source:
    if record is None:
        return Source(results, path.resolve().name)
    return Source(results, record.name, record.by or record.name, True)


def _first(wrong: Sequence[str]) -> str:
    """The first line of what is wrong, and how many there are more."""
    return wrong[0] + (f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else "")
