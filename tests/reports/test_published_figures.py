"""Figures of papers that are counted from the modules themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from xml.etree import ElementTree

import pytest

from derainbench.efficiency.module_parameters import module_parameters
from derainbench.efficiency.record import EfficiencyRecord
from derainbench.reports.charts.bars import WIDTH, bar_chart
from derainbench.reports.charts.drawing import Rect, Text, extent
from derainbench.reports.charts.svg import svg
from derainbench.reports.comparison.costs import cost_tables
from derainbench.reports.figures import figure_charts
from derainbench.reports.published.module_figures import figure_json, figure_text, figures_of, published_figure
from derainbench.reports.text.markdown import costs_markdown

Refused = Callable[..., AbstractContextManager[None]]


def attention(k: int) -> int:
    """Of NA at 64 maps, by hand: a depthwise k x k and a pointwise convolution, both with biases."""
    return (64 * k * k + 64) + (64 * 64 + 64)


def excitation(reduction: int) -> int:
    """Of SE at 64 maps, by hand: down and up again, both with biases."""
    squeezed = 64 // reduction
    return (64 * squeezed + squeezed) + (squeezed * 64 + 64)


def test_figure_5_of_nasnet() -> None:
    se, na = published_figure("nasnet/5", module_parameters).series
    assert {point.value: point.parameters for point in se.points} == {r: excitation(r) for r in (1, 2, 4, 8, 16)}
    assert {point.value: point.parameters for point in na.points} == {k: attention(k) for k in (1, 3, 5, 7)}
    assert (attention(3), excitation(16), excitation(1)) == (4_800, 580, 8_320)  # facts about the paper


def test_what_the_note_says_of_it_holds() -> None:
    se, na = (
        {point.value: point.parameters for point in each.points}
        for each in published_figure("nasnet/5", module_parameters).series
    )
    assert na[3] // se[16] == 8
    assert [reduction for reduction, count in se.items() if count > min(na.values())] == [1]
    assert se[1] > max(na.values())


def test_in_words() -> None:
    figure = published_figure("nasnet/5", module_parameters)
    assert " ".join(figure_text(figure).split()).count("NA, k = 3 4,800 NA, k = 5") == 1
    assert "does not hold" in figure_text(figure)
    assert json.loads(figure_json(figure))["series"][0]["points"][0]["parameters"] == 8_320
    assert "| NA, k = 3        |        4,800 |" in costs_markdown((), (figure,))


def test_figures_of_a_paper() -> None:
    """What is stored, so that a report needs no torch, is what the modules have."""
    assert figures_of(["nasnet"]) == (published_figure("nasnet/5", module_parameters),)
    assert figures_of(["another"]) == ()


FIGURE = """
number = "1"
paper = "Mine"
caption = "Modules"
[[series]]
title = "Linear"
module = "torch.nn:Linear"
arguments = { in_features = 3 }
vary = "out_features"
values = [1, 2]
label = "to {}"
"""


def test_a_figure_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(FIGURE)
    figure = published_figure(str(path), module_parameters)
    assert (figure.name, figure.title) == ("mine", "Mine, Figure 1")
    assert [(point.label, point.parameters) for point in figure.series[0].points] == [("to 1", 4), ("to 2", 8)]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("torch.nn:Linear", "torch.nn:Lineal", ["Lineal", "cannot be made"]),
        ("torch.nn:Linear", "no.such:Thing", ["no.such", "cannot be made"]),
        ("torch.nn:Linear", "torch.nn", ["module"]),
        ("torch.nn:Linear", "collections:OrderedDict", ["OrderedDict", "not a torch module"]),
        ('vary = "out_features"', 'vary = "width"', ["width = 1"]),
        ('label = "to {}"', 'label = "to {0.real}"', ["label"]),
        ("values = [1, 2]", "values = []", ["values"]),
        ("caption", "captain", ["captain", "did you mean 'caption'"]),
        ("number", "[[", ["TOML"]),
    ],
)
def test_mistakes_in_a_figure(tmp_path: Path, refused: Refused, old: str, new: str, words: list[str]) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(FIGURE.replace(old, new, 1))
    with refused(str(path), *words):
        published_figure(str(path), module_parameters)


def test_no_such_figure(refused: Refused, tmp_path: Path) -> None:
    with refused("nasnet/6", "did you mean 'nasnet/5'"):
        published_figure("nasnet/6", module_parameters)
    with refused("cannot be read"):
        published_figure(str(tmp_path / "none.toml"), module_parameters)


def test_the_chart() -> None:
    """Bars are as long as their values, and no text leaves the drawing."""
    (chart,) = figure_charts(figures_of(["nasnet"]))
    bars = [shape for shape in chart.drawing.shapes if isinstance(shape, Rect)]
    counts = [point.parameters for series in chart.figure.series for point in series.points]
    lengths = [bar.width / bars[0].width for bar in bars]
    assert lengths == pytest.approx([count / counts[0] for count in counts])
    assert [bar.role for bar in bars] == ["series-1"] * 5 + ["series-2"] * 4
    boxes = [extent(shape) for shape in chart.drawing.shapes if isinstance(shape, Text)]
    assert all(left >= 0 and right <= WIDTH and bottom <= chart.drawing.height for left, _, right, bottom in boxes)
    assert "SE, reduction 16 580" in chart.drawing.description
    ElementTree.fromstring(str(svg(chart.drawing, "chart")))


def test_bars_of_nothing() -> None:
    drawing = bar_chart({"none": [("zero", 0.0)], "empty": []}, "Things", title="Nothing")
    assert [shape for shape in drawing.shapes if isinstance(shape, Rect)] == []
    assert "zero 0" in drawing.description
    assert "no values" in bar_chart({}, "Things", title="Nothing").description


def test_nobody_measured() -> None:
    assert cost_tables(EfficiencyRecord()) == ()
    assert costs_markdown(()) == ""
