"""Scores as arrays: in the order of the images, a mean over seeds, gaps where something is missing."""

from __future__ import annotations

import math

import numpy as np

from derainbench.reports.comparison.grids import score_grids
from derainbench.reports.comparison.measured import measured

from .conftest import Score, dataset, method, results


def test_images_stand_in_the_dataset_s_order_and_seeds_are_averaged() -> None:
    scores: list[Score] = [
        ("prenet", "a", seed, "a", image, "y", 30.0 + seed + shift, 0.9)
        for seed in (0, 2)
        for image, shift in (("two", 5.0), ("one", 0.0))  # stored in another order than the dataset's
    ]
    scores += [("identity", "untrained", 0, "a", image, "y", 20.0, 0.5) for image in ("one", "two")]
    run = results(scores, [method("identity"), method("prenet")], [dataset("a", "one", "two")])
    grid = score_grids(measured(run))["a", "y"]
    assert grid.images == ("one", "two")
    assert [line.method.name for line in grid.lines] == ["identity", "prenet"]
    np.testing.assert_array_equal(grid.values(), [[20.0, 31.0], [20.0, 36.0]])
    assert [(each.line, each.seed, list(each.values("psnr"))) for each in grid.seed_values] == [
        (0, 0, [20.0, 20.0]),
        (1, 0, [30.0, 35.0]),
        (1, 2, [32.0, 37.0]),
    ]


def test_what_is_missing_is_nan_and_identical_images_are_infinite() -> None:
    scores: list[Score] = [
        ("prenet", "a", 0, "a", "one", "y", math.inf, 1.0),
        ("prenet", "a", 1, "a", "one", "y", 40.0, 0.9),
        ("prenet", "a", 0, "a", "two", "y", 30.0, math.nan),
        ("rescan", "a", 0, "a", "two", "y", 31.0, 0.8),
    ]
    run = results(scores, [method("prenet"), method("rescan")], [dataset("a", "one", "two")])
    grid = score_grids(measured(run))["a", "y"]
    np.testing.assert_array_equal(grid.values(), [[math.inf, math.nan], [math.nan, 31.0]])  # a seed lacks image two
    assert math.isnan(grid.values("ssim")[1, 0])
    assert ("a", "rgb") not in score_grids(measured(run)), "no grid where there is no score"


def test_a_training_tested_elsewhere_is_a_line_of_its_own() -> None:
    scores: list[Score] = [
        ("prenet", source, 0, tested, "one", "y", value, 0.9)
        for source, tested, value in (("a", "a", 30.0), ("a", "b", 20.0), ("b", "b", 31.0))
    ]
    run = results(scores, [method("prenet")], [dataset("a", "one"), dataset("b", "one")])
    grids = score_grids(measured(run))
    assert [
        (line.trained_on, value) for line, value in zip(grids["b", "y"].lines, grids["b", "y"].values()[0], strict=True)
    ] == [
        (None, 31.0),
        ("a", 20.0),
    ]
    assert [line.trained_on for line in grids["a", "y"].lines] == [None], "its own row has it already"
