"""Images under the wrong names are told by the scene that they show."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

from derainbench.catalogue.locate import Dataset
from derainbench.restored.fit import check_fit
from derainbench.restored.images import RestoredImages, find_images
from derainbench.restored.row import Row
from tests.restored.conftest import SaveImage, restored, scene


def images(
    dataset: Dataset, folder: Path, save: SaveImage, content: Callable[[int], np.ndarray] = restored
) -> RestoredImages:
    """Twelve images by number, found again."""
    for number in range(1, 13):
        save(folder / f"{number}.png", content(number))
    return find_images(Row("mine", folder), dataset)


def test_images_of_their_own_pairs_fit(twelve: Dataset, tmp_path: Path, save_image: SaveImage) -> None:
    assert check_fit(images(twelve, tmp_path / "out", save_image)) == ""


def test_names_that_are_shifted_by_one_are_refused(
    twelve: Dataset, tmp_path: Path, save_image: SaveImage, refused: Callable[..., AbstractContextManager[None]]
) -> None:
    found = images(twelve, tmp_path / "out", save_image, lambda number: restored(number % 12 + 1))
    with refused("12 of 12 images", "1.png, paired with 001, that of 002", "shifted"):
        check_fit(found)


def test_two_exchanged_images_are_said(twelve: Dataset, tmp_path: Path, save_image: SaveImage) -> None:
    exchanged = {3: 4, 4: 3}
    found = images(twelve, tmp_path / "out", save_image, lambda number: restored(exchanged.get(number, number)))
    assert "2 of 12 images" in check_fit(found)
    assert "3.png, paired with 003, that of 004" in check_fit(found)


def test_a_bad_method_is_not_taken_for_a_wrong_name(twelve: Dataset, tmp_path: Path, save_image: SaveImage) -> None:
    """Black, inverted brightness of half, and grey images: poor, but of no other pair."""

    def poor(number: int) -> np.ndarray:
        return [scene(number) // 8, np.zeros_like(scene(number)), np.full_like(scene(number), 128)][number % 3]

    assert check_fit(images(twelve, tmp_path / "out", save_image, poor)) == ""
