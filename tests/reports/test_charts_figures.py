"""All figures of a report: on the page and in LaTeX, of whatever a run holds; fast and small for a large one."""

from __future__ import annotations

import dataclasses
import math
import re
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from derainbench.reports.charts.drawing import SERIES
from derainbench.reports.charts.svg import svg
from derainbench.reports.comparison.entries import Entry
from derainbench.reports.comparison.grids import ScoreGrid, SeedScores
from derainbench.reports.comparison.statistics import statistics
from derainbench.reports.content import Content, content
from derainbench.reports.figures import MOST_ROWS, shown_lines
from derainbench.reports.latex.environment import latex_environment
from derainbench.reports.latex.figure_floats import dataset_floats, training_floats
from derainbench.reports.page.html import page_environment
from derainbench.reports.tex.bibtex import bibliography
from derainbench.results.results import Results
from derainbench.results.run_info import MacsInfo

from .conftest import Score, dataset, method, results

TEMPLATES = Path(__file__).parents[2] / "reports" / "page" / "templates"


def page(of: Content) -> str:
    """The section of the page."""
    return page_environment().get_template("charts.html.j2").render(figures=of.figures, svg=svg)


def small_run(images: int = 8, names: tuple[str, ...] = ("identity", "prenet", "nasnet")) -> Results:
    """Methods a decibel apart on one dataset."""
    shown = [f"image {n}" for n in range(images)]
    scores: list[Score] = [
        (name, "untrained" if name == "identity" else "a", 0, "a", image, "y", 30 + n % 5 + 1.0 * place, 0.9)
        for place, name in enumerate(names)
        for n, image in enumerate(shown)
    ]
    methods = [method(name, name.title(), 1000 * place) for place, name in enumerate(names)]
    run = results(scores, methods, [dataset("a", *shown, title="Set A")], protocols=["y"])
    return dataclasses.replace(run, scores=run.scores.assign(scene=run.scores["image"]))


def test_a_method_without_a_mean_is_no_point_of_the_trade_off() -> None:
    """An undefined score of a hard image does not lift a method above those that have one."""
    run = small_run()
    hard = (run.scores["method"] == "nasnet") & (run.scores["image"] == "image 0") & (run.scores["metric"] == "psnr")
    run.scores.loc[hard, "value"] = math.nan
    (part,) = content(run).figures.protocols
    scatter = part.datasets[0].costs[0]
    assert scatter.drawing is not None
    assert "Nasnet" not in scatter.drawing.description
    assert scatter.caption.endswith("Without a mean: Nasnet.")


def test_a_dataset_has_its_charts_and_its_matrix() -> None:
    drawn = content(small_run()).figures
    (part,) = drawn.protocols
    (of_dataset,) = part.datasets
    assert [figure.heading for figure in of_dataset.figures if figure.drawing] == [
        "PSNR against parameters",
        "PSNR of single images",
        "Mean ranks by PSNR",
    ]
    assert of_dataset.duels.labels == ("Identity", "Prenet", "Nasnet")
    assert part.generalisation == ()
    assert "Generalisation" not in page(content(small_run())), "no heading without a matrix"


def test_a_refused_test_is_a_sentence() -> None:
    """Three images, so three scenes: too few for ranks."""
    drawn = content(small_run(images=3)).figures
    ranks = drawn.protocols[0].datasets[0].ranks
    assert ranks.drawing is None
    assert ranks.refusal.startswith("No test of ranks: only 3 scenes")
    assert ranks.refusal in page(content(small_run(images=3)))


def test_macs_are_drawn_where_they_were_counted_at_one_size() -> None:
    run = small_run()
    counted = [
        dataclasses.replace(each, macs=MacsInfo(macs=10**9, height=256, width=192)) if n else each
        for n, each in enumerate(run.methods)
    ]
    part = content(dataclasses.replace(run, methods=tuple(counted))).figures.protocols[0]
    _, macs = part.datasets[0].costs
    assert macs.heading == "PSNR against MACs"
    assert "256 × 192" in macs.caption
    assert macs.drawing is not None
    assert "Identity 31.62 at no cost" in macs.drawing.description
    counted[2] = dataclasses.replace(counted[2], macs=MacsInfo(macs=10**9, height=512, width=512))
    part = content(dataclasses.replace(run, methods=tuple(counted))).figures.protocols[0]
    assert len(part.datasets[0].costs) == 1, "counts of two sizes do not compare"


def test_infinite_scores_are_left_out_and_said() -> None:
    run = small_run()
    same = (run.scores["method"] == "prenet") & (run.scores["image"] == "image 0") & (run.scores["metric"] == "psnr")
    run.scores.loc[same, "value"] = math.inf
    assert "left out: Prenet 1." in content(run).figures.protocols[0].datasets[0].spread.caption


def test_charts_show_a_method_s_own_training_and_at_most_twenty_rows() -> None:
    scores: list[Score] = [
        (f"m{n}", source, 0, "a", "one", "y", 30.0, 0.9) for n in range(MOST_ROWS + 5) for source in ("a", "b")
    ]
    run = results(scores, [method(f"m{n}") for n in range(MOST_ROWS + 5)], [dataset("a", "one"), dataset("b", "one")])
    made = content(run)
    lines = shown_lines(made.grids["a", "y"])
    assert len(lines) == MOST_ROWS
    assert all(made.grids["a", "y"].lines[line].trained_on is None for line in lines)
    assert made.figures.protocols[0].datasets[0].remark.startswith(f"{MOST_ROWS + 10} more rows")


def test_a_published_weight_tested_elsewhere_stands_for_its_method() -> None:
    scores: list[Score] = [("prenet@x", "other", 0, "a", "one", "y", 30.0, 0.9)]
    made = content(results(scores, [method("prenet@x", "PReNet")], [dataset("a", "one")]))
    assert shown_lines(made.grids["a", "y"]) == (0,)


def test_every_picture_has_a_title_and_its_numbers_in_words() -> None:
    html = page(content(small_run()))
    pictures = [ElementTree.fromstring(text) for text in re.findall(r"<svg.*?</svg>", html, re.DOTALL)]
    assert len(pictures) == 3
    ids = [element.get("id") for picture in pictures for element in picture.iter() if element.get("id")]
    assert len(ids) == len(set(ids)) == 6
    for picture in pictures:
        assert picture.get("role") == "img"
        title, description = picture[0], picture[1]
        assert picture.get("aria-labelledby") == title.get("id")
        assert picture.get("aria-describedby") == description.get("id")
        assert "Set A, protocol y" in (title.text or "")
        assert "Prenet" in (description.text or "")


def test_hostile_names_are_text_on_the_page() -> None:
    run = small_run(names=("identity", "<script>alert(1)</script>", 'a"b&c'))
    html = page(content(run))
    assert "<script" not in html.lower()
    assert "&lt;Script&gt;" in html


def test_the_latex_has_a_figure_a_dataset_and_escapes_names() -> None:
    environment = latex_environment(bibliography([]))
    drawn = content(small_run(names=("identity", r"\input{x}", "50%_$"))).figures
    code = environment.get_template("charts.tex.j2").render(
        figures=drawn, dataset_floats=dataset_floats, training_floats=training_floats
    )
    assert code.count(r"\begin{figure}") == 1
    assert code.count(r"\begin{tikzpicture}") == 3
    assert r"\Input{x}" not in code
    assert r"50\%\_\$" in code


def large_content() -> Content:
    """7 datasets x 3 protocols x 9 methods, 100 images each."""
    random = np.random.default_rng(0)
    methods = tuple(dataclasses.replace(method(f"m{n}", f"Method {n}"), parameters=10 ** (n % 4 + 4)) for n in range(9))
    datasets = tuple(dataset(f"d{n}", *map(str, range(100)), title=f"Dataset {n}") for n in range(7))
    lines = tuple(Entry(each, each.title, None) for each in methods)
    grids = {}
    for tested in datasets:
        for protocol in ("y", "rgb", "y-crop"):
            psnr = random.normal(30, 3, (100, 9)) + np.arange(9) / 3
            seeds = tuple(SeedScores(n, tested.name, 0, {"psnr": psnr[:, n], "ssim": psnr[:, n]}) for n in range(9))
            names = tuple(map(str, range(100)))
            grids[tested.name, protocol] = ScoreGrid(
                tested, protocol, lines, names, names, {"psnr": psnr, "ssim": psnr}, seeds
            )
    made = content(results([], list(methods), list(datasets), protocols=["y", "rgb", "y-crop"]))
    return dataclasses.replace(made, grids=grids, statistics=statistics(grids))


def test_the_figures_of_a_large_run_take_less_than_two_seconds_and_a_megabyte() -> None:
    made = large_content()
    start = time.process_time()
    drawn = made.figures
    pictures = [
        svg(figure.drawing, figure.name)
        for part in drawn.protocols
        for each in part.datasets
        for figure in each.figures
        if figure.drawing
    ]
    taken = time.process_time() - start
    assert len(pictures) == 7 * 3 * 3
    assert taken < 2
    assert sum(map(len, pictures)) < 1_000_000
    html = page(made)
    assert '<select id="figures-dataset">' in html
    names = re.findall(r'<svg[^>]*aria-labelledby="([^"]*)"', html)
    assert len(set(names)) == len(names) == 63


def test_colours_stand_out_from_the_ground_and_text_from_shaded_cells() -> None:
    """3:1 for shapes and 4.5:1 for words (WCAG 2.2), in each block of colours: light, dark twice."""
    charts = (TEMPLATES / "charts.css").read_text(encoding="utf-8")
    grounds = {"light": ("#fdfdfb", "#1b1f24"), "dark": ("#14171a", "#e7e9eb")}
    page_css = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    for ground, ink in grounds.values():
        assert f"--ground: {ground}" in page_css
        assert f"--ink: {ink}" in page_css
    blocks = [
        dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in re.findall(r"\{([^{}]*--win[^{}]*)\}", charts)
    ]
    light, *dark = [block for block in blocks if "series-1" in block]
    assert len(dark) == 2
    assert dark[0] == dark[1], "the system's dark and the chosen one"
    strongest = max(int(share) for share in re.findall(r"var\(--(?:win|lose)\) (\d+)%", charts)) / 100
    for colours, (ground, ink) in ((light, grounds["light"]), (dark[0], grounds["dark"])):
        assert all(contrast(colours[role], ground) >= 3 for role in SERIES)
        for name in ("win", "lose"):
            shaded = [strongest * a + (1 - strongest) * b for a, b in zip(rgb(colours[name]), rgb(ground), strict=True)]
            assert contrast_of(shaded, rgb(ink)) >= 4.5


def rgb(colour: str) -> list[float]:
    return [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]


def luminance(colour: list[float]) -> float:
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast_of(first: list[float], second: list[float]) -> float:
    bright, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def contrast(first: str, second: str) -> float:
    return contrast_of(rgb(first), rgb(second))


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)
