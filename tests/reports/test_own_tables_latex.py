"""Tables of one's own in LaTeX: they fit one column and two, in a size that can be read."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from derainbench.errors import UserError
from derainbench.reports.content import content
from derainbench.reports.latex.documents import published_tex, tables_tex, weights_tex
from derainbench.reports.latex.fit import COLUMN, ONE, PAGE, Fit, fit
from derainbench.reports.latex.own_tables import own_tex
from derainbench.reports.latex.widths import points, text_width
from derainbench.reports.layout.own_tables import SetOwn, set_own
from derainbench.reports.own_tables.spec import Layout
from derainbench.reports.published.shipped import paper_tables
from derainbench.reports.tex.escape import escape

from .conftest import dataset, method, results
from .floats import ONE_COLUMN, TWO_COLUMNS, overfull_lines
from .shapes import many
from .test_own_tables import DEEP, NET, filled, spec

WORDS = ("PReNet", "Our method WITH ALL CAPITALS and more words", "a_b&c%d#{e}", "Ünïcode – ß", "mmmmmmmm", "x")


def made(names: list[str], sets: int, seeds: int, notes: bool = True) -> SetOwn:
    """A table of so many rows and sets, quoted and measured, with words, check marks, costs and an average."""
    datasets = [f"set{number}" for number in range(sets)]
    scores = [
        (f"m{down}", name, seed, name, "1", "y", 30.0 + down + seed / 3, 0.9 + down / 100)
        for down in range(len(names))
        for seed in range(seeds)
        for name in datasets
    ]
    methods = [method(f"m{down}", name, 10**down) for down, name in enumerate(names)]
    run = results(scores, methods, [dataset(name, "1") for name in datasets], protocols=["y"])
    printed = {"psnr": "31.5", "ssim": "0.9123", "protocol": "y", "source": "them"}
    rows: list[Any] = [
        {"method": f"m{down}", "cite": f"key{down}", "options": {"deep": down % 2 == 0}, "text": {"venue": "CVPR 2019"}}
        for down in range(len(names))
    ]
    rows.append({"title": "Quoted", "published": {datasets[0]: printed}, "costs": {"parameters": "3.14"}, "line": True})
    words: list[Any] = [{"text": "venue", "title": "Venue"}, {"option": "deep", "title": "Deep"}]
    measured = [{"dataset": name, "title": f"A set called {name}"} for name in datasets]
    columns = [*words, {"cost": "parameters"}, *measured, {"average": "all"}]
    them = {"short": "Them", "text": "Them et al., https://example.org/a-long-address/of-a-page"}
    asked = spec(*rows, columns=columns, caption="Many & more.", notes=notes, sources={"them": them})
    return set_own(filled(asked, run))


SHAPES = [(WORDS[:2], 1, 1), (WORDS, 2, 2), (WORDS, 5, 3), (WORDS[:4], 9, 1)]


def all_shapes(layout: Layout) -> Iterator[str]:
    for names, sets, seeds in SHAPES:
        for notes in (True, False):
            yield own_tex(made([*names], sets, seeds, notes), layout) + r"\clearpage"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "columns", "span"),
    [(ONE_COLUMN, 1, "auto"), *((two, 2, span) for two in TWO_COLUMNS for span in ("auto", "column"))],
)
def test_no_table_is_wider_than_its_place(tmp_path: Path, before: str, columns: Any, span: Any) -> None:
    body = r"\newcommand{\dbcite}[1]{~[12]}" + "".join(all_shapes(Layout(columns=columns, span=span)))
    assert overfull_lines(body, tmp_path, before) == []


@pytest.mark.slow
@pytest.mark.parametrize(("before", "columns"), [(ONE_COLUMN, 1), *((two, 2) for two in TWO_COLUMNS)])
def test_no_table_of_a_report_is_either(tmp_path: Path, before: str, columns: int) -> None:
    body = ""
    for shape in (many(2, 3, 1), many(8, 7, 2)):
        shown = content(shape, paper_tables(["nasnet", "rain13k", "drsformer"]))
        body += tables_tex(shown, columns=columns) + weights_tex(shown, columns) + r"\clearpage"
    assert overfull_lines(body + published_tex(shown, columns), tmp_path, before) == []


def test_a_small_table_stands_in_one_column_of_two_and_a_wide_one_across_both() -> None:
    small, wide = set_own(filled(spec(NET, DEEP))), made([*WORDS], 4, 2)
    assert not fit(small, Layout(columns=2)).page
    assert fit(wide, Layout(columns=2)).page
    assert r"\begin{table*}" in own_tex(wide, Layout(columns=2))
    assert r"\begin{table}" in own_tex(wide, Layout(columns=1))
    assert not fit(wide, Layout(columns=2, span="column")).page
    assert len(fit(wide, Layout(columns=2, span="column")).panels) > 1
    with pytest.raises(UserError, match=r"does not fit 1cm in any readable way"):
        fit(wide, Layout(width="1cm"))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(1, 3), st.sampled_from([1, 2]), st.sampled_from(["auto", "column", "page"]))
def test_every_column_stands_in_one_panel_in_a_size_that_can_be_read(
    sets: int, seeds: int, columns: Any, span: Any
) -> None:
    table = made(["Net", "Another net"], sets, seeds)
    way: Fit = fit(table, Layout(columns=columns, span=span))
    edges = [(panel.first, panel.last) for panel in way.panels]
    assert [first for first, _ in edges] == [0, *(last for _, last in edges[:-1])]
    assert edges[-1][1] == len(table.columns)
    assert sum(len(group.columns) for panel in way.panels for group in panel.groups) == len(table.columns)
    assert way.size >= 7.0


def test_text_is_no_wider_than_reckoned(tmp_path: Path) -> None:
    """In Computer Modern, in Times, and in bold, at the sizes that tables have."""
    texts = ["0.9792", "PReNet (published weights rain100l)", "MWFormer & IDT", "ffiljt,.", "Ünïcode", WORDS[1]]
    lines = []
    for font in ("lmr", "ptm"):
        for size in (7, 8, 9):
            for bold in (False, True):
                for number, text in enumerate(texts):
                    series = "\\bfseries" if bold else ""
                    set_in = rf"\fontfamily{{{font}}}\fontsize{{{size}}}{{10}}{series}\selectfont {escape(text)}"
                    lines.append(rf"\sbox0{{{set_in}}}\typeout{{W {size} {int(bold)} {number} \the\wd0}}")
    document = r"\documentclass{article}\usepackage[T1]{fontenc}\begin{document}" + "\n".join(lines) + r"\end{document}"
    (tmp_path / "w.tex").write_text(document, encoding="ascii")
    try:
        run = subprocess.run(["pdflatex", "w.tex"], cwd=tmp_path, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("pdflatex is not installed")
    found = re.findall(r"^W (\d) (\d) (\d+) ([\d.]+)pt", run.stdout, re.MULTILINE)
    assert len(found) == len(lines), run.stdout[-1500:]
    for size, bold, number, width in found:
        assert float(width) <= text_width(texts[int(number)], float(size), bold == "1") + 0.3, texts[int(number)]


def test_places_are_those_of_the_templates() -> None:
    assert [round(points(each), 1) for each in (ONE, COLUMN, PAGE)] == [341.4, 234.9, 496.9]


def test_a_size_that_is_asked_for_allows_panels_and_many_columns() -> None:
    table = made([*WORDS[:2]], 60, 1)
    way = fit(table, Layout(columns=2, size=10))
    assert way.size == 10
    assert [panel.first for panel in way.panels] == [0, *(panel.last for panel in way.panels[:-1])]
    assert way.panels[-1].last == len(table.columns)
    assert len(way.panels) > 10
