"""The qualitative comparison: images and windows are chosen by rule, and what is gone is left out."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from derainbench.reports.comparison.grids import score_grids
from derainbench.reports.comparison.measured import measured
from derainbench.reports.page.plates import plates
from derainbench.reports.page.qualitative import choose, error_map, window
from derainbench.results.results import Results

from .conftest import Score, dataset, method, rescored, results, with_pictures


def _grid(scores: dict[str, list[float]]) -> Results:
    images = [str(n) for n in range(len(next(iter(scores.values()))))]
    rows: list[Score] = [
        (name, "untrained" if name == "identity" else "a", 0, "a", image, "y", value, 0.9)
        for name, values in scores.items()
        for image, value in zip(images, values, strict=True)
    ]
    return results(rows, [method(name) for name in scores], [dataset("a", *images)])


def _choices(scores: dict[str, list[float]]) -> list[tuple[int, str]]:
    return [(choice.image, choice.rule) for choice in choose(score_grids(measured(_grid(scores)))["a", "y"])]


def test_the_three_rules_choose_three_images() -> None:
    chosen = _choices(
        {
            "identity": [90.0, 0.0, 0.0, 0.0, 0.0],  # the input is no method: it chooses nothing
            "prenet": [30.0, 35.0, 25.0, 40.0, 20.0],
            "rescan": [31.0, 36.0, 26.0, 30.0, 21.0],
        }
    )
    assert chosen == [
        (3, "the largest disagreement"),
        (4, "the lowest mean PSNR"),
        (0, "the median of the mean PSNR"),
    ]


def test_an_image_is_chosen_once_and_only_where_every_method_has_a_score() -> None:
    assert _choices({"prenet": [30.0], "rescan": [20.0]}) == [(0, "the largest disagreement")]
    assert _choices({"prenet": [30.0, 20.0]}) == [(1, "the lowest mean PSNR"), (0, "the median of the mean PSNR")]
    assert _choices({"identity": [30.0]}) == []
    assert _choices({"prenet": [float("nan"), 20.0]}) == [(1, "the lowest mean PSNR")]
    assert len(_choices({"prenet": [float("inf"), 20.0, 21.0], "rescan": [20.0, 20.5, 21.0]})) == 3


@given(st.integers(0, 60), st.integers(0, 90), st.booleans())
def test_the_window_is_where_outputs_differ(top: int, left: int, alone: bool) -> None:
    clean = np.full((96, 128, 3), 100, dtype=np.uint8)
    changed = clean.copy()
    changed[top : top + 4, left : left + 4] = 200
    found = window([changed] if alone else [clean, changed], clean)
    assert found.side == 48
    assert 0 <= found.top <= 96 - 48
    assert 0 <= found.left <= 128 - 48
    assert (found.cut(changed) == 200).sum() == 4 * 4 * 3, "the whole change is inside"


def test_a_window_fits_the_smallest_image() -> None:
    tiny = np.zeros((3, 200, 3), dtype=np.uint8)
    assert window([tiny, tiny], tiny).side == 3
    assert window([tiny, tiny], tiny).cut(tiny).shape == (3, 3, 3)


def test_error_maps_are_black_for_none_and_brighter_for_more() -> None:
    clean = np.zeros((1, 80, 3), dtype=np.uint8)
    restored = clean.copy()
    restored[0, :, 1] = np.arange(80)
    colours = error_map(restored, clean, 64)
    assert colours[0, 0].tolist() == [0, 0, 0]
    luma = colours[0] @ [0.299, 0.587, 0.114]
    assert (np.diff(luma[:65]) > 0).all()
    np.testing.assert_array_equal(colours[0, 64], colours[0, 79])


def test_plates_show_every_version_and_say_what_it_scored(tmp_path: Path) -> None:
    run = with_pictures(tmp_path)
    sections = plates(run, score_grids(measured(run)))
    assert [section.dataset.name for section in sections] == ["streaks", "drops"]
    plate = sections[0].plates[0]
    assert [piece.label for piece in plate.pieces] == ["Rainy input", "PReNet", "Ground truth"]
    assert plate.pieces[0].scores == {"y": "26.75 dB · SSIM 0.8125", "rgb": "25.50 dB · SSIM 0.8125"}
    assert _decoded(plate.pieces[1].picture).shape == (48, 48, 3)
    assert _decoded(plate.pieces[1].error).max() == 0, "the fake PReNet restores perfectly"
    assert _decoded(plate.pieces[0].error).max() > 100, "the input differs"
    assert plate.pieces[2].error == ""
    assert (plate.across, plate.down) == (100 * 48 / 128, 100 * 48 / 96)


def test_a_picture_of_one_seed_has_that_seed_s_score(tmp_path: Path) -> None:
    run = with_pictures(tmp_path)

    def another_seed(scores: pd.DataFrame) -> pd.DataFrame:
        more = scores[scores["method"] == "prenet"].assign(seed=1)
        return pd.concat([scores, more.assign(psnr=more["psnr"] - 10)], ignore_index=True)

    run = rescored(run, another_seed)
    piece = plates(run, score_grids(measured(run)))[0].plates[0].pieces[1]
    assert (piece.label, piece.scores["y"]) == ("PReNet, seed 0", "31.75 dB · SSIM 0.9375"), "not the mean of two seeds"


def test_images_that_are_gone_are_left_out(tmp_path: Path) -> None:
    run = with_pictures(tmp_path)
    for path in (tmp_path / "streaks").glob("*-clean.png"):
        path.write_bytes(b"no image")
    for path in run.folder.rglob("prenet/drops/**/*.png"):
        path.unlink()
    assert plates(run, score_grids(measured(run))) == ()


def _decoded(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))
