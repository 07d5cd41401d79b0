"""The web page, in a real browser: what it shows, how it is used, and that it loads nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from derainbench.efficiency.record import EfficiencyRecord
from derainbench.reports.published.shipped import paper_tables
from derainbench.results.results import Results

from .browsing import POOR_CONTRAST, UNLABELLED, browser, opened, write_page  # noqa: F401
from .test_costs import efficiency  # noqa: F401


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, run_with_pictures: Results) -> str:
    return write_page(run_with_pictures, tmp_path_factory.mktemp("page"))


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:  # noqa: F811
    with opened(browser, address) as shown:
        yield shown


#: What somebody could put into a page whose text was not escaped.
INJECTED = """<style>main { display: none }</style><p id="planted" style="display: none">planted</p>
<script>window.ran = "script"</script><img src="data:," onerror="window.ran = 'attribute'"><base href="https://example.org/">
<svg onload="window.ran = 'svg'"></svg></body>"""


def test_nothing_runs_but_what_the_page_came_with(browser: Browser, tmp_path: Path, address: str) -> None:  # noqa: F811
    """Its own style and script do, by their hashes, which every other test of it shows; others do not."""
    text = (Path(address.removeprefix("file://"))).read_text(encoding="utf-8")
    assert "unsafe" not in text[: text.index("<style>")]
    assert not re.search(r"<[^>]* style=", text.partition("</style>")[2].partition("<script")[0])
    (tmp_path / "planted.html").write_text(text.replace("</body>", INJECTED), encoding="utf-8")
    with browser.new_context() as context:
        page = context.new_page()
        refused: list[str] = []
        page.on("console", lambda message: refused.append(message.text))
        page.goto((tmp_path / "planted.html").as_uri())
        assert page.evaluate("window.ran") is None
        assert page.locator("main").is_visible()
        assert page.locator("#planted").is_visible()
        assert page.evaluate("document.baseURI").startswith("file:")
        assert len([line for line in refused if "Content Security Policy" in line]) == 6, refused


def test_places_of_windows_and_digits_need_no_style_attribute(
    browser: Browser,  # noqa: F811
    tmp_path: Path,
    run_with_pictures: Results,
) -> None:
    """The frame lies in its image, and a number with two digits less ends before the others."""
    address = write_page(run_with_pictures, tmp_path, published=paper_tables(["nasnet"]))
    with opened(browser, address) as page:
        page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
        for plate in page.locator(".plate").all():
            whole, frame = (plate.locator(each).bounding_box() for each in (".whole", ".frame"))
            assert whole is not None
            assert frame is not None
            assert whole["width"] / whole["height"] == pytest.approx(128 / 96, rel=0.02)
            assert frame["width"] == pytest.approx(whole["width"] * 48 / 128, abs=5)
            assert whole["x"] - 2 <= frame["x"] <= whole["x"] + whole["width"] - frame["width"] + 2
            columns = plate.locator(".pieces").evaluate(
                "e => getComputedStyle(e).gridTemplateColumns.split(' ').length"
            )
            assert columns == plate.locator(".pieces > li").count() == 3
        padding = "e => parseFloat(getComputedStyle(e).paddingRight)"
        short, whole_digits = page.locator("td.short-2").first, page.locator("td.published:not([class*=short])").first
        assert short.evaluate(padding) > whole_digits.evaluate(padding) + 4


def test_the_table_names_its_protocol_and_switches_to_another(page: Page) -> None:
    table = page.locator("#comparison table:visible")
    assert "Protocol y" in table.locator("caption").inner_text()
    assert table.locator("strong.best").first.inner_text() == "32.25"
    assert table.locator(".second").first.inner_text() == "27.25"
    page.get_by_role("radio", name="rgb").check()
    assert "Protocol rgb" in table.locator("caption").inner_text()
    assert table.locator("strong.best").first.inner_text() == "31.00"
    section = page.locator("#dataset-1")
    assert section.locator(".score-left").inner_text() == "25.50 dB · SSIM 0.8125"
    assert section.locator("caption").inner_text().split() == ["Every", "image", "protocol", "rgb"]
    rows = section.locator("tbody tr")
    assert rows.first.inner_text().split() == (
        ["photo-0", "25.50", "second", "best", "0.8125", "second", "best", "30.50", "best", "0.9375", "best"]
    )


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
    clip = stage.locator(".above").first.evaluate("picture => getComputedStyle(picture).clipPath")
    assert re.search(r"74%", clip) or "26%" in clip


def test_every_version_can_stand_on_either_side(page: Page) -> None:
    section = page.locator("#dataset-2")
    versions = section.locator(".choose-right option").all_inner_texts()
    assert versions == ["Rainy input", "PReNet", "Ground truth"]
    below = section.locator("img.below")
    before = below.get_attribute("src")
    section.locator(".choose-right").select_option("Rainy input")
    assert below.get_attribute("src") != before
    section.locator(".choose-left").select_option("Ground truth")
    assert section.locator(".score-left").inner_text() == "reference"
    section.scroll_into_view_if_needed()
    assert below.evaluate("picture => picture.decode().then(() => picture.naturalWidth)") == 128


@pytest.mark.parametrize("how", ["click", "Enter"])
def test_an_image_of_the_table_opens_in_the_viewer(page: Page, how: str) -> None:
    section = page.locator("#dataset-1")
    button = section.get_by_role("table").get_by_role("button", name="photo-1")
    if how == "click":
        button.click()
    else:
        button.press("Enter")
    expect(section.locator(".which")).to_contain_text("2 of 2 · photo-1")
    assert section.locator(".score-right").inner_text() == "32.75 dB · SSIM 0.9375"
    assert page.evaluate("document.activeElement.className") == "slider"
    assert section.locator("tr.shown").get_attribute("data-image") == "1"


@pytest.mark.parametrize("how", ["click", "Enter"])
def test_columns_sort_both_ways_and_back(page: Page, how: str) -> None:
    table = page.locator("#dataset-1 table:visible")
    names = table.locator("tbody .name")
    header = table.get_by_role("button", name="PSNR of PReNet")
    seen = []
    for _ in range(3):
        header.click() if how == "click" else header.press("Enter")
        sort = table.locator("[aria-sort]")
        seen.append((sort.get_attribute("aria-sort") if sort.count() else None, names.all_inner_texts()))
    assert seen == [
        ("descending", ["photo-1", "photo-0"]),
        ("ascending", ["photo-0", "photo-1"]),
        (None, ["photo-0", "photo-1"]),
    ]


def test_the_comparison_sorts(page: Page) -> None:
    table = page.locator("#comparison table:visible")
    table.get_by_role("button", name="PSNR dB on Streaks").click()
    assert table.locator("tbody .name > span").all_inner_texts() == ["PReNet", "identity"]


def test_a_sort_outlives_another_protocol(page: Page) -> None:
    page.locator("#comparison table:visible").get_by_role("button", name="PSNR dB on Streaks").click()
    images = page.locator("#dataset-1 table.images")
    images.get_by_role("button", name="PSNR of PReNet").click()
    page.get_by_role("radio", name="rgb").check()
    table = page.locator("#comparison table:visible")
    assert "Protocol rgb" in table.locator("caption").inner_text()
    sorted_by = table.locator("[aria-sort]")
    assert (sorted_by.get_attribute("aria-sort"), sorted_by.get_attribute("data-column")) == ("descending", "2")
    assert table.locator("tbody .name > span").all_inner_texts() == ["PReNet", "identity"]
    assert images.locator("[aria-sort]").get_attribute("aria-sort") == "descending"
    assert images.locator("tbody .name").all_inner_texts() == ["photo-1", "photo-0"]
    for order in (["identity", "PReNet"], ["identity", "PReNet"]):  # reversed, then as it was
        table.get_by_role("button", name="PSNR dB on Streaks").click()
        assert table.locator("tbody .name > span").all_inner_texts() == order
    page.get_by_role("radio", name="y", exact=True).check()
    assert page.locator("#comparison table:visible [aria-sort]").count() == 0


def test_a_filter_without_a_match_says_so(page: Page) -> None:
    field = page.get_by_label("Methods")
    field.fill("nothing like it")
    for where in ("#comparison table:visible", "#dataset-1 table.images"):
        assert page.locator(f"{where} tbody tr:visible").all_inner_texts() == ["No method matches."]
    assert page.locator("#method-count").inner_text().startswith("0 of 2 methods")
    field.fill("")
    assert page.locator("#comparison table:visible tbody tr").count() == 2
    assert page.locator("#dataset-1 table.images tbody tr").count() == 2


def test_methods_and_datasets_can_be_filtered(page: Page) -> None:
    field = page.get_by_label("Methods")
    field.fill("PRE")
    assert page.locator("#comparison tbody tr:visible .name > span").all_inner_texts() == ["PReNet"]
    assert page.locator("#method-count").inner_text().startswith("1 of 2 methods")
    images = page.locator("#dataset-1 table.images")
    assert images.locator(".group:visible").all_inner_texts() == ["PReNet"]
    assert images.locator("tbody tr").first.locator("td").count() == 2
    field.fill("nothing like it, identity")
    assert page.locator("#comparison tbody tr:visible .name > span").all_inner_texts() == ["identity"]
    field.fill("")
    assert page.locator("#comparison tbody tr:visible").count() == 2
    page.get_by_role("checkbox", name="Streaks").uncheck()
    table = page.locator("#comparison table:visible")
    assert table.locator(".group:visible").all_inner_texts() == ["Drops"]
    assert table.locator("tbody tr").first.locator("td:visible").count() == 3  # parameters, PSNR, SSIM


def test_images_can_be_filtered_and_what_is_left_is_said(page: Page) -> None:
    section = page.locator("#dataset-2")
    section.get_by_label("Images").fill("1")
    assert section.locator("tbody .name").all_inner_texts() == ["photo-1"]
    count = section.locator(".filters .count")
    assert (count.inner_text(), count.get_attribute("aria-live")) == ("1 of 2 images", "polite")
    section.get_by_label("Images").fill("none such")
    assert section.locator("tbody tr").all_inner_texts() == ["No image matches."]
    assert count.inner_text() == "0 of 2 images"


def test_error_maps_show_the_difference_from_the_truth(page: Page) -> None:
    section = page.locator("#dataset-1")
    button = section.get_by_role("button", name="Error maps")
    button.focus()
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-pressed") == "true"
    page.wait_for_selector("#dataset-1 canvas.above[data-drawn]")
    page.wait_for_selector("#dataset-1 canvas.below[data-drawn]")
    largest = """canvas => {
      const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
      return Math.max(...pixels.filter((_, n) => n % 4 < 3));
    }"""
    assert section.locator("canvas.above").evaluate(largest) > 40  # streaks of 60 grey levels
    assert section.locator("canvas.below").evaluate(largest) == 0  # this fake PReNet restores perfectly
    assert "64 or more of 255 grey levels" in section.locator(".scale").inner_text()
    button.click()
    assert not section.locator("canvas.above").is_visible()


def test_dark_follows_the_system_and_the_reader_can_overrule_it(page: Page) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(ground)
    assert dark != light
    page.locator("#theme").click()
    assert page.evaluate(ground) == light


def test_a_narrow_screen_loses_nothing_to_the_side(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    for link in page.locator("nav a").all():
        link.click()
        assert page.locator(link.get_attribute("href") or "none").is_visible()


def test_paper_has_the_tables_and_no_controls(page: Page) -> None:
    page.emulate_media(media="print")
    assert page.locator("#comparison table.comparison:visible").count() == 1
    assert page.locator("#dataset-1 table.images tbody tr:visible").count() == 2
    for control in ("nav", ".field", ".checks", ".film-side", ".errors", ".more", "#theme"):
        assert page.locator(control).filter(visible=True).count() == 0, control
    alone = "what => getComputedStyle(document.querySelector(what)).breakAfter"
    for head in ("h2", "h3", "#comparison .filters", "caption", "thead", "figcaption", ".matrix-words", ".findings"):
        assert page.evaluate(alone, head) == "avoid", f"{head} may end a page"
    folds = "Array.from(document.querySelectorAll('details.fold'), (fold) => fold.open)"
    before = page.evaluate(folds)
    assert False in before
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert all(page.evaluate(folds)), "paper has no folds"
    assert page.locator("#figures .of-protocol:visible .of-dataset:visible").count() == 2
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(folds) == before
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_controls_have_names_and_text_has_contrast(
    browser: Browser,  # noqa: F811
    tmp_path: Path,
    run_with_pictures: Results,
    efficiency: EfficiencyRecord,  # noqa: F811
) -> None:
    """In every section that a page can have."""
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    address = write_page(run_with_pictures, tmp_path, published=paper_tables(["nasnet"]), efficiency=efficiency)
    with opened(browser, address, reduced_motion="reduce") as page:
        page.locator("#dataset-1 .show-errors").click()
        page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
        assert page.locator("#published table:visible").count() == 9
        assert page.locator("#efficiency table:visible").count() == 2
        for scheme in schemes:
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate(POOR_CONTRAST) == [], scheme
        assert page.evaluate(UNLABELLED) == []


def test_the_first_line_names_what_was_compared(page: Page) -> None:
    words = "Single-image deraining by PReNet, on Streaks and Drops: 4 test images."
    assert page.locator(".lede").inner_text() == words, "the rainy input is no method"
