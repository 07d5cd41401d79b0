"""Images of other sizes than the card's: cropped, reduced and rotated copies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from .conftest import Pictures

Change = Callable[[np.ndarray], np.ndarray]

SIZES = {"108x72": 4, "72x108": 2}  # width first


@pytest.fixture
def mixed(pictures: Pictures) -> Pictures:
    """Four landscapes and two portraits, 5 and 6, and a card that says so."""
    pictures.fields["test_sizes"] = SIZES
    for name in ("r-5", "c-5", "r-6", "c-6"):
        pictures.save(name, np.rot90(pictures.pixels(name)))
    return pictures


def changed(mixed: Pictures, change: Change, numbers: range = range(1, 7)) -> str:
    """The message on images of which these are changed."""
    for number in numbers:
        for name in (f"r-{number}", f"c-{number}"):
            mixed.save(name, change(mixed.pixels(name)))
    problem = mixed.problem()
    assert (problem.kind, problem.files) == ("sizes", ())
    assert problem.message.endswith("; fetch the files that the card names")
    return problem.message


def test_images_of_the_cards_sizes_are_usable(mixed: Pictures) -> None:
    assert mixed.verdict().problems == []
    assert mixed.verdict(test_sizes=None).problems == []


def test_a_border_belongs_to_an_image(mixed: Pictures) -> None:
    """As two portraits of Rain100L have one, of a pixel."""
    for name in ("r-5", "c-5"):
        image = np.array(mixed.pixels(name))
        image[:2], image[-2:], image[:, :2] = 0, 0, 0
        mixed.save(name, image)
    assert mixed.verdict().problems == []


def test_a_cropped_copy(mixed: Pictures) -> None:
    message = changed(mixed, lambda image: image[:-2, :-3])
    assert message.startswith(
        "the test images are 4 of 105x70 and 2 of 69x106; the card says 4 of 108x72 and 2 of 72x108: a cropped copy;"
    )


def test_a_copy_of_which_some_are_cropped(mixed: Pictures) -> None:
    message = changed(mixed, lambda image: image[1:, :], range(2, 3))
    assert message.startswith("the test images are 3 of 108x72, 2 of 72x108 and 1 of 108x71; the card says ")
    assert ": a cropped copy;" in message


def test_a_copy_with_its_portraits_turned(mixed: Pictures) -> None:
    message = changed(mixed, np.rot90, range(5, 7))
    assert "are 6 of 108x72; the card says" in message
    assert ": some are turned by 90 degrees;" in message


def test_a_copy_cropped_and_turned(mixed: Pictures) -> None:
    message = changed(mixed, lambda image: (image if image.shape[0] < image.shape[1] else np.rot90(image))[:-1, :-1])
    assert ": a cropped copy, with some turned by 90 degrees;" in message


def test_a_reduced_copy(mixed: Pictures) -> None:
    assert ": a reduced copy;" in changed(mixed, lambda image: image[::2, ::2])


def test_an_enlarged_copy(mixed: Pictures) -> None:
    assert ": other images, or an enlarged copy;" in changed(mixed, lambda image: image.repeat(2, 0).repeat(2, 1))


def test_sizes_in_great_number_are_counted(mixed: Pictures) -> None:
    for number in range(1, 7):
        for name in (f"r-{number}", f"c-{number}"):
            mixed.save(name, mixed.pixels(name)[number:])
    assert "and 2 sizes more; the card says" in mixed.problem().message


def test_nothing_is_said_of_images_that_are_missing_or_cannot_be_read(mixed: Pictures) -> None:
    mixed.path("r-1").write_bytes(b"")
    assert mixed.problem().kind == "unreadable"
    mixed.path("r-1").unlink()
    assert {each.kind for each in mixed.verdict().problems} == {"count", "orphan"}


def test_the_training_images_have_sizes_of_their_own(mixed: Pictures) -> None:
    layout = {"name": "train", "train": mixed.fields["layouts"][0]["test"]}
    assert mixed.verdict(layouts=[layout], counts={"train": 6}, test_sizes={"9x9": 6}).problems == []
