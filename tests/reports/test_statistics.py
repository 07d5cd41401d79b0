"""What a report may conclude from scores: the best line, those like it, adjusted p-values, sentences, speed."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from derainbench.metrics.kinds import METRICS
from derainbench.reports.comparison.entries import Entry
from derainbench.reports.comparison.grids import ScoreGrid, SeedScores
from derainbench.reports.comparison.statistics import DatasetStatistics, dataset_statistics, statistics
from derainbench.results.results import DatasetInRun, MethodInRun, TestPair
from derainbench.stats import Interval, OverSeeds, Paired, Ranks, Refusal, holm, mean_interval, paired_test


def grid(scores: np.ndarray, scenes: list[str] | None = None, protocol: str = "y", name: str = "set") -> ScoreGrid:
    """A grid of these PSNR values, (images, lines), of lines A, B, ...; SSIM is a hundredth. Two seeds, 1 dB apart."""
    images = [f"image{n}" for n in range(len(scores))]
    pairs = tuple(
        TestPair(image, scene, Path("rainy"), Path("clean"))
        for image, scene in zip(images, scenes or images, strict=True)
    )
    lines = tuple(
        Entry(MethodInRun(letter.lower(), letter, 1, None), letter, None) for letter in "ABCDEFGHI"[: scores.shape[1]]
    )
    seeds = tuple(
        SeedScores(line, name, seed, {"psnr": scores[:, line] + shift, "ssim": scores[:, line] / 100})
        for line in range(len(lines))
        for seed, shift in ((0, -0.5), (1, 0.5))
    )
    dataset = DatasetInRun(name, name.title(), "streak", "synthetic", pairs)
    shown = tuple(pair.scene for pair in pairs)
    return ScoreGrid(dataset, protocol, lines, tuple(images), shown, {"psnr": scores, "ssim": scores / 100}, seeds)


def close(images: int, *shifts: float, seed: int = 0) -> np.ndarray:
    """Scores of lines that lie ``shifts`` dB above each other, with noise of 0.5 dB."""
    random = np.random.default_rng(seed)
    return random.normal(30, 3, (images, 1)) + shifts + random.normal(0, 0.5, (images, len(shifts)))


def of(scores: np.ndarray, scenes: list[str] | None = None) -> DatasetStatistics:
    """The PSNR statistics of a grid of these scores."""
    return dataset_statistics(grid(scores, scenes), "psnr")


def test_the_best_and_those_not_told_from_it() -> None:
    found = of(close(60, 0.0, 3.0, 2.99, 1.0))
    assert found.labels == ("A", "B", "C", "D")
    assert found.best in {1, 2}
    assert found.not_worse == {1, 2}
    assert set(found.pairs) == {(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)}
    assert isinstance(found.ranks, Ranks)
    assert [set(clique) for clique in found.ranks.cliques] == [{1, 2}]


def test_parts_are_those_of_the_tests_and_p_is_adjusted_over_all_pairs() -> None:
    scores = close(40, 0.0, 0.1, 0.3)
    scenes = [f"s{n % 30}" for n in range(40)]
    found = of(scores, scenes)
    raw = [paired_test(scores[:, i], scores[:, j], scenes) for i, j in found.pairs]
    adjusted = [pair.p for pair in found.pairs.values() if isinstance(pair, Paired)]
    assert adjusted == pytest.approx(holm([pair.p for pair in raw if isinstance(pair, Paired)]))
    assert len(adjusted) == 3
    for line, interval in enumerate(found.intervals):
        alone = mean_interval(scores[:, line], scenes)
        assert isinstance(interval, Interval)
        assert isinstance(alone, Interval)
        assert (interval.low, interval.high, interval.clusters) == pytest.approx((alone.low, alone.high, 30))


def test_every_grid_and_metric() -> None:
    scores = close(30, 0.0, 1.0)
    found = statistics({("set", p): grid(scores, protocol=p) for p in ("y", "rgb")})
    assert set(found) == {("set", p, metric) for p in ("y", "rgb") for metric in METRICS}
    psnr, ssim = found["set", "y", "psnr"], found["set", "y", "ssim"]
    assert "dB" in psnr.sentences[1]
    assert "dB" not in ssim.sentences[1]
    assert isinstance(psnr.seeds[0], OverSeeds)
    assert psnr.seeds[0].deviation == pytest.approx(np.sqrt(0.5))
    assert psnr.seeds[0].mean == pytest.approx(scores[:, 0].mean())


def test_sentences() -> None:
    scores = np.full((100, 3), 30.0) + np.arange(100)[:, None] / 10
    scores[:, 1] += np.linspace(-0.0705, 0.9305, 100)
    scores[:, 2] -= 1 + np.linspace(0, 1, 100)
    found = of(scores)
    assert found.sentences == (
        "Paired Wilcoxon tests over 100 scenes, Holm-adjusted:",
        "B is better than A on 93 of 100 images (mean +0.43 dB), p < 0.001.",
        "B is better than C on 100 of 100 images (mean +1.93 dB), p < 0.001.",
        "Over 100 scenes the ranks of the 3 methods differ: Friedman chi-square(2) = 187.0, p < 0.001; "
        "mean ranks: B 1.07, A 1.93 and C 3.00. Nemenyi's test tells all of them apart (critical difference 0.33).",
    )
    assert found.not_worse == {1}


def test_two_scenes_are_refused_in_one_sentence() -> None:
    found = of(close(10, 0.0, 1.0, 2.0), ["one"] * 5 + ["two"] * 5)
    assert found.sentences == (
        "C is not tested against A and B: only 2 scenes, a test needs 6.",
        "Ranks are not tested: only 2 scenes, ranks need 6.",
    )
    assert found.not_worse == {2}, "no test says that others are as good"
    assert all(isinstance(each, Refusal) for each in (*found.intervals, *found.pairs.values(), found.ranks))


def test_a_line_with_gaps_is_compared_where_it_has_scores() -> None:
    scores = close(40, 0.0, 2.0, 1.0)
    scores[:5, 0] = np.nan
    found = of(scores)
    assert isinstance(found.intervals[0], Refusal)
    assert isinstance(found.intervals[1], Interval)
    pair = found.pairs[0, 1]
    assert isinstance(pair, Paired)
    assert (pair.images, pair.missing) == (35, 5)
    assert "35 images that both have scores for" in found.sentences[1]
    assert found.sentences[0] == "Paired Wilcoxon tests over 35 to 40 scenes, Holm-adjusted:"
    assert isinstance(found.ranks, Ranks)
    assert found.ranks.units == 35
    assert isinstance(found.seeds[0], Refusal)


def test_the_same_scores_twice_are_not_worse() -> None:
    scores = close(40, 0.0, 2.0)
    found = of(scores[:, [0, 1, 1]])
    assert (found.best, found.not_worse) == (1, frozenset({1, 2}))
    assert "B is not tested against C: all differences are zero." in found.sentences


def test_a_better_mean_that_few_images_make_is_not_better() -> None:
    """A has the higher mean through three images; B is higher in all others: B is not worse than A."""
    scores = close(60, 0.0, 0.4, seed=3)
    scores[:3, 0] += 40
    found = of(scores)
    pair = found.pairs[0, 1]
    assert isinstance(pair, Paired)
    assert pair.p < 0.05
    assert (found.best, found.not_worse) == (0, frozenset({0, 1}))
    assert found.sentences[1].startswith("B is better than A on 37 of 60 images (mean -1.60 dB)")


def test_the_best_is_that_of_the_table() -> None:
    """A has the highest mean over the images it has scores of, but none in a table: one of them is undefined."""
    scores = close(40, 2.0, 0.0, -2.0)
    scores[0, 0] = np.nan
    found = of(scores)
    assert found.best == 1
    assert found.not_worse == {0, 1}
    assert of(scores[:, [0]]).best == 0


def test_a_line_that_has_seen_the_test_images_is_never_the_best() -> None:
    shown = replace(grid(close(40, 0.0, 1.0, 5.0)), seen=frozenset({2}))
    found = dataset_statistics(shown, "psnr")
    assert (found.best, found.not_worse) == (1, frozenset({1}))
    assert not any("C" in sentence for sentence in found.sentences[:-1])
    nothing = dataset_statistics(replace(shown, seen=frozenset({0, 1, 2})), "psnr")
    assert (nothing.best, nothing.not_worse, nothing.sentences) == (None, frozenset(), ())


def test_sentences_leave_out_what_does_not_tell_methods_apart() -> None:
    shown = grid(close(40, 0.0, 1.0))
    lines = tuple(replace(line, label=f"{line.label} (published weights rain100l)") for line in shown.lines)
    found = dataset_statistics(replace(shown, lines=lines), "psnr")
    assert found.sentences[1].startswith("B is better than A on ")
    elsewhere = (lines[0], replace(lines[0], trained_on="fog"))
    found = dataset_statistics(replace(shown, lines=elsewhere), "psnr")
    assert found.sentences[1].startswith("A (trained on fog) is better than A on ")


def test_infinite_scores_and_lonely_lines() -> None:
    scores = close(40, 0.0, 2.0)
    scores[:, 1] = np.inf
    found = of(scores)
    assert (found.best, found.not_worse) == (1, frozenset({1}))
    assert found.sentences[1:] == ("B is better than A on 40 of 40 images, p < 0.001.",)
    alone = of(scores[:, :1])
    assert (alone.best, alone.pairs, alone.sentences, alone.not_worse) == (0, {}, (), frozenset({0}))
    nobody = of(np.empty((40, 0)))
    assert (nobody.best, nobody.intervals, nobody.not_worse) == (None, (), frozenset())


def test_seven_datasets_of_a_thousand_images_take_seconds() -> None:
    """Four where nothing else runs; a machine under load gets three times that."""
    scores = close(1000, *np.linspace(0, 1, 9))
    scenes = [f"s{n // 2}" for n in range(1000)]
    grids = {
        (f"d{n}", p): grid(scores, scenes if n % 2 else None, p, f"d{n}") for n in range(7) for p in ("y", "rgb", "u7")
    }
    start = time.process_time()
    assert len(statistics(grids)) == 42
    assert time.process_time() - start < 12
