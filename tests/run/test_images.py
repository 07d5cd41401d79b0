"""Restored images that are not kept: the same scores, in less room."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from derainbench.engine.kept_images import SOME, kept_images

from .conftest import Workshop, save

Refused = Callable[..., AbstractContextManager[None]]


def scores_and_images(run: Path) -> tuple[dict[str, bytes], dict[str, int]]:
    """Of each evaluation of a run, its scores and the number of its images."""
    cells = [path.parent for path in run.glob("eval/**/scores.parquet")]
    names = {cell: cell.relative_to(run).as_posix() for cell in cells}
    return (
        {names[cell]: (cell / "scores.parquet").read_bytes() for cell in cells},
        {names[cell]: len(list(cell.glob("images/*.png"))) for cell in cells},
    )


@pytest.fixture
def twenty(workshop: Workshop) -> Workshop:
    """A workshop whose test set has twenty pairs."""
    random = np.random.default_rng(1)
    for number in range(18):
        clean = random.integers(30, 200, (16, 16, 3), dtype=np.uint8)
        for kind, image in (("clean", clean), ("rainy", clean + np.uint8(20))):
            save(workshop.folder / "data" / "test" / kind / f"s{number}.png", image)
    return workshop


def test_images_are_kept_as_asked_and_scores_do_not_depend_on_it(twenty: Workshop) -> None:
    def run(out: str, **more: str) -> tuple[dict[str, bytes], dict[str, int]]:
        done = twenty(twenty.arguments("identity", out, baseline="none", **more))
        assert done.returncode == 0, done.stderr
        return scores_and_images(twenty.folder / out)

    scores, images = run("all")
    assert set(images.values()) == {20}
    for word, count in (("none", 0), ("some", SOME), ("all", 20)):  # each has the next evaluated again
        assert run("asked", images=word) == (scores, dict.fromkeys(images, count))
    assert run("asked", images="none")[1] == images, "what was kept stays"
    assert run("asked")[1] == images


def test_a_finished_evaluation_is_left_alone_unless_images_are_asked_for(workshop: Workshop) -> None:
    arguments = workshop.arguments("identity", baseline="none")
    assert workshop([*arguments, "--images", "none"]).returncode == 0
    assert "0 done, 1 kept" in workshop(arguments).stdout
    assert "1 done, 0 kept" in workshop([*arguments, "--images", "some"]).stdout
    assert "0 done, 1 kept" in workshop([*arguments, "--images", "all"]).stdout


@pytest.mark.slow
def test_a_page_shows_the_images_that_are_there(twenty: Workshop) -> None:
    assert twenty(twenty.arguments(out="some", images="some")).returncode == 0
    assert twenty(["report", "some"]).returncode == 0
    page = (twenty.folder / "some" / "report" / "index.html").read_text()
    assert page.count('class="plate"') == 2
    assert twenty(twenty.arguments(out="none", images="none")).returncode == 0
    assert twenty(["report", "none"]).returncode == 0
    assert 'class="plate"' not in (twenty.folder / "none" / "report" / "index.html").read_text()


def test_a_word_that_is_none_of_the_three_is_refused(workshop: Workshop) -> None:
    done = workshop(workshop.arguments("identity", images="few"))
    assert done.returncode == 2
    assert "--images 'few': give none, some (12 of each test set) or all" in done.stderr
    assert not (workshop.folder / "run").exists()


@given(st.integers(0, 3000))
def test_some_are_spread_from_the_first_to_the_last(count: int) -> None:
    places = kept_images("some", count)
    assert len(places) == min(count, SOME)
    assert places <= kept_images("all", count) == frozenset(range(count))
    if count:
        assert {0, count - 1} <= places
    gaps = np.diff(sorted(places))
    assert not gaps.size or gaps.max() - gaps.min() <= 1
