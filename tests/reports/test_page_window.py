"""A window drawn over an image of the page, and the command that it gives."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from derainbench.reports.page.drawing import figure_command, pixel_sizes
from derainbench.reports.papers.windows import parse_windows
from derainbench.results.results import Results

from .browsing import POOR_CONTRAST, UNLABELLED, browser, opened, write_page  # noqa: F401


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, run_with_pictures: Results) -> str:
    return write_page(replace(run_with_pictures, folder=Path("runs/it's mine")), tmp_path_factory.mktemp("page"))


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:  # noqa: F811
    with opened(browser, address) as shown:
        shown.locator(".viewer .draw-window").first.click()
        yield shown


def command(page: Page) -> list[str]:
    """The words of the command that is shown, as a shell reads them."""
    return shlex.split(page.locator(".viewer .command code").first.inner_text())


def windows(page: Page) -> list[str]:
    """The windows of the command."""
    start, *words = " ".join(command(page)).split(" --window ")
    assert start == "derainbench figure runs/it's mine"
    return words


def test_dragging_draws_the_window_and_the_slider_stays(page: Page, run_with_pictures: Results) -> None:
    viewer = page.locator(".viewer").first
    stage, slider = viewer.locator(".stage"), viewer.locator(".slider")
    stage.scroll_into_view_if_needed()
    before, area = slider.input_value(), stage.bounding_box()
    assert area is not None
    width, height = page.evaluate("report.datasets[0].viewer.sizes[0]")
    for share in ((0.5, 0.6), (0.25, 0.2)):  # from the lower right corner to the upper left one
        page.mouse.move(area["x"] + share[0] * area["width"], area["y"] + share[1] * area["height"])
        page.mouse.down()
    page.mouse.up()
    (word,) = windows(page)
    ((image, box),) = parse_windows([word])
    assert image == f"{run_with_pictures.datasets[0].name}/{page.evaluate('report.datasets[0].images[0]')}"
    exact = (0.25 * width, 0.2 * height, 0.25 * width, 0.4 * height)
    assert (box.x, box.y, box.width, box.height) == pytest.approx(exact, abs=1.6)
    assert slider.input_value() == before
    frame = viewer.locator(".drawn").bounding_box()
    assert frame is not None
    assert frame["width"] == pytest.approx(box.width / width * area["width"], abs=1.5)


def test_the_keyboard_is_enough(page: Page) -> None:
    viewer = page.locator(".viewer").first
    for name, value in (("x", "7"), ("y", "3"), ("width", "11"), ("height", "9")):
        viewer.locator(f".at-{name}").fill(value)
    assert [word.partition(":")[2] for word in windows(page)] == ["7,3,11x9"]
    viewer.locator(".at-x").press("ArrowUp")
    assert [word.partition(":")[2] for word in windows(page)] == ["8,3,11x9"]
    viewer.locator(".at-width").fill("99999")
    viewer.locator(".at-width").press("Tab")
    width = page.evaluate("report.datasets[0].viewer.sizes[0][0]")
    expect(viewer.locator(".at-width")).to_have_value(str(width - 8))
    viewer.locator(".keep-window").press("Enter")
    assert len(windows(page)) == 2
    viewer.locator(".no-windows").press("Enter")
    assert len(windows(page)) == 1
    viewer.locator(".copy").press("Enter")
    expect(viewer.locator(".copied")).to_have_text("Copied")
    viewer.locator(".draw-window").press("Enter")
    expect(viewer.locator(".window")).to_be_hidden()


def test_it_is_labelled_and_can_be_read(page: Page) -> None:
    assert page.evaluate(UNLABELLED) == []
    assert page.evaluate(POOR_CONTRAST) == []


def test_pixels_are_those_of_the_image_not_of_its_copy(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((30, 2000, 3), dtype=np.uint8)).save(tmp_path / "wide.png")
    sources = [tmp_path / "wide.png", tmp_path / "small.png", tmp_path / "gone.png", None]
    assert pixel_sizes(sources, [(1024, 15), (20, 20), (1024, 9), (1024, 9)]) == {0: (2000, 30)}
    assert figure_command(Path("/home/somebody/runs/a b")) == "derainbench figure 'a b'"
    assert figure_command(Path("runs/a"), "--photos", "x") == "derainbench figure runs/a --photos x"
