"""One output under several protocols: shifts, and which numbers may stand in one column."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd
import pytest

from derainbench.results.spread import Spread, spread

PLACE = ("tiny", "rain", 0, "rain")


def measured(psnr: Mapping[str, Sequence[float]], reference: str = "y") -> Spread:
    rows = [
        (f"photo-{n}", protocol, metric, value if metric == "psnr" else 0.9)
        for protocol, values in psnr.items()
        for n, value in enumerate(values)
        for metric in ("psnr", "ssim")
    ]
    return spread(PLACE, pd.DataFrame(rows, columns=["image", "protocol", "metric", "value"]), reference)


def letters(found: Spread, metric: str = "psnr") -> dict[str, str]:
    return {row.protocol: row.readings[metric].letter for row in found.rows}


def test_shifts_and_letters() -> None:
    found = measured({"rgb": [28.7, 30.7], "y": [30.0, 32.0], "y-float": [30.004, 31.996], "y-u8": [30.1, 32.1]})
    assert [row.protocol for row in found.rows] == ["y-u8", "y", "y-float", "rgb"], "the highest first"
    assert letters(found) == {"y-u8": "B", "y": "A", "y-float": "A", "rgb": "C"}
    shifts = {row.protocol: row.readings["psnr"].shifted for row in found.rows}
    assert shifts == pytest.approx({"y": 0, "y-float": 0, "y-u8": 0.1, "rgb": -1.3})
    assert set(letters(found, "ssim").values()) == {"A"}
    assert found.range_of("psnr") == pytest.approx((-1.3, 0.1))
    assert found.images == 2


def test_equal_means_of_unequal_images_are_not_comparable() -> None:
    found = measured({"y": [30.0, 32.0], "rgb": [32.0, 30.0]})
    assert letters(found) == {"y": "A", "rgb": "B"}
    assert found.rows[0].protocol == "y", "of equal means the reference first"


def test_the_first_letter_is_never_stretched() -> None:
    """Each is within the tolerance of the next, and the last is not within that of the first."""
    found = measured({"y": [30.0], "y-float": [30.004], "y-crop4": [30.008], "y-u8": [30.012]})
    assert letters(found) == {"y": "A", "y-float": "A", "y-crop4": "B", "y-u8": "B"}


def test_infinite_and_undefined_scores() -> None:
    found = measured({"y": [math.inf, 30.0], "y-float": [math.inf, 30.0], "y-yiq": [80.0, 28.0], "rgb": [math.nan, 1]})
    by_name = {row.protocol: row.readings["psnr"] for row in found.rows}
    assert letters(found) == {"y": "A", "y-float": "A", "y-yiq": "B", "rgb": ""}
    assert by_name["y"].mean == 30
    assert by_name["y-yiq"].shifted == -2, "over the images that have a number under both"
    assert math.isnan(by_name["rgb"].mean)
    assert found.rows[-1].protocol == "rgb"


def test_more_than_an_alphabet() -> None:
    names = [f"p{n}" for n in range(30)]
    found = measured({name: [30.0 - n] for n, name in enumerate(names)}, "p0")
    assert list(letters(found).values())[24:28] == ["Y", "Z", "AA", "AB"]
