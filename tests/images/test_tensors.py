"""Arrays to tensors and back, byte for byte."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from derainbench.images.tensors import to_array, to_tensor

#: 5 rows of 7 pixels, all different.
RGB = (np.arange(5 * 7 * 3).reshape(5, 7, 3) * 2).astype(np.uint8)


def test_tensors_and_arrays() -> None:
    tensor = to_tensor(RGB)
    assert tensor.shape == (3, 5, 7)
    assert tensor.dtype == torch.float32
    assert float(tensor[2, 4, 6]) == pytest.approx(RGB[4, 6, 2] / 255)
    np.testing.assert_array_equal(to_array(tensor), RGB)


def test_an_array_is_clamped_and_rounded() -> None:
    levels = torch.tensor([-0.5, 0.0, 0.49 / 255, 0.51 / 255, 254.49 / 255, 1.0, 7.0])
    assert to_array(levels.expand(3, 1, 7))[0, :, 0].tolist() == [0, 0, 0, 1, 254, 255, 255]
