"""All that a report shows, worked out once; every format is a way of writing it down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from derainbench.efficiency.record import EfficiencyRecord, read_efficiency
from derainbench.errors import UserError
from derainbench.metrics.kinds import METRICS, use
from derainbench.results.load import load_run
from derainbench.results.merging import merged
from derainbench.results.results import Results
from derainbench.results.spread import Spread

from .comparison.cells import ComparisonTable, Metric
from .comparison.grids import ScoreGrid, score_grids
from .comparison.labels import renamed, with_distinct_titles
from .comparison.measured import Measured, measured
from .comparison.provenance import Provenance, provenance
from .comparison.reproduction import Reproduction, reproductions
from .comparison.significance import marked_tables
from .comparison.spread import best_spreads
from .comparison.statistics import DatasetStatistics, statistics
from .comparison.table import comparison_tables
from .figures import Figures, figures
from .published.filled import FilledTable, fill_all
from .published.joint import JointTable, joint_tables
from .published.module_figures import CountedFigure, figures_of
from .published.shipped import PaperTable, paper_tables, shipped_tables

#: Where nobody measured what networks cost.
NOT_MEASURED = EfficiencyRecord()


@dataclass(frozen=True)
class Content:
    """A report as plain data.

    ``run`` has the means and the rows; ``tables`` one comparison a protocol, ``grids`` the scores of every image by
    (dataset, protocol), ``statistics`` what may be concluded from them by (dataset, protocol, metric). ``paper`` are
    published tables with what was scored beside them, ``joint`` those whose quoted and measured rows stand below each
    other. ``efficiency`` is what the run's networks cost, empty
    where nobody measured it.
    """

    run: Measured
    source: Provenance
    tables: tuple[ComparisonTable, ...]
    grids: Mapping[tuple[str, str], ScoreGrid]
    reproductions: tuple[Reproduction, ...]
    statistics: Mapping[tuple[str, str, Metric], DatasetStatistics] = field(default_factory=dict)
    paper: tuple[FilledTable, ...] = ()
    efficiency: EfficiencyRecord = NOT_MEASURED
    joint: tuple[JointTable, ...] = ()

    @property
    def results(self) -> Results:
        """The run as it was read."""
        return self.run.results

    def statistics_of(self, dataset: str, protocol: str) -> dict[Metric, DatasetStatistics]:
        """What may be concluded from each metric that was measured there."""
        places = {metric: (dataset, protocol, metric) for metric in METRICS}
        return {metric: self.statistics[place] for metric, place in places.items() if place in self.statistics}

    @cached_property
    def marked_tables(self) -> tuple[ComparisonTable, ...]:
        """The comparisons with what tests say of the values that are not the best."""
        return marked_tables(self.tables, self.grids, self.statistics)

    @cached_property
    def spreads(self) -> tuple[Spread, ...]:
        """The best output of each dataset under all protocols of the run; none of a run under one alone."""
        return best_spreads(self.run)

    @cached_property
    def figures(self) -> Figures:
        """Charts and matrices, drawn once, for whichever formats show them."""
        return figures(self.run, self.tables, self.grids, self.statistics)

    @cached_property
    def counted_figures(self) -> tuple[CountedFigure, ...]:
        """What the papers of the published tables draw of modules, with the parameters of the modules here."""
        return figures_of({filled.table.paper for filled in self.paper})


def content(
    results: Results, published: Sequence[PaperTable] = (), efficiency: EfficiencyRecord = NOT_MEASURED
) -> Content:
    """Everything that a report of ``results`` shows, beside the tables of papers that are ``published``.

    From then on the metrics at hand are those of ``results``.
    """
    use(metric.kind for metric in results.info.metrics)
    run = measured(with_distinct_titles(results))
    grids = score_grids(run)
    return Content(
        run=run,
        source=provenance(run),
        tables=comparison_tables(run),
        grids=grids,
        reproductions=reproductions(run),
        statistics=statistics(grids),
        paper=fill_all((table for table in published if not table.joint), run),
        efficiency=efficiency,
        joint=joint_tables(published, run),
    )


#: The tables of papers in every report, unless others are asked for.
DEFAULT_TABLES = ("nasnet",)
#: Where the report of several runs goes, in the folder of the command.
MERGED_FOLDER = Path("report")


def report_of(
    runs: Sequence[Path], tables: Sequence[str] = DEFAULT_TABLES, titles: Mapping[str, str] = MappingProxyType({})
) -> Content:
    """The report of one or more runs (several are merged) beside the published ``tables``, by name or file.

    ``titles`` are what readers call methods, by their names, where that is not their own title. Where no others than
    the :data:`DEFAULT_TABLES` are asked for, those that a run's suite measured are there too.
    UserError where a folder is no run, where runs do not belong together, or where a table or a method does not exist.
    """
    results = renamed(merged([load_run(run) for run in runs]), titles)
    published = paper_tables(tables, [each.name for each in results.datasets]) if tables else ()
    if tuple(tables) == DEFAULT_TABLES:
        suite = () if results.info.suite is None else results.info.suite.rows
        shipped = {name for names in shipped_tables().values() for name in names}
        known = {table.name for table in published}
        published += paper_tables([*dict.fromkeys(row.table for row in suite if row.table in shipped - known)])
    return content(results, published, efficiency_of(runs))


def folder_for(runs: Sequence[Path], out: Path | None, name: str = MERGED_FOLDER.name) -> Path:
    """Where the report goes, or what else has that ``name``: as asked, or in the only run, or in the folder at hand.

    UserError where a run's folder ``report`` is a link, which leads elsewhere: nobody asked for that.
    """
    folder = out or (runs[0] / name if len(runs) == 1 else Path(name))
    if out is None and folder.is_symlink():
        raise UserError(f"{folder} is a link; give --out with the folder that it leads to, or remove it")
    return folder


def efficiency_of(runs: Sequence[Path]) -> EfficiencyRecord:
    """What was measured in any of the runs' folders; the later run's where two measured the same."""
    record = EfficiencyRecord()
    for run in runs:
        for session in read_efficiency(run).sessions:
            record = record.with_session(session)
    return record
