"""The photographs inside scikit-image and the depth of the one that was measured."""

from __future__ import annotations

import numpy as np
import pytest

from derainbench.errors import UserError
from derainbench.rain.photographs import PHOTOGRAPHS, fill_holes, measured_depth, photograph


@pytest.mark.parametrize("name", sorted(PHOTOGRAPHS))
def test_photographs_are_colour_scenes(name: str) -> None:
    image = photograph(name)
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert min(image.shape[:2]) >= 300
    assert np.abs(image[..., 0].astype(int) - image[..., 2]).mean() > 5.0


def test_measured_depth_is_whole_and_metric() -> None:
    depth = measured_depth("motorcycle")
    assert depth is not None
    assert depth.shape == photograph("motorcycle").shape[:2]
    assert np.isfinite(depth).all()
    # Focal length times baseline over disparity plus offset, for its extremes 7.19 and 59.91 px.
    assert depth.max() == pytest.approx(994.978 * 0.193001 / (7.1913557 + 31.086), rel=1e-5)
    assert depth.min() == pytest.approx(994.978 * 0.193001 / (59.90896 + 31.086), rel=1e-5)
    assert depth[:100].mean() > depth[-100:].mean()  # the wall behind, the floor in front
    assert measured_depth("coffee") is None


def test_holes_take_the_farther_neighbour() -> None:
    hole = np.nan
    disparity = np.array([[5.0, hole, hole, 2.0, 3.0], [hole, 7.0, hole, 9.0, hole]])
    filled = fill_holes(disparity)
    np.testing.assert_array_equal(filled, [[5.0, 2.0, 2.0, 2.0, 3.0], [7.0, 7.0, 7.0, 9.0, 9.0]])
    with pytest.raises(ValueError, match="no finite value"):
        fill_holes(np.array([[1.0, 2.0], [hole, hole]]))


def test_unknown_photograph() -> None:
    with pytest.raises(UserError, match="did you mean 'coffee'"):
        photograph("cofee")
