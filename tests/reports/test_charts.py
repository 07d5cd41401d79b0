"""Charts of any numbers and names: every place is a finite one inside the drawing, and names are text."""

from __future__ import annotations

import itertools
import math
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from derainbench.reports.charts.axes import count_text, scale, tick_texts
from derainbench.reports.charts.boxes import FEW, Spread, box, distribution
from derainbench.reports.charts.drawing import Drawing, Line, Mark, Rect, Text, extent, fitted, text_width
from derainbench.reports.charts.drawing import Path as Lines
from derainbench.reports.charts.lines import line_chart
from derainbench.reports.charts.names import fitted_apart
from derainbench.reports.charts.placement import overlap, placed, spread
from derainbench.reports.charts.ranks import critical_difference_diagram
from derainbench.reports.charts.scatter import Point, cost_scatter, front
from derainbench.reports.charts.sparklines import sparklines
from derainbench.reports.charts.svg import svg
from derainbench.reports.charts.tikz import tikz
from derainbench.reports.comparison.labels import short_names

NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
NAMES = st.text(max_size=40)
HOSTILE = [
    "<script>alert(1)</script>",
    'a&b"c.png',
    r"\input{/etc/passwd}",
    "$x_1^2$ 100% #{}~",
    "\x00\u202eevil",
    "ﬃ 中文 é",
]


def values_of(drawing: Drawing) -> list[float]:
    """Every coordinate of a drawing."""
    found: list[float] = []
    for shape in drawing.shapes:
        match shape:
            case Line(x1, y1, x2, y2):
                found += [x1, y1, x2, y2]
            case Lines(points):
                found += itertools.chain(*points)
            case Mark(x, y):
                found += [x, y]
            case Rect(x, y, width, height):
                found += [x, y, width, height]
            case Text(x, y):
                found += [x, y]
    return found


def assert_sound(drawing: Drawing) -> None:
    """Finite places inside the box, texts too, and both renderings are well-formed."""
    assert all(math.isfinite(value) for value in values_of(drawing))
    for shape in drawing.shapes:
        if isinstance(shape, Text):
            left, top, right, bottom = extent(shape)
            inside = (
                left >= -0.01 and top >= -0.01 and right <= drawing.width + 0.01 and bottom <= drawing.height + 0.01
            )
            assert inside, shape
        elif isinstance(shape, Mark):
            assert 0 <= shape.x <= drawing.width
            assert 0 <= shape.y <= drawing.height
    root = ElementTree.fromstring(svg(drawing, "x"))
    assert [child.tag for child in root][:2] == ["title", "desc"]
    code = tikz(drawing)
    assert "nan" not in re.sub(r"\{.*?\}", "", code)
    assert code.isascii()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NAMES, NUMBERS, NUMBERS), max_size=12))
def test_a_scatter_of_any_numbers(rows: list[tuple[str, float, float]]) -> None:
    assert_sound(cost_scatter([Point(*row) for row in rows], "parameters", "PSNR, dB", title="t"))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NAMES, st.lists(NUMBERS, max_size=40)), max_size=6))
def test_a_distribution_of_any_numbers(rows: list[tuple[str, list[float]]]) -> None:
    assert_sound(distribution([Spread(name, np.array(values)) for name, values in rows], "PSNR, dB", title="t"))


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(NAMES, st.lists(st.tuples(NUMBERS, NUMBERS), max_size=8), max_size=12), st.booleans(), st.booleans()
)
def test_lines_and_sparklines_of_any_numbers(
    series: dict[str, list[tuple[float, float]]], log: bool, marks: bool
) -> None:
    assert_sound(line_chart(series, "step", "PSNR, dB", title="t", log_x=log, log_y=log, marks=marks))
    assert_sound(sparklines(series, y_title="Loss", title="t"))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NAMES, st.floats(0, 1)), min_size=2, max_size=20), st.floats(0, 50))
def test_a_rank_diagram_of_any_ranks(rows: list[tuple[str, float]], difference: float) -> None:
    count = len(rows)
    ranks = [1 + share * (count - 1) for _, share in rows]
    drawing = critical_difference_diagram(
        [name for name, _ in rows], ranks, difference, [(0, 1), tuple(range(count))], title="t"
    )
    assert_sound(drawing)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.floats(10, 390), st.floats(10, 290), st.text("abcW", min_size=1, max_size=9)), max_size=14)
)
def test_placed_names_overlap_nothing(points: list[tuple[float, float, str]]) -> None:
    texts = placed(points, 13, (0, 0, 400, 300), taken=[(0, 140, 400, 142)])
    boxes = [extent(text) for text in texts if text]
    obstacles = [(0.0, 140.0, 400.0, 142.0), *((x - 3, y - 3, x + 3, y + 3) for x, y, _ in points)]
    assert not any(overlap(*pair) for pair in itertools.combinations(boxes, 2))
    assert not any(overlap(text, other) for text in boxes for other in obstacles)


def test_names_of_a_usual_comparison_all_find_a_place() -> None:
    """The methods of the paper, by parameters, a dB or less apart."""
    costs = (57_369, 149_823, 168_963, 283_716, 372_839, 984_356, 4_169_024, 6_508_931)
    points = [Point(f"Method {n}", cost, 29.5 + n * 0.3) for n, cost in enumerate(costs)]
    drawing = cost_scatter([*points, Point("Rainy input", 0, 25.2)], "parameters", "PSNR, dB", title="t")
    written = {shape.text for shape in drawing.shapes if isinstance(shape, Text)}
    assert {point.name for point in points} <= written


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 300), max_size=12))
def test_spread_heights_keep_their_order_and_distance(wanted: list[float]) -> None:
    heights = spread(wanted, 0, 300, 16)
    ordered = [height for _, height in sorted(zip(wanted, heights, strict=True))]
    assert all(after - before >= 16 - 1e-6 for before, after in itertools.pairwise(ordered))
    assert all(-1e-6 <= height <= 300 + 1e-6 for height in heights)


def test_spread_moves_nothing_that_has_room() -> None:
    assert spread([100, 20, 200], 0, 300, 16) == [100, 20, 200]
    assert spread([100, 100], 0, 300, 16) == [92, 108]


def test_the_front_is_what_no_cheaper_method_equals() -> None:
    points = [Point("a", 10, 30), Point("b", 20, 29), Point("c", 20, 31), Point("d", 40, 31), Point("e", 50, 33)]
    assert front(points) == (0, 2, 4)
    assert front([Point("a", 10, 30), Point("b", 10, 30)]) == (0,)


def test_what_costs_nothing_is_a_dashed_level() -> None:
    drawing = cost_scatter([Point("Rainy input", 0, 26.9), Point("PReNet", 168963, 37.5)], "n", "PSNR", title="t")
    dashed = [shape for shape in drawing.shapes if isinstance(shape, Line) and shape.dashed]
    assert len(dashed) == 1
    assert dashed[0].y1 == dashed[0].y2
    assert len([shape for shape in drawing.shapes if isinstance(shape, Mark)]) == 1
    assert "Rainy input 26.90 at no cost" in drawing.description


def test_boxes_have_numpys_quantiles_and_leave_out_what_is_infinite() -> None:
    scores = np.array([*range(1, 102), math.inf, math.nan], dtype=float)
    found = box(scores)
    assert (found.low, found.lower, found.median, found.upper, found.high) == (6, 26, 51, 76, 96)
    assert list(found.outliers) == [1, 2, 3, 4, 5, 97, 98, 99, 100, 101]
    assert found.infinite == 1
    assert "1 of infinite score left out" in distribution([Spread("m", scores)], "PSNR", title="t").description


def test_few_images_are_drawn_one_by_one_and_outliers_are_bounded() -> None:
    def dots(count: int) -> int:
        drawing = distribution([Spread("m", np.random.default_rng(0).normal(size=count))], "PSNR", title="t")
        return sum(isinstance(shape, Mark) for shape in drawing.shapes)

    assert dots(FEW - 1) == FEW - 1
    assert dots(10_000) == 16


def test_the_rank_diagram_puts_the_best_at_the_right_and_joins_cliques() -> None:
    """As in Demsar 2006, figure 1: the axis runs from the last rank, left, to 1."""
    names = ["C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf"]
    drawing = critical_difference_diagram(names, [3.143, 2.0, 2.893, 1.964], 1.25, [(3, 1, 2), (1, 2, 0)], title="t")
    texts = {shape.text: shape for shape in drawing.shapes if isinstance(shape, Text)}
    assert texts["C4.5+m+cf"].x > texts["1"].x > texts["4"].x > texts["C4.5"].x
    bars = [shape for shape in drawing.shapes if isinstance(shape, Line) and shape.width == 4]
    assert len(bars) == 2
    assert texts["CD = 1.25"].y < texts["1"].y
    axis = abs(texts["1"].x - texts["4"].x) / 3
    length = next(shape for shape in drawing.shapes if isinstance(shape, Line) and shape.y1 == shape.y2 == 16)
    assert abs(length.x2 - length.x1) == pytest.approx(1.25 * axis)


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [(26.9, 37.5, ("28", "30", "32", "34", "36", "38")), (-1, 1, ("−1.0", "−0.5", "0.0", "0.5", "1.0"))],
)
def test_ticks_are_round(low: float, high: float, texts: tuple[str, ...]) -> None:
    assert tick_texts(scale([low, high], 0, 100).ticks(5)) == texts


def test_ticks_of_a_logarithmic_axis_are_round_counts() -> None:
    ticks = scale([57_369, 6_508_931], 0, 400, log=True).ticks(5)
    assert [count_text(tick) for tick in ticks] == ["100k", "300k", "1M", "3M"]


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (64, "64"), (999, "999"), (168_963, "169k"), (6_508_931, "6.51M"), (999_999, "1M")]
)
def test_counts_have_three_digits(value: float, text: str) -> None:
    assert count_text(value) == text


def test_names_lose_their_parentheses_only_where_they_stay_different() -> None:
    assert short_names(["PReNet (published weights)", "PRN (published weights)"]) == ("PReNet", "PRN")
    both = ["PReNet (trained on a)", "PReNet (trained on b)", "PRN"]
    assert short_names(both) == tuple(both)
    assert short_names(["PReNet", "PReNet (tag)"]) == ("PReNet", "PReNet (tag)")


def test_names_too_long_are_cut_where_they_do_not_differ() -> None:
    long = ["NASNet, 1 stage (trained on demo-drop)", "NASNet, 1 stage (trained on demo-mist)", "PReNet"]
    drop, mist, other = fitted_apart(long, 130, 13)
    assert (drop.endswith("…demo-drop)"), mist.endswith("…demo-mist)"), other) == (True, True, "PReNet")
    assert fitted_apart(["PReNet", "PReNet"], 130, 13) == ("PReNet", "PReNet"), "one name is one text"


@given(st.lists(st.one_of(NAMES, st.sampled_from("ab").map("a long name that has no end ".__add__)), unique=True))
@example(["a b", "a  b"])
@example(["x" * 40, "x" * 41, "x" * 42, "x" * 30 + "…"])
def test_different_names_look_different_however_short(names: list[str]) -> None:
    for width in (40.0, 88.0, 130.0):
        texts = fitted_apart(names, width, 13)
        assert len({*texts}) == len(names)
        assert all(text_width(text, 13) <= width + 1e-6 for text in texts)


@given(NAMES, st.floats(5, 300))
def test_fitted_text_fits(name: str, width: float) -> None:
    text = fitted(name, max(width, text_width("…", 13)), 13)
    assert text_width(text, 13) <= max(width, text_width("…", 13)) + 1e-6


def test_hostile_names_are_text_in_svg() -> None:
    drawing = cost_scatter([Point(name, 10 ** (n + 1), 30 + n) for n, name in enumerate(HOSTILE)], "n", "dB", title="t")
    code = svg(drawing, 'a"b')
    assert "<script" not in code
    assert "\x00" not in code
    assert "\u202e" not in code
    root = ElementTree.fromstring(code)
    assert {element.tag for element in root.iter()} <= {"svg", "title", "desc", "line", "polyline", "circle", "text"}
    assert any(HOSTILE[1] in (element.text or "") for element in root.iter("title"))


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_hostile_names_compile_in_latex(tmp_path: Path) -> None:
    points = [Point(name, 10 ** (n + 1), 30 + n) for n, name in enumerate(HOSTILE)]
    makers: list[Callable[[], Drawing]] = [
        lambda: cost_scatter(points, HOSTILE[3], HOSTILE[2], title="t"),
        lambda: distribution([Spread(name, np.arange(30.0)) for name in HOSTILE], "PSNR", title="t"),
        lambda: critical_difference_diagram(HOSTILE, [1, 2, 3, 4, 5, 6], 1, [(0, 1)], title="t"),
        lambda: line_chart({name: [(0, 1), (1, n)] for n, name in enumerate(HOSTILE)}, "x", "y", title="t"),
    ]
    body = "\n\n".join(tikz(make()) for make in makers)
    source = r"\documentclass{article}\usepackage{tikz}\begin{document}" + body + r"\end{document}"
    (tmp_path / "a.tex").write_text(source, encoding="ascii")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout
    assert "root:" not in done.stdout


def test_the_name_of_a_level_keeps_clear_of_points() -> None:
    """The input scores as high as the methods: its name goes where no point is."""
    points = [Point("Rainy input", 0, 28.61), Point("PReNet", 168_963, 28.66), Point("NASNet", 6_508_931, 28.68)]
    drawing = cost_scatter(points, "parameters", "PSNR, dB", title="t")
    names = [shape for shape in drawing.shapes if isinstance(shape, Text)]
    level = next(shape for shape in names if shape.text == "Rainy input")
    marks = [shape for shape in drawing.shapes if isinstance(shape, Mark)]
    assert not any(overlap(extent(level), (mark.x - 4, mark.y - 4, mark.x + 4, mark.y + 4)) for mark in marks)
    assert not any(overlap(extent(level), extent(other)) for other in names if other is not level)
