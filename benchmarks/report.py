"""Seconds and peak memory of reporting a large made-up study, each format in a process of its own.

The study has 1,000 images x 9 methods x 7 datasets x 3 seeds x 3 protocols. The reference is pandas alone: reading the
same score files, and writing them as one CSV file.
"""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from benchmarks.memory import peak_mib
from benchmarks.synthetic_run import Size, write_run
from benchmarks.timing import machine, parse, parser, table

REFERENCE = "pandas: CSV of the scores"
#: What is measured: the formats, and where the page's pictures are.
JOBS: dict[str, tuple[tuple[str, ...], str]] = {
    REFERENCE: ((), ""),
    "csv": (("csv",), "none"),
    "json": (("json",), "none"),
    "markdown": (("markdown",), "none"),
    "latex": (("latex",), "none"),
    "html": (("html",), "none"),
    "html, images beside": (("html",), "beside"),
    "all": (("html", "latex", "markdown", "csv", "json"), "none"),
    "all, images beside": (("html", "latex", "markdown", "csv", "json"), "beside"),
}
LIMIT_SECONDS, LIMIT_MIB = 20.0, 1024.0
HEADERS = ("written", "s", "peak MiB", "page MB", "ratio to pandas (time)")


class Cost(NamedTuple):
    """Seconds, MiB, and the page's size in MB, None where there is none."""

    seconds: float
    peak: float
    page: float | None


def pandas_alone(run: Path, out: Path) -> Cost:
    """Read every score file of ``run`` and write their rows into one CSV file in ``out``."""
    import pandas as pd

    start = time.perf_counter()
    pd.concat(map(pd.read_parquet, sorted(run.glob("eval/**/scores.parquet")))).to_csv(out / "scores.csv", index=False)
    return Cost(time.perf_counter() - start, peak_mib(), None)


def report(run: Path, out: Path, formats: tuple[str, ...], images: str) -> Cost:
    """What ``derainbench report`` does, imports left out, in a fresh process."""
    from derainbench.reports.content import content
    from derainbench.reports.format import Style
    from derainbench.reports.write import write_report
    from derainbench.results.load import load_run

    start = time.perf_counter()
    write_report(content(load_run(run)), out, formats, Style(images=images))  # type: ignore[arg-type]
    page = out / "index.html"
    size = page.stat().st_size / 1e6 if page.exists() else None
    return Cost(time.perf_counter() - start, peak_mib(), size)


def measure(run: Path, name: str) -> Cost:
    """One job of :data:`JOBS`, in a process of its own."""
    formats, images = JOBS[name]
    with tempfile.TemporaryDirectory() as out:
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn) as pool:
            if name == REFERENCE:
                return pool.submit(pandas_alone, run, Path(out)).result()
            return pool.submit(report, run, Path(out), formats, images).result()


def main() -> None:
    options = parse(parser(__doc__))
    size = Size(images=20, methods=3, datasets=2, seeds=2) if options.quick else Size()
    jobs = (REFERENCE, "all, images beside") if options.quick else tuple(JOBS)
    costs: dict[str, list[Cost]] = {name: [] for name in jobs}
    with tempfile.TemporaryDirectory() as folder:
        run = write_run(Path(folder) / "run", size)
        for _ in range(options.repeats):
            for name, measured in costs.items():
                measured.append(measure(run, name))
    seconds = {name: statistics.median(cost.seconds for cost in measured) for name, measured in costs.items()}
    peaks = {name: max(cost.peak for cost in measured) for name, measured in costs.items()}
    rows = [
        (name, seconds[name], peaks[name], costs[name][0].page, seconds[name] / seconds[REFERENCE]) for name in jobs
    ]
    print(f"{size.rows:,} scores; median of {options.repeats}, largest peak. {machine()}.\n")
    print(table(rows, HEADERS, (None, 2, 0, 2, 2)))
    over = [name for name in jobs if seconds[name] > LIMIT_SECONDS or peaks[name] > LIMIT_MIB]
    if over:
        raise SystemExit(f"more than {LIMIT_SECONDS:.0f} s or {LIMIT_MIB:.0f} MiB: {', '.join(over)}")


if __name__ == "__main__":
    main()
