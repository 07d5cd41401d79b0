"""The page of photographs without ground truth: sliders, by mouse and keyboard, wide and narrow; what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser

from derainbench.metrics.kinds import Metric
from derainbench.photographs.find import find_photographs
from derainbench.photographs.restored import Method, NoReferenceScore, Restored
from derainbench.reports.page.photographs import NO_PROOF, photographs_html
from derainbench.reports.page.pictures import NoPictures, Pictures
from derainbench.reports.photographs import write_page

from .browsing import POOR_CONTRAST, UNLABELLED, browser, opened  # noqa: F401

METHODS = (
    Method(
        "prenet@rain100l", "PReNet (published weights rain100l)", 168963, "rain100l", "https://a.example", "ab" * 32
    ),
    Method("dark[by=0.25]", "Dark (by=0.25)", 0, "untrained"),
    Method("spanet", "SPANet", 283716, "", "file w.pth", "cd" * 32),
)
LEVELS = {"": 200, "prenet@rain100l": 120, "dark[by=0.25]": 50, "spanet": 190}
NAMES = ("1.png", "street/2 wide.jpg", """<b>&"evil'.png""")


def save(path: Path, level: int, size: tuple[int, int]) -> None:
    """An image of one grey."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (level, level, level)).save(path)


@pytest.fixture(scope="module")
def restored(tmp_path_factory: pytest.TempPathFactory) -> Restored:
    """Three photographs and three methods: one photograph is broken, one method failed on another."""
    folder = tmp_path_factory.mktemp("restored")
    for number, name in enumerate(NAMES):
        save(folder / "in" / name, LEVELS[""] - number, (60, 40) if number else (40, 60))
    (folder / "in" / "broken.png").write_text("rain")
    found = find_photographs([folder / "in"], folder / "out")
    broken = {"broken.png": "broken.png cannot be read as an image; restore it"}
    failed = {("spanet", NAMES[1]): "RuntimeError: too wide"}
    made = Restored("in", folder / "out", found.photographs, METHODS, broken, failed, ("notes.txt",), {"Tiles": "auto"})
    for photograph in made.photographs:
        for method in METHODS:
            if photograph.name not in broken and (method.name, photograph.name) not in failed:
                with Image.open(photograph.path) as image:
                    save(made.file(method, photograph), LEVELS[method.name], image.size)
    return made


@pytest.fixture(scope="module")
def address(restored: Restored) -> str:
    """Where the page is."""
    return write_page(restored, "embed").as_uri()


GREY_OF = """
picture => picture.decode().then(() => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [1, 1];
  canvas.getContext("2d").drawImage(picture, 0, 0, 1, 1);
  return canvas.getContext("2d").getImageData(0, 0, 1, 1).data[0];
})
"""


def test_every_pair_of_photograph_and_methods_can_be_compared(browser: Browser, address: str) -> None:  # noqa: F811
    labels = ["Photograph", "PReNet", "Dark", "SPANet"]
    with opened(browser, address) as page:
        assert page.locator(".choose-left option").all_inner_texts() == labels
        assert page.locator("img.above").evaluate(GREY_OF) == pytest.approx(200, abs=3)
        assert page.locator("img.below").evaluate(GREY_OF) == pytest.approx(120, abs=3)
        for left, right in ((1, 2), (2, 3), (3, 0)):
            page.locator(".choose-left").select_option(str(left))
            page.locator(".choose-right").select_option(str(right))
            levels = list(LEVELS.values())
            assert page.locator("img.above").evaluate(GREY_OF) == pytest.approx(levels[left], abs=3)
            assert page.locator("img.below").evaluate(GREY_OF) == pytest.approx(levels[right], abs=3)
        assert not page.locator(".read").is_visible(), "nothing was scored"


def test_by_keyboard_alone(browser: Browser, address: str) -> None:  # noqa: F811
    with opened(browser, address) as page:
        slider = page.locator(".slider")
        slider.focus()
        page.keyboard.press("ArrowRight")
        assert slider.input_value() == "51"
        assert slider.get_attribute("aria-valuetext") == "51 % Photograph, 49 % PReNet"
        page.locator(".next").focus()
        page.keyboard.press("Enter")
        assert NAMES[2] in page.locator(".which").inner_text(), "< sorts before letters"
        page.keyboard.press("Enter")
        assert "2 wide.jpg" in page.locator(".which").inner_text()
        page.locator(".choose-right").focus()
        page.keyboard.press("End")
        assert page.locator(".absent-right").inner_text() == "not restored"
        assert not page.locator(".absent-left").is_visible()


def test_what_was_changed(browser: Browser, address: str) -> None:  # noqa: F811
    with opened(browser, address) as page:
        page.get_by_role("button", name="What was changed").click()
        page.wait_for_selector("canvas.below[data-drawn]")
        changed = page.locator("canvas.below").evaluate("c => c.getContext('2d').getImageData(5, 5, 1, 1).data[0]")
        assert changed == pytest.approx(LEVELS[""] - LEVELS["prenet@rain100l"], abs=4)
        assert not page.locator("canvas.above").is_visible(), "the photograph itself stays to be seen"


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_window(browser: Browser, address: str, width: int) -> None:  # noqa: F811
    with opened(browser, address) as page:
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate(UNLABELLED) == []
        for theme in ("light", "dark"):
            page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
            assert page.evaluate(POOR_CONTRAST) == []


def test_the_files_are_where_the_page_says(browser: Browser, address: str, restored: Restored) -> None:  # noqa: F811
    with opened(browser, address) as page:
        links = page.locator("#files a").evaluate_all("links => links.map(link => decodeURIComponent(link.pathname))")
        assert len(links) == 8
        assert all(Path(link).is_file() for link in links)
        assert page.locator("#files .failed").all_inner_texts().count("left out") == 3
        assert "RuntimeError: too wide" in page.locator("#failures").inner_text()
        assert "notes.txt" in page.locator("#files").inner_text()
        assert "–" not in page.locator("#methods").inner_text()


def test_no_reference_scores_stand_under_their_warning(
    browser: Browser,  # noqa: F811
    restored: Restored,
    tmp_path: Path,
) -> None:
    """A made-up metric: the photographs, as read, in the order of their names."""
    assert NO_PROOF not in photographs_html(restored, NoPictures())
    names = [photograph.name for photograph in restored.photographs]
    score: Callable[[float], tuple[float | None, ...]] = lambda base: tuple(  # noqa: E731
        None if name == "broken.png" else base + number for number, name in enumerate(names)
    )
    methods = {method.name: score(5 + number) for number, method in enumerate(METHODS)}
    partly = tuple(None if name == NAMES[1] else value for name, value in zip(names, methods["spanet"], strict=True))
    odd = NoReferenceScore(Metric("odd", "ODD", "", 1, higher_is_better=False), score(9), methods | {"spanet": partly})
    (tmp_path / "index.html").write_text(photographs_html(replace(restored, scores=(odd,)), Pictures()))
    with opened(browser, (tmp_path / "index.html").as_uri()) as page:
        section = page.locator("#scores")
        assert NO_PROOF in section.inner_text()
        assert "lower is better" in section.inner_text()
        used = [number for number, value in enumerate(partly) if value is not None]
        assert section.locator("tbody td").all_inner_texts() == [
            f"{base + np.mean(used):.1f}" for base in (9, 5, 6, 7)
        ], "over the photographs that all have a score of"
        assert page.locator(".score-left").inner_text() == f"ODD {9 + names.index('1.png'):.1f}"


def test_without_pictures_or_photographs_it_says_so(restored: Restored) -> None:
    assert "made without pictures" in photographs_html(restored, NoPictures())
    none = replace(restored, broken={photograph.name: "gone" for photograph in restored.photographs})
    assert "No photograph could be shown." in photographs_html(none, Pictures())
    room = Pictures(budget=1)
    assert "Pictures of 1 of 3 photographs are in this page" in photographs_html(restored, room)
