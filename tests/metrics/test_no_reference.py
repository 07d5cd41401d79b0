"""NIQE and BRISQUE against the authors' code, run in Octave, and against what else measures under their names."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from derainbench.engine.metric_conformance import noisy, scene
from derainbench.metrics.brisque import brisque
from derainbench.metrics.brisque_opencv import brisque_opencv
from derainbench.metrics.natural_scenes import asymmetric_fit, grey, halved, symmetric_fit
from derainbench.metrics.niqe import niqe, niqe_y

Measure = Callable[[NDArray[np.uint8]], float]

#: The implementation that each is held to, and by how much it may differ: what is inherent is said beside it.
GOLDEN: dict[str, tuple[Measure, str, str, float]] = {
    # the covariance of 15 blocks with 36 features is singular, and its pseudo-inverse amplifies ties
    "niqe": (niqe, "niqe", "utlive/niqe official MATLAB code, Octave", 0.005),
    "niqe-y": (niqe_y, "niqe", "BasicSR calculate_niqe, convert_to=y (default)", 0.005),
    # the official programs pass each other texts of six digits
    "brisque": (brisque, "brisque", "utlive/BRISQUE official MATLAB code, Octave and svm-predict", 0.001),
    "brisque-opencv": (brisque_opencv, "brisque", "HQ-RAIN score/brisque", 0.01),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_as_authors_measure_real_photographs(name: str, shared: Path) -> None:
    measure, metric, implementation, tolerance = GOLDEN[name]
    golden = json.loads((shared / "golden/no_reference.json").read_text())["values"]
    found = {}
    for image, values in golden.items():
        path = shared / "data" / image
        if path.is_file():
            with Image.open(path) as file:
                levels = np.asarray(file.convert("RGB"))
            found[image] = abs(measure(levels) - values[metric][implementation])
    assert len(found) == 12
    assert max(found.values()) <= tolerance, found


def test_two_numbers_stand_under_each_name() -> None:
    """By far more than an implementation may differ from its own definition: they need names of their own."""
    image = noisy(scene(240, 320), 5)
    assert abs(niqe(image) - niqe_y(image)) > 0.02
    assert abs(brisque(image) - brisque_opencv(image)) > 0.5


@pytest.mark.parametrize(
    ("measure", "size"), [(niqe, (96, 191)), (niqe, (95, 400)), (niqe_y, (96, 96)), (brisque, (3, 50))]
)
def test_too_small_images_have_none(measure: Measure, size: tuple[int, int]) -> None:
    with pytest.warns(UserWarning, match=r"undefined \(NaN\) for an image of \d+x\d+ px"):
        assert math.isnan(measure(scene(*size)))


@pytest.mark.parametrize("measure", [niqe, niqe_y, brisque, brisque_opencv])
@pytest.mark.parametrize("level", [0, 7, 255])
def test_flat_images_have_none(measure: Measure, level: int) -> None:
    with pytest.warns(UserWarning, match=r"undefined \(NaN\)"):
        assert math.isnan(measure(np.full((192, 192, 3), level, np.uint8)))


def test_flat_blocks_are_left_out() -> None:
    image = noisy(scene(192, 288), 5)
    image[:96, :96] = 0
    assert math.isfinite(niqe(image))


def test_grey_levels_are_matlabs() -> None:
    """rgb2gray of the primaries, and a tie that goes up."""
    image = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [7, 7, 7]]], np.uint8)
    assert grey(image).tolist() == [[76, 150, 29, 255, 7]]


def test_halves_are_imresizes() -> None:
    """A ramp stays one inside; a constant stays; odd sides are rounded up."""
    ramp = np.tile(np.arange(40.0), (21, 1))
    half = halved(ramp)
    assert half.shape == (11, 20)
    np.testing.assert_allclose(half[5, 3:-3], np.arange(20)[3:-3] * 2 + 0.5, atol=1e-12)
    np.testing.assert_allclose(halved(np.full((9, 7), 3.0)), 3.0, atol=1e-12)


def test_fits_find_the_shape_of_what_was_drawn() -> None:
    random = np.random.default_rng(0)
    gaussian, laplacian = random.normal(0, 2, 200_000), random.laplace(0, 1, 200_000)
    assert symmetric_fit(gaussian)[0] == pytest.approx(2, abs=0.05)
    assert symmetric_fit(gaussian)[1] == pytest.approx(4, rel=0.02)
    assert symmetric_fit(laplacian)[0] == pytest.approx(1, abs=0.03)
    magnitude = np.abs(gaussian)  # the density is continuous: three times as wide on the right, three times as often
    shape, left, right = asymmetric_fit(np.where(random.random(200_000) < 0.25, -magnitude, 3 * magnitude))
    assert shape == pytest.approx(2, abs=0.05)
    assert right / left == pytest.approx(3, rel=0.02)
