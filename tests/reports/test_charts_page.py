"""Figures in a browser: one dataset at a time where there are many, by keyboard too; legible on a telephone."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from derainbench.results.results import Results

from .browsing import browser, opened, write_page  # noqa: F401
from .conftest import Score, dataset, method, results

CHOICE = "#figures-dataset"


def run_of(sets: int) -> Results:
    names = [f"d{n}" for n in range(sets)]
    scores: list[Score] = [
        (name, "untrained" if name == "identity" else tested, 0, tested, f"image {n}", protocol, 30.0 + n + place, 0.9)
        for place, name in enumerate(("identity", "prenet", "nasnet"))
        for tested in names
        for n in range(7)
        for protocol in ("y", "rgb")
    ]
    methods = [
        method("identity", "Rainy input"),
        method("prenet", "PReNet", 168963),
        method("nasnet", "NASNet", 6508931),
    ]
    images = [f"image {n}" for n in range(7)]
    return results(scores, methods, [dataset(name, *images, title=f"Set {name}") for name in names])


@pytest.mark.slow
def test_many_datasets_are_chosen_by_keyboard_under_each_protocol(browser: Browser, tmp_path: Path) -> None:  # noqa: F811
    address = write_page(run_of(5), tmp_path)
    # focus scrolls, and while a smooth scroll lasts the sticky bar moves away from under a click
    with opened(browser, address, reduced_motion="reduce") as page:
        shown = "#figures .of-dataset:visible h3"
        assert page.locator(shown).count() == 1
        page.locator(CHOICE).focus()
        page.keyboard.press("ArrowDown")
        assert page.locator(shown).inner_text().startswith("Set d1")
        page.locator("#protocols label").nth(1).click()
        assert "rgb" in page.locator(shown).inner_text()
        assert page.locator(shown).inner_text().startswith("Set d1")
        page.locator(CHOICE).select_option("")
        assert page.locator(shown).count() == 5
    with opened(browser, address, java_script_enabled=False) as page:
        assert page.locator("#figures .of-dataset:visible h3").count() == 5, "everything without script"
        assert not page.locator(CHOICE).is_visible()


@pytest.mark.slow
def test_on_a_telephone_charts_fit_and_their_text_is_legible(browser: Browser, tmp_path: Path) -> None:  # noqa: F811
    with opened(browser, write_page(run_of(2), tmp_path)) as page:
        page.set_viewport_size({"width": 375, "height": 800})
        page.locator(CHOICE).select_option("")
        assert page.locator("#figures svg:visible").count() == 6
        sizes = page.evaluate(
            """() => [...document.querySelectorAll("#figures svg")].filter((svg) => svg.getBoundingClientRect().width)
            .map((svg) => [svg.getBoundingClientRect().right, svg.getScreenCTM().a * 12])"""
        )
        assert all(right <= 375 and size >= 11 for right, size in sizes)
        assert page.evaluate("document.documentElement.scrollWidth") <= 375


@pytest.mark.slow
def test_words_of_charts_lie_where_the_estimate_of_their_width_says(browser: Browser, tmp_path: Path) -> None:  # noqa: F811
    """No text leaves its picture, and none runs into another, in the fonts of this machine."""
    with opened(browser, write_page(run_of(2), tmp_path)) as page:
        worst = page.evaluate(
            """() => {
              let outside = 0, overlaps = 0;
              for (const svg of document.querySelectorAll("#figures svg")) {
                const view = svg.viewBox.baseVal;
                const boxes = [...svg.querySelectorAll("text")].map((text) => text.getBBox());
                for (const box of boxes) {
                  outside = Math.max(outside, -box.x, box.x + box.width - view.width, box.y + box.height - view.height);
                  for (const other of boxes) {
                    if (box === other) continue;
                    const x = Math.min(box.x + box.width, other.x + other.width) - Math.max(box.x, other.x);
                    const y = Math.min(box.y + box.height, other.y + other.height) - Math.max(box.y, other.y);
                    if (x > 0 && y > 4) overlaps += 1;
                  }
                }
              }
              return [outside, overlaps];
            }"""
        )
        assert worst[0] <= 1
        assert worst[1] == 0
