"""No report says what its sample cannot support: every number of scenes and methods, in every format."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from derainbench.reports.comparison.significance import MARK
from derainbench.reports.content import Content, content
from derainbench.reports.latex.documents import report_tex, tables_tex
from derainbench.reports.latex.numbers import TIED
from derainbench.reports.page.html import html
from derainbench.reports.page.pictures import NoPictures
from derainbench.reports.text.json import results_json
from derainbench.reports.text.markdown import markdown
from derainbench.reports.text.terminal import terminal
from derainbench.results.results import Results
from derainbench.stats import Paired, Refusal, adjusted_family, friedman, paired_test

from .conftest import Score, dataset, method, results

SCENES = (6, 8, 10, 20)
METHODS = range(2, 13)
#: What only a test may say that could also have said the opposite.
CLAIMS = (MARK, "Not worse, by the tests", "are not told apart:", ">not worse than the best")


def run_of(scores: np.ndarray) -> Results:
    """A run with these PSNR, (scenes, methods), a scene an image; SSIM is a hundredth."""
    images = [f"scene {n}" for n in range(len(scores))]
    names = [f"m{n}" for n in range(scores.shape[1])]
    rows: list[Score] = [
        (name, "rain", 0, "rain", image, "y", float(scores[i, j]), float(scores[i, j]) / 100)
        for j, name in enumerate(names)
        for i, image in enumerate(images)
    ]
    tested = dataset("rain", *images)
    run = results(rows, [method(name, parameters=10) for name in names], [tested], protocols=["y"])
    run.scores["scene"] = run.scores["image"]
    return replace(run, datasets=(replace(tested, test=tuple(replace(p, scene=p.image) for p in tested.test)),))


def ordered(scenes: int, methods: int, seed: int = 0) -> np.ndarray:
    """Scores in the same order in every scene: the clearest sample of its size that there is."""
    random = np.random.default_rng(seed)
    return random.normal(25, 3, (scenes, 1)) + np.cumsum(random.uniform(0.5, 3, (scenes, methods)), axis=1)


def close(scenes: int, methods: int, random: np.random.Generator) -> np.ndarray:
    """Scores of methods of which some differ, some do not, some share most of their scores, some lack one."""
    level = random.choice([0.0, 0.2, 1.0, 5.0], methods)
    scores = random.normal(25, 3, (scenes, 1)) + level + random.normal(0, 0.3, (scenes, methods))
    if methods > 2:
        same = random.random(scenes) < random.choice([0.0, 0.2, 0.6])
        scores[same, 1] = scores[same, 0]
    if random.random() < 0.2:
        scores[0, -1] = np.nan
    rounded: np.ndarray = scores.round(int(random.choice([1, 6])))
    return rounded


def written(shown: Content) -> dict[str, str]:
    """The report in every format that says something in words or marks."""
    return {
        "markdown": markdown(shown),
        "latex": (report_tex(shown) + tables_tex(shown)).replace(TIED, MARK),
        "page": re.sub(r"(?s)<(style|script)\b.*?</\1>", "", html(shown, NoPictures())),
        "terminal": terminal(shown),
    }


@pytest.mark.slow
@pytest.mark.parametrize("scenes", SCENES)
def test_the_clearest_sample_is_never_called_unclear(scenes: int) -> None:
    """Every method is lower than the next in every scene. Either tests find that, or they are refused."""
    for methods in METHODS:
        shown = content(run_of(ordered(scenes, methods)))
        where = f"{methods} methods"
        said = written(shown)
        for name, text in said.items():
            assert not [claim for claim in CLAIMS if claim in text], f"{where}, {name}"
        found = shown.statistics["rain", "y", "psnr"]
        comparisons = methods * (methods - 1) // 2
        supported = comparisons * 2 / 2**scenes < 0.05
        assert {isinstance(pair, Paired) for pair in found.pairs.values()} == {supported}, where
        assert found.not_worse == {methods - 1}, where
        assert {d.told for row in shown.figures.protocols[0].datasets[0].duels.rows for d in row if d} == {
            True if supported else None
        }, where
        (entry, _) = json.loads(results_json(shown))["statistics"]
        assert [line["not_worse_than_best"] for line in entry["lines"]] == [False] * (methods - 1) + [True], where
        if not supported:
            reason = f"{scenes} scenes allow no p below "
            assert all(reason in text and f"among {comparisons} comparison" in text for text in said.values()), where


@pytest.mark.slow
@pytest.mark.parametrize("scenes", SCENES)
def test_what_is_not_told_apart_could_have_been(scenes: int) -> None:
    """Of methods of all kinds: what a test does not find, it would have found had every scene favoured one method."""
    random = np.random.default_rng(scenes)
    marked = refused = 0
    for methods in METHODS:
        for _ in range(2):
            scores = close(scenes, methods, random)
            shown = content(run_of(scores))
            found = shown.statistics["rain", "y", "psnr"]
            tested = {place: pair for place, pair in found.pairs.items() if isinstance(pair, Paired)}
            refused += len(found.pairs) - len(tested)
            for (i, j), pair in tested.items():
                difference = np.abs(scores[:, i] - scores[:, j])
                alike = paired_test(difference, np.zeros(scenes), np.arange(scenes))
                assert isinstance(alike, Paired)
                assert alike.p * len(tested) < 0.05, "no outcome over these scenes would be told apart"
                if abs(pair.effect) == 1:
                    assert pair.p < 0.05, "one method is better in every scene that differs"
            for line in found.not_worse - {found.best}:
                assert found.best is not None
                against = found.pairs[min(line, found.best), max(line, found.best)]
                assert isinstance(against, Paired) or against.reason == "all differences are zero"
                marked += isinstance(against, Paired)
            if not tested and methods % 4 == 2:
                text = " ".join(written(shown).values()).replace("are not told apart: Friedman", "")
                assert not any(claim in text for claim in CLAIMS)
    assert refused
    assert marked or scenes == 6, "a sample that supports tests has methods that they do not tell apart"


@pytest.mark.slow
@pytest.mark.parametrize(("scenes", "methods"), [(6, 2), (8, 4), (10, 6), (20, 8)])
def test_methods_that_do_not_differ_are_seldom_told_apart(scenes: int, methods: int) -> None:
    """300 samples without a difference: in about one of 20 at most some pair, or the ranks, are told apart."""
    random = np.random.default_rng(scenes * methods)
    pairs = ranks = 0
    for _ in range(300):
        scores = random.normal(25, 3, (scenes, 1)) + random.normal(0, 1, (scenes, methods)).round(1)
        columns = combinations(scores.T, 2)
        tests = {n: paired_test(first, second, np.arange(scenes)) for n, (first, second) in enumerate(columns)}
        pairs += any(isinstance(pair, Paired) and pair.p < 0.05 for pair in adjusted_family(tests).values())
        found = friedman(scores)
        ranks += not isinstance(found, Refusal) and found.p < 0.05
    assert pairs <= 0.05 * 300 + 11, "11 are three standard deviations"
    assert ranks <= 0.05 * 300 + 11
