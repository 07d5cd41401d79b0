"""Scores, long and wide: the same scores either way, in the same order, and a score that is not there stays absent."""

from __future__ import annotations

import pandas as pd
import pytest

from derainbench.results.score_table import SCORE_COLUMNS, as_long, as_wide, wide_columns

PLACE = {"method": "a", "trained_on": "", "seed": 0, "dataset": "rain", "scene": "", "height": 8, "width": 9, "tile": 0}


def wide(*images: str) -> pd.DataFrame:
    """Scores of images that are not in the order of their names."""
    rows = [
        {**PLACE, "image": image, "protocol": protocol, "psnr": 20.0 + number, "ssim": 0.5 + number / 100}
        for number, image in enumerate(images)
        for protocol in ("y", "rgb")
    ]
    return pd.DataFrame(rows)[[*wide_columns()]].astype(wide_columns())


def test_there_and_back() -> None:
    table = wide("c", "a", "b")
    pd.testing.assert_frame_equal(as_wide(as_long(table)), table, check_exact=True)


def test_the_metrics_of_an_image_follow_each_other() -> None:
    long = as_long(wide("c", "a"))
    assert list(zip(long["image"], long["protocol"], long["metric"], strict=True)) == [
        (image, protocol, metric) for image in "ca" for protocol in ("y", "rgb") for metric in ("psnr", "ssim")
    ]
    assert long.dtypes.astype(str).to_dict() == SCORE_COLUMNS


@pytest.mark.parametrize("metric", ["psnr", "ssim"])
def test_a_score_that_is_not_there_is_absent_in_its_place(metric: str) -> None:
    table = wide("c", "a", "b")
    long = as_long(table)
    short = long[(long["image"] != "a") | (long["metric"] != metric)]
    table.loc[table["image"] == "a", metric] = float("nan")
    pd.testing.assert_frame_equal(as_wide(short), table, check_exact=True)


def test_no_scores() -> None:
    assert as_wide(as_long(wide("c").iloc[:0])).columns.tolist() == [*wide_columns()]
