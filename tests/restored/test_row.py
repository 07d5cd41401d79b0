"""What a row of restored images is called, in words of the command line."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from derainbench.plugins.names import parse_name
from derainbench.restored.row import Row, is_row, named_row, row_of

Refused = Callable[..., AbstractContextManager[None]]


def test_words_among_methods() -> None:
    assert row_of("images[folder=results/Restormer]") == Row("Restormer", Path("results/Restormer"))
    given = row_of("images[folder=a b/c, name=mine, pattern=x/{id:d}_{n}.png]")
    assert given == Row("mine", Path("a b/c"), "x/{id:d}_{n}.png")
    assert parse_name(given.name).base == "images"
    assert [is_row(word) for word in ("images[folder=x]", "images", "imagesnet", "prenet")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("images", "does not say where"),
        ("images[]", "''"),
        ("images[name=x]", "does not say where"),
        ("images[folder=x,folder=y]", "'folder=y'"),
        ("images[folder=x,title=y]", "'title=y'"),
        ("images[folder=x]@tag", "does not say where"),
        ("images[folder=a b]", "'a b'"),
    ],
)
def test_words_that_mean_nothing(refused: Refused, word: str, said: str) -> None:
    with refused(said, "images[" if "a b" not in word else "name=NAME"):
        row_of(word)


@pytest.mark.parametrize("label", ["", "..", ".x", "-x", "a/b", "a b", "a[b]", "x" * 101, "é" * 51, "a\n"])
def test_a_name_is_part_of_a_folders(refused: Refused, label: str) -> None:
    with refused("cannot be called", "--title"):
        Row(label, Path())


@pytest.mark.parametrize("wrong", [{"trained_on": ".."}, {"parameters": 0}, {"parameters": 10**20}, {"title": "a\nb"}])
def test_descriptions_that_cannot_be(refused: Refused, wrong: dict[str, object]) -> None:
    with refused("--" + next(iter(wrong)).replace("_", "-")):
        Row("mine", Path(), **wrong)  # type: ignore[arg-type]


def test_names_with_folders(refused: Refused) -> None:
    assert named_row("mine=a=b/c") == ("mine", Path("a=b/c"))
    for word in ("mine", "=x", "mine="):
        with refused("NAME=FOLDER"):
            named_row(word)
