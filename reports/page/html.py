"""The comparison as one web page that works offline: what its sections show, put into the templates."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import Any

import jinja2

from derainbench.metrics.kinds import METRICS, Metric
from derainbench.metrics.protocols import PROTOCOLS
from derainbench.metrics.signature import signature

from ..charts.svg import svg
from ..comparison.costs import HEADERS, cost_tables
from ..comparison.entries import trained_seeds
from ..comparison.provenance import warning_words
from ..comparison.reproduction import metrics_of, sources
from ..comparison.significance import MARK
from ..comparison.spread import letters_words, set_spread
from ..content import Content
from ..figures import figure_charts
from ..layout.joint import set_joint
from ..layout.metrics import metric_names
from ..layout.published import set_tables
from .gallery import galleries
from .overview import cards, leaks, lede, standings
from .pictures import FOLDER_NAME, LONGEST_SIDE, QUALITY, Pictures
from .plates import BRIGHTEST, plates
from .qualitative import ERROR_COLOURS


def html(content: Content, pictures: Pictures) -> str:
    """``index.html``: every section of the report, with display copies of images in or beside the page.

    Styles, script and data are inside; the page's own policy forbids it to load anything but its pictures, and to run
    any style or script but these two, which it names by their hashes. Numbers of
    single images are data that the script makes rows of as they are asked for, so that the page opens at once with
    thousands of images.
    """
    return page_environment().get_template("index.html.j2").render(_context(content, pictures))


@cache  # it keeps templates compiled
def page_environment() -> jinja2.Environment:
    """The templates of the page and its sections: every value is escaped, a name that is missing is an error."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("derainbench.reports.page"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals.update(metric_names())
    environment.filters["hash_source"] = _hash_source
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    return environment


def _hash_source(text: str) -> str:
    """How a content security policy names the ``text`` of an inline element, all that stands between its tags."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"


def _context(content: Content, pictures: Pictures) -> dict[str, Any]:
    """All names that the templates know."""
    results = content.results
    tables = content.marked_tables
    sections = galleries(results, content.grids, pictures)
    return {
        "content": content,
        "source": content.source,
        "warning": warning_words(content.source.recipe),
        "leaks": leaks(results),
        "lede": lede(results),
        "tables": tables,
        "mark": MARK,
        "standings": [standings(content, table) for table in tables],
        "cards": [cards(content, table) for table in tables],
        "statistics": content.statistics,
        "galleries": sections,
        "seeds": trained_seeds(results),
        "reproductions": content.reproductions,
        "weights_metrics": metrics_of(content.reproductions),
        "printed": sources(content.reproductions),
        "figures": content.figures,
        "svg": svg,
        "plates": plates(results, content.grids) if pictures.kept else (),
        "brightest": BRIGHTEST,
        "error_stops": ERROR_COLOURS,
        "paper": set_tables(content.paper),
        "joint": set_joint(content.joint),
        "costs": cost_tables(content.efficiency),
        "cost_headers": HEADERS,
        "paper_figures": figure_charts(content.counted_figures),
        "spreads": [set_spread(each) for each in content.spreads],
        "spread_legend": letters_words(),
        "signatures": [signature(PROTOCOLS[name]) for name in content.run.protocols if name in PROTOCOLS],
        "failures": results.failures,
        "pictures": pictures,
        "beside": FOLDER_NAME if pictures.files else "",
        "left_out": sum(each.left_out for each in sections),
        "quality": QUALITY,
        "longest_side": LONGEST_SIDE,
        "data": {
            "metrics": [_metric(each) for each in METRICS.values()],
            "pictures": pictures.addresses,
            "datasets": [each.data for each in sections],
        },
    }


def _metric(kind: Metric) -> dict[str, Any]:
    """What the page's script needs to know of a metric."""
    said = {"name": kind.name, "title": kind.title, "unit": kind.unit, "digits": kind.digits}
    return {**said, "higherIsBetter": kind.higher_is_better}
