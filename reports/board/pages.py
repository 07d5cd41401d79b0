"""The pages of a site: of all boards, of each dataset, and of each method."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import jinja2

from derainbench import __version__
from derainbench.catalogue.cards import Card
from derainbench.efficiency.record import EfficiencyRecord
from derainbench.metrics.kinds import LEADING, METRICS
from derainbench.results.results import MethodInRun
from derainbench.support.words import counted

from ..comparison.costs import HEADERS, CostTable, cost_tables
from ..comparison.labels import MISSING
from ..page.html import page_environment
from .boards import Board
from .data import DatasetData
from .plain import without_places
from .rows import Row, Source, macs_of, page_of
from .slugs import short, slug

#: Lines of a method's page: one with thousands of rows has the rest on the datasets' pages.
MOST_LINES = 500

STATUSES = ("reproduced", "measured", "submitted", "quoted")


@dataclass(frozen=True)
class Site:
    """All that pages are made of; ``as_of`` is when the last of the runs was made."""

    title: str
    boards: tuple[Board, ...]
    sources: tuple[Source, ...]
    left_out: tuple[str, ...]
    cards: Mapping[str, Card]
    efficiency: EfficiencyRecord

    @property
    def as_of(self) -> str:
        """The newest run's time, to the day: a site made again of the same runs is the same."""
        return max((source.results.info.created[:10] for source in self.sources), default="")

    def datasets(self) -> dict[str, list[Board]]:
        """The boards of each dataset."""
        found: dict[str, list[Board]] = {}
        for board in self.boards:
            found.setdefault(board.images.dataset.name, []).append(board)
        return found

    def methods(self) -> dict[str, list[tuple[Board, Row]]]:
        """The rows of each method's page, by its name."""
        found: dict[str, list[tuple[Board, Row]]] = {}
        for board in self.boards:
            for row in board.rows:
                found.setdefault(row.page, []).append((board, row))
        return dict(sorted(found.items(), key=lambda page: page[0].lower()))

    def networks(self, page: str) -> list[MethodInRun]:
        """The networks on a method's page, each with its weights, once."""
        all_methods = [method for source in self.sources for method in source.results.methods]
        found = {(m.name, "" if m.weights is None else m.weights.sha256): m for m in all_methods if page_of(m) == page}
        return [*found.values()]


@cache
def _environment() -> jinja2.Environment:
    page = page_environment()
    both = [jinja2.PackageLoader("derainbench.reports.board"), page.loader]
    return page.overlay(loader=jinja2.ChoiceLoader([each for each in both if each is not None]))


def index_page(site: Site, earlier: Sequence[tuple[str, str]]) -> str:
    """``index.html``; ``earlier`` are pages that no present run is of, and their titles."""
    datasets = [
        {"slug": slug(name), "title": boards[0].images.dataset.title, "boards": [_entry(board) for board in boards]}
        for name, boards in site.datasets().items()
    ]
    methods = [
        {"slug": slug(page), "title": title_of(site, page), "rows": counted(len(rows), "row")}
        for page, rows in site.methods().items()
    ]
    rows = sum(len(board.rows) for board in site.boards)
    return _rendered(
        "index.html.j2",
        site,
        title=site.title,
        lede=f"{counted(rows, 'row')} on {counted(len(site.boards), 'board')}, of {counted(len(datasets), 'dataset')}.",
        links=[
            ("boards", "Boards"),
            ("methods", "Methods"),
            ("runs", "Runs"),
            *([("earlier", "Earlier")] if earlier else []),
        ],
        up="",
        datasets=datasets,
        methods=methods,
        runs=[_run(source) for source in site.sources],
        left_out=site.left_out,
        earlier=earlier,
    )


def _entry(board: Board) -> dict[str, Any]:
    images = board.images
    best = next((row for row in board.rows if LEADING in row.cells and not row.seen), None)
    part = "" if images.dataset.whole else ", a part"
    return {
        "images": f"{counted(len(images.dataset.test), 'image')}{part}",
        "digest": short(images.digest),
        "protocol": board.protocol,
        "trained_on": board.trained_on,
        "rows": f"{len(board.rows):,}",
        "best": ""
        if best is None
        else f"{best.title}, {best.cells[LEADING].text} {METRICS[LEADING].unit} ({best.status})",
    }


def _run(source: Source) -> dict[str, str]:
    info = source.results.info
    return {
        "name": source.name,
        "by": source.by if source.submitted else "measured here",
        "created": _day(info.created),
        "version": info.derainbench,
        "torch": str(info.versions.get("torch", "")),
        "command": without_places(info.command),
    }


def _day(text: str) -> str:
    try:
        return f"{datetime.fromisoformat(text):%Y-%m-%d}"
    except ValueError:
        return text


def dataset_page(site: Site, boards: Sequence[Board], data: DatasetData) -> str:
    """``datasets/SLUG.html``."""
    dataset = boards[0].images.dataset
    rows = sum(len(board.rows) for board in boards)
    card = site.cards.get(dataset.name)
    facts = [("Name", dataset.name), ("Rain", f"{dataset.kind}, {dataset.rain_model}")]
    for images in {board.images.digest: board.images for board in boards}.values():
        words = counted(len(images.dataset.test), "image")
        words += (
            f" of {card.counts.test:,}" if card is not None and card.counts.test and not images.dataset.whole else ""
        )
        words += f"; {images.dataset.other_sizes}" if images.dataset.other_sizes else ""
        facts.append((f"Test images {short(images.digest)}", f"{words}; manifest {images.digest}"))
    facts.append(("A score is", f"the mean over {dataset.mean_of}"))
    if card is not None:
        facts += [("From", card.source), ("Licence", card.licence), *(("Known defect", each) for each in card.defects)]
    return _rendered(
        "dataset.html.j2",
        site,
        title=dataset.title,
        lede=f"{counted(rows, 'row')} on {counted(len(boards), 'board')}.",
        links=[("board", "Board"), ("pair", "Two methods"), ("about", "Test images")],
        up="../",
        data=data.page,
        facts=[(name, value) for name, value in facts if value],
        statuses=STATUSES,
    )


def method_page(site: Site, page: str, rows: Sequence[tuple[Board, Row]]) -> str:
    """``methods/SLUG.html``."""
    networks = site.networks(page)
    names = {method.name.partition("@")[0] for method in networks}
    costs = [_only(table, names) for table in cost_tables(site.efficiency)]
    lines = [
        {
            "row": row,
            "dataset": board.images.dataset.title,
            "slug": slug(board.images.dataset.name),
            "digest": short(board.images.digest),
            "count": f"{counted(len(board.images.dataset.test), 'image')}, {short(board.images.digest)}",
        }
        for board, row in rows[:MOST_LINES]
    ]
    papers = {method.paper.title: method.paper for method in networks if method.paper is not None}
    return _rendered(
        "method.html.j2",
        site,
        title=title_of(site, page),
        lede=f"{counted(len(rows), 'row')}.",
        links=[
            ("scores", "Scores"),
            *([("networks", "Networks")] if networks else []),
            *([("efficiency", "Efficiency")] if any(table.rows for table in costs) else []),
        ],
        up="../",
        lines=lines,
        more=len(rows) - len(lines),
        metrics=[*METRICS.values()],
        networks=[_network(method) for method in networks],
        papers=[paper for paper in papers.values() if paper.title],
        costs=[table for table in costs if table.rows],
        cost_headers=HEADERS,
    )


def title_of(site: Site, page: str) -> str:
    """What a method's page is called: the title of the network without options and weights, else the page's name."""
    plain = (method for method in site.networks(page) if method.name.partition("@")[0] == page)
    titles = sorted({re.sub(r" \([^()]*\)$", "", method.title) for method in plain}, key=len)
    quoted = (row.title for _, row in site.methods()[page] if row.status == "quoted")
    return titles[0] if titles else next(quoted, page)


def _only(table: CostTable, names: set[str]) -> CostTable:
    rows = tuple(row for row in table.rows if row.name in names)
    return CostTable(table.setting, rows, table.notes)


def _network(method: MethodInRun) -> dict[str, Any]:
    macs = macs_of(method)
    gmacs = MISSING if macs is None else f"{macs / 1e9:,.2f}"
    return {"name": method.name, "parameters": method.parameters, "gmacs": gmacs, "weights": method.weights}


def _rendered(template: str, site: Site, **names: Any) -> str:
    shared = {"site": site.title, "version": __version__, "as_of": site.as_of, "data": None}
    given = {**shared, **names}
    return _environment().get_template(template).render(scores=given["data"] is not None, **given)
