"""The paper as data: what is rendered is what the paper prints, and every number says how it was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from derainbench.catalogue.cards import all_cards
from derainbench.errors import UserError
from derainbench.plugins.registry import discover
from derainbench.reports.comparison.measured import measured
from derainbench.reports.published.filled import fill_all
from derainbench.reports.published.shipped import PaperTable, paper_tables, shipped_tables
from derainbench.results.results import Results

from .conftest import dataset, method, results
from .floats import overfull_lines
from .published_renderings import Rows, latex, page, rows_of_latex, rows_of_page, rows_of_paper


@pytest.fixture(scope="module")
def paper() -> tuple[PaperTable, ...]:
    return paper_tables(["nasnet"])


@pytest.fixture(scope="module")
def everything_measured(paper: tuple[PaperTable, ...]) -> Results:
    """A run that has two seeds of every row of the paper, each with its own scores."""
    names = sorted({row.measure.method for table in paper for row in table.rows if row.measure is not None})
    datasets = sorted({column.dataset for table in paper for column in table.columns})
    scores = [
        (name, where, seed, where, image, protocol, 20.0 + number + seed / 3, 0.5 + number / 100 + seed / 900)
        for number, name in enumerate(names)
        for where in datasets
        for seed in (0, 1)
        for image in ("1", "2")
        for protocol in ("y", "rgb-float-u7")
    ]
    methods = [method(name, parameters=1_000_000 + number) for number, name in enumerate(names)]
    return results(
        scores,
        methods,
        [dataset(name, "1", "2") for name in datasets],
        recipe={"name": "paper", "comparable": True, "changes": []},
        protocols=["y", "rgb-float-u7"],
        seeds=[0, 1],
    )


@pytest.fixture(scope="module")
def printed(shared: Path) -> dict[str, Rows]:
    """The nine tables as the text of the paper has them; the paper calls its own method "Ours"."""
    tables = rows_of_paper(shared / "paper" / "nasnet.txt")
    return {number: [[row[0].replace("Ours", "NASNet"), *row[1:]] for row in rows] for number, rows in tables.items()}


@pytest.mark.parametrize("scored", [False, True], ids=["nothing measured", "everything measured"])
def test_the_page_shows_the_numbers_of_the_paper(
    printed: dict[str, Rows], paper: tuple[PaperTable, ...], everything_measured: Results, scored: bool
) -> None:
    run = everything_measured if scored else results([], [], [])
    shown = rows_of_page(page(fill_all(paper, measured(run))))
    assert {name: [[cell.replace("–", "-") for cell in row] for row in rows] for name, rows in shown.items()} == {
        f"nasnet/{number}": rows for number, rows in printed.items()
    }


@pytest.mark.parametrize("scored", [False, True], ids=["nothing measured", "everything measured"])
def test_latex_shows_the_numbers_of_the_paper(
    printed: dict[str, Rows], paper: tuple[PaperTable, ...], everything_measured: Results, scored: bool
) -> None:
    run = everything_measured if scored else results([], [], [])
    assert rows_of_latex(latex(fill_all(paper, measured(run)))) == [printed[number] for number in sorted(printed)]


def test_the_text_of_the_paper_has_nine_tables(printed: dict[str, Rows]) -> None:
    assert [len(printed[number]) for number in sorted(printed)] == [8, 4, 6, 4, 5, 2, 3, 4, 2]
    assert printed["5"][3] == ["DerainDropGAN", "31.57", "0.9023", "-", "-"]
    assert printed["6"] == [["NASNet", "6,508,931"], ["NASNet without NA", "6,244,931"]]


def test_a_latex_document_has_no_line_that_is_too_wide(
    paper: tuple[PaperTable, ...], everything_measured: Results, tmp_path: Path
) -> None:
    body = latex(fill_all(paper, measured(everything_measured)))
    assert overfull_lines(body, tmp_path) == []


def test_every_own_number_of_the_paper_is_under_its_authors_protocol(paper: tuple[PaperTable, ...]) -> None:
    own = [
        published
        for table in paper
        for row in table.rows
        for published in row.published.values()
        if row.measure is not None and row.measure.method.startswith("nasnet")
    ]
    assert len(own) == 15
    assert {(each.protocol, each.guess, each.source) for each in own} == {("rgb-float-u7", False, "nasnet")}


def test_what_is_quoted_from_nobody_knows_where_and_what_is_guessed_says_so(paper: tuple[PaperTable, ...]) -> None:
    quoted = [
        p for table in paper for row in table.rows for p in row.published.values() if p.protocol is None or p.guess
    ]
    assert quoted
    assert [published for published in quoted if not published.note] == []


def test_methods_that_are_here_are_named_canonically_and_fit_their_recipe(paper: tuple[PaperTable, ...]) -> None:
    registry = discover()
    here = set(registry.working())
    measures = [row.measure for table in paper for row in table.rows if row.measure is not None]
    ours = [measure for measure in measures if measure.method.partition("[")[0] in here]
    assert {measure.method for measure in ours} >= {"prenet", "rescan", "spanet", "nasnet[attention=se]"}
    for measure in ours:
        variant = registry.variant(measure.method)
        assert variant.name == measure.method
        assert variant.method.recipe is not None
        changed = variant.method.recipe.changed(measure.recipe)
        assert {name: getattr(changed, name) for name in measure.recipe} == measure.recipe


def test_ablations_are_trained_as_the_paper_says(paper: tuple[PaperTable, ...]) -> None:
    rows = {
        (table.number, row.title): (measure.method, column.dataset, measure.recipe)
        for table in paper
        if table.suite == "nasnet-ablations"
        for row, column, measure in table.measured()
    }
    short = {"lr": 1e-4, "steps": 200_000}
    assert rows == {
        ("7", "PlainNet"): ("nasnet[attention=none]", "spa-real", short),
        ("7", "SENet"): ("nasnet[attention=se]", "spa-real", short),
        ("7", "NASNet"): ("nasnet", "spa-real", short),
        ("8", "Stage=1"): ("nasnet[stages=1]", "rain100h", {}),
        ("8", "Stage=2"): ("nasnet[stages=2]", "rain100h", {}),
        ("8", "Stage=3"): ("nasnet", "rain100h", {}),
        ("8", "Stage=4"): ("nasnet[stages=4]", "rain100h", {}),
        ("9", "DirectNet"): ("nasnet[fusion=none]", "spa-real", short),
        ("9", "NASNet"): ("nasnet", "spa-real", short),
    }


def test_tables_are_found_by_paper_and_by_number() -> None:
    shipped = shipped_tables()
    assert shipped["nasnet"] == tuple(f"nasnet/{number}" for number in range(1, 10))
    assert set(shipped) == {"nasnet", "rain13k", "drsformer", "allweather", "generalisation"}
    assert [table.name for table in paper_tables(["nasnet/3", "nasnet/1", "nasnet/3"])] == ["nasnet/3", "nasnet/1"]
    with pytest.raises(UserError, match=r"no table is called 'nasnett'; did you mean 'nasnet'\?"):
        paper_tables(["nasnett"])


def test_datasets_are_those_of_cards(paper: tuple[PaperTable, ...]) -> None:
    assert {column.dataset for table in paper for column in table.columns} <= set(all_cards())
