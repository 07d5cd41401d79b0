"""Sets whose score is the mean of their scenes' means, as GT-RAIN's authors average."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from derainbench.catalogue.cards import all_cards
from derainbench.reports.comparison.measured import measured
from derainbench.reports.content import content
from derainbench.results.results import DatasetInRun, Results, TestPair

from .conftest import Score, dataset, method, results

#: Three frames of one scene, one of another.
PSNR = {"a1": 20.0, "a2": 22.0, "a3": 24.0, "b1": 30.0}


def run(mean_of: str) -> Results:
    scores: list[Score] = [
        (name, source, 0, "rain", image, "y", value + more, value / 100)
        for name, source, more in (("identity", "untrained", 0.0), ("prenet", "rain", 1.0))
        for image, value in PSNR.items()
    ]
    plain = dataset("rain", *PSNR, title="Rain")
    pairs = tuple(TestPair(pair.image, pair.image[0], pair.rainy, pair.clean) for pair in plain.test)
    by_scene: DatasetInRun = replace(plain, test=pairs, mean_of=mean_of)
    return results(scores, [method("identity"), method("prenet", "PReNet")], [by_scene])


@pytest.mark.parametrize(("mean_of", "mean", "count"), [("images", "24.00", 4), ("scenes", "26.00", 2)])
def test_a_score_is_the_mean_that_the_set_says(mean_of: str, mean: str, count: int) -> None:
    shown = content(run(mean_of))
    table = shown.tables[0]
    assert table.rows[0].cells[0].text == mean
    assert any("the mean over scenes of each scene's mean" in note for note in table.notes) == (mean_of == "scenes")
    found = shown.statistics["rain", "y", "psnr"]
    assert found.scores.shape == (count, 2)
    assert np.isclose(found.scores[:, 0].mean(), float(mean)), "tests and intervals are of the number in the table"
    assert len(shown.grids["rain", "y"].images) == 4, "charts and galleries are of images"


def test_an_image_that_is_identical_is_left_out_of_its_scene() -> None:
    infinite = run("scenes")
    wide = infinite.scores.copy()
    wide.loc[(wide["image"] == "a1") & (wide["metric"] == "psnr"), "value"] = np.inf
    means = measured(replace(infinite, scores=wide)).means
    (of_seed,) = means.of_seeds("identity", "untrained", "rain", "y", "psnr")
    assert (of_seed.mean, of_seed.left_out) == (26.5, 1)  # (22 + 24) / 2 and 30


def test_gt_rain_s_card_says_so_and_no_other() -> None:
    assert {name for name, card in all_cards().items() if card.mean_of == "scenes"} == {"gt-rain"}
