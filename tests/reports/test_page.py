"""The web page, in a real browser: what it shows, how it is used, and that it loads nothing."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from derainbench.reports.html import html
from derainbench.reports.write import write_report
from playwright.sync_api import Browser, Page, sync_playwright

from derainbench.results import Failure, Results

from .conftest import with_pictures

CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, run_with_pictures: Results) -> str:
    return write_report(run_with_pictures, tmp_path_factory.mktemp("page"), ["html"]).as_uri()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with browser.new_context(viewport={"width": 1200, "height": 900}) as context:
        opened = context.new_page()
        opened.set_default_timeout(5000)
        noise: list[str] = []
        opened.on("console", lambda message: noise.append(message.text))
        opened.on("pageerror", lambda error: noise.append(str(error)))
        opened.on("request", lambda request: noise.append(request.url[:80]) if request.url[:5] != "data:" else None)
        opened.goto(address)
        yield opened
        assert noise == [address], "the page loads itself, says nothing on the console and asks for nothing else"


@needs_browser
def test_the_table_names_its_protocol_and_switches_to_another(page: Page) -> None:
    table = page.locator("#comparison table:visible")
    assert "Protocol y" in table.locator("caption").inner_text()
    assert table.locator("strong.best").first.inner_text() == "32.25"
    assert table.locator(".second").first.inner_text() == "27.25"
    page.get_by_role("radio", name="rgb").check()
    assert "Protocol rgb" in table.locator("caption").inner_text()
    assert table.locator("strong.best").first.inner_text() == "31.00"
    assert page.locator("#dataset-1 .score-left").inner_text() == "25.50 dB · SSIM 0.8125"


@needs_browser
def test_the_slider_follows_mouse_and_keys(page: Page) -> None:
    stage = page.locator("#dataset-1 .stage")
    slider = stage.locator("input")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 40)
    page.mouse.up()
    assert slider.input_value() == "25"
    page.keyboard.press("ArrowRight")
    assert slider.input_value() == "26"
    assert slider.get_attribute("aria-valuetext") == "26 % Rainy input, 74 % PReNet"
    clip = stage.locator(".above").evaluate("picture => getComputedStyle(picture).clipPath")
    assert re.search(r"74%", clip) or "26%" in clip


@needs_browser
def test_every_version_can_stand_on_either_side(page: Page) -> None:
    section = page.locator("#dataset-2")
    versions = section.locator(".choose-right option").all_inner_texts()
    assert versions == ["Rainy input", "identity", "PReNet", "Ground truth"]
    before = section.locator(".below").get_attribute("src")
    section.locator(".choose-right").select_option("Rainy input")
    assert section.locator(".below").get_attribute("src") != before
    section.locator(".choose-left").select_option("Ground truth")
    assert section.locator(".score-left").inner_text() == "reference"
    assert (
        section.locator(".picture").first.evaluate("picture => picture.decode().then(() => picture.naturalWidth)")
        == 128
    )


@needs_browser
@pytest.mark.parametrize("how", ["click", "Enter"])
def test_an_image_of_the_table_opens_in_the_viewer(page: Page, how: str) -> None:
    section = page.locator("#dataset-1")
    button = section.get_by_role("table").get_by_role("button", name="photo-1")
    if how == "click":
        button.click()
    else:
        button.press("Enter")
    assert "2 of 2 · photo-1" in section.locator(".which").inner_text()
    assert section.locator(".score-right").inner_text() == "32.75 dB · SSIM 0.9375"
    assert page.evaluate("document.activeElement.className") == "slider"


@needs_browser
def test_columns_sort_both_ways_and_back(page: Page) -> None:
    table = page.locator("#dataset-1 table:visible")
    names = table.locator("tbody .name")
    header = table.get_by_role("button", name="PSNR of PReNet")
    orders = []
    for _ in range(3):
        header.click()
        orders.append(names.all_inner_texts())
    assert orders == [["photo-1", "photo-0"], ["photo-0", "photo-1"], ["photo-0", "photo-1"]]
    assert table.locator("[aria-sort]").count() == 0


@needs_browser
def test_dark_follows_the_system_and_the_reader_can_overrule_it(page: Page) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(ground)
    assert dark != light
    page.locator("#theme").click()
    assert page.evaluate(ground) == light


@needs_browser
def test_a_narrow_screen_and_paper_lose_nothing_to_the_side(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.emulate_media(media="print")
    assert page.locator("#comparison table:visible").count() == 1
    assert not page.locator("nav").is_visible()


@needs_browser
def test_controls_have_names_and_text_has_contrast(page: Page) -> None:
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        poor = page.evaluate(CONTRAST)
        assert poor == [], scheme
    unnamed = page.evaluate(
        "[...document.querySelectorAll('button, select, input')]"
        ".filter(e => !(e.textContent.trim() && e.tagName === 'BUTTON') && !e.ariaLabel && !e.labels?.length)"
        ".map(e => e.outerHTML)"
    )
    assert unnamed == []


@needs_browser
def test_hostile_names_are_text(browser: Browser, tmp_path: Path) -> None:
    evil = """ <script>alert(1)<\\script> a&b"c.png'{{ 1 }}"""
    run = with_pictures(tmp_path, lambda plain: plain + evil)
    failure = Failure(f"train/{evil}/d/seed0", f"broken {evil}")
    run = Results(run.folder, run.info, run.methods, run.datasets, run.scores, (failure,))
    opened = browser.new_page()
    alarms: list[str] = []
    opened.on("dialog", lambda dialog: alarms.append(dialog.message))
    opened.on("pageerror", lambda error: alarms.append(str(error)))
    opened.goto(write_report(run, tmp_path / "report", ["html"]).as_uri())
    assert evil.strip() in opened.locator("#comparison tbody:visible").inner_text()
    assert evil.strip() in opened.locator("#dataset-1 .which").inner_text()
    assert evil.strip() in opened.locator("#failures").inner_text()
    opened.close()
    assert alarms == []


@needs_browser
def test_what_was_not_kept_is_said_and_breaks_nothing(browser: Browser, tmp_path: Path) -> None:
    run = with_pictures(tmp_path)
    shutil.rmtree(run.folder)
    run.datasets[0].test[0].clean.write_bytes(b"not an image")
    opened = browser.new_page()
    opened.goto(write_report(run, tmp_path / "report", ["html"]).as_uri())
    section = opened.locator("#dataset-1")
    assert section.locator(".absent-right").is_visible()
    assert section.locator(".above").is_visible()
    section.locator(".choose-left").select_option("Ground truth")
    assert section.locator(".absent-left").inner_text() == "not kept"
    opened.close()


def test_the_page_holds_each_picture_once(run_with_pictures: Results) -> None:
    # four photographs: rainy (which identity repeats) and clean (which the fake PReNet restores perfectly)
    assert html(run_with_pictures).count("data:image/webp") == 8


@needs_browser
def test_a_page_without_images_has_the_same_numbers(
    run_with_pictures: Results, tmp_path: Path, browser: Browser
) -> None:
    address = write_report(run_with_pictures, tmp_path / "report", ["html"], images="none")
    text = address.read_text()
    assert "data:image/webp" not in text
    assert "made without the datasets' images" in text
    opened, complaints = browser.new_page(), []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(address.as_uri())
    assert opened.locator(".viewer").count() == 0
    assert opened.locator("section.dataset table").first.is_visible()
    assert complaints == []
    opened.close()


CONTRAST = """
() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
  const ground = (e) => { for (; e; e = e.parentElement) { const c = channels(getComputedStyle(e).backgroundColor);
    if (c.length === 3) return c; } return [255, 255, 255]; };
  return [...document.body.querySelectorAll('*')].filter((e) => e.checkVisibility() && !e.closest('.stage, script')
    && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())).map((e) => {
      const [a, b] = [light(channels(getComputedStyle(e).color)), light(ground(e))];
      return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.outerHTML.slice(0, 80)];
    }).filter(([ratio]) => ratio < 4.5);
}
"""
