"""All that a report shows, worked out once; every format is a way of writing it down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from derainbench.results import Results

from .charts.figures import Figures, figures
from .comparison.entries import with_distinct_titles
from .comparison.grids import ScoreGrid, score_grids
from .comparison.reproduction import Reproduction, reproductions
from .comparison.statistics import DatasetStatistics, statistics
from .comparison.table import ComparisonTable, Metric, comparison_tables
from .provenance import Provenance, provenance
from .published.counted_figures import CountedFigure, figures_of
from .published.filled import FilledTable, fill_all
from .published.shipped import PaperTable


@dataclass(frozen=True)
class Content:
    """A report as plain data.

    ``tables`` has one comparison a protocol, ``grids`` the scores of every image by (dataset, protocol), ``statistics``
    what may be concluded from them by (dataset, protocol, metric). ``paper`` are published tables with what was scored
    beside them. ``efficiency`` is the run's ``efficiency.json``, None where nobody measured it.
    """

    results: Results
    source: Provenance
    tables: tuple[ComparisonTable, ...]
    grids: Mapping[tuple[str, str], ScoreGrid]
    reproductions: tuple[Reproduction, ...]
    statistics: Mapping[tuple[str, str, Metric], DatasetStatistics] = field(default_factory=dict)
    paper: tuple[FilledTable, ...] = ()
    efficiency: Mapping[str, Any] | None = None

    @cached_property
    def figures(self) -> Figures:
        """Charts and matrices, drawn once, for whichever formats show them."""
        return figures(self)

    @cached_property
    def counted_figures(self) -> tuple[CountedFigure, ...]:
        """What the papers of the published tables draw of modules, counted from the modules here."""
        return figures_of({filled.table.paper for filled in self.paper})


def content(
    results: Results, published: Sequence[PaperTable] = (), efficiency: Mapping[str, Any] | None = None
) -> Content:
    """Everything that a report of ``results`` shows, beside the tables of papers that are ``published``."""
    results = with_distinct_titles(results)
    grids = score_grids(results)
    return Content(
        results=results,
        source=provenance(results),
        tables=comparison_tables(results),
        grids=grids,
        reproductions=reproductions(results),
        statistics=statistics(grids),
        paper=fill_all(published, results),
        efficiency=efficiency,
    )
