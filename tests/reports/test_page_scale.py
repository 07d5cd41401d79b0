"""A run of thousands of images: the page holds numbers as data, makes few rows of them, and finds every one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from benchmarks.synthetic_run import Size, write_run
from derainbench.reports.content import content
from derainbench.reports.page.html import html
from derainbench.reports.page.pictures import NoPictures
from derainbench.results.load import load_run

from .browsing import POOR_CONTRAST, UNLABELLED, browser, opened  # noqa: F401

ELEMENTS = "document.querySelectorAll('*').length"


def written(folder: Path, size: Size) -> Path:
    """The page of a made-up run."""
    page = folder / "index.html"
    page.write_text(html(content(load_run(write_run(folder / "run", size))), NoPictures()), encoding="utf-8")
    return page


@pytest.mark.slow
def test_of_a_thousand_images_few_are_rows_and_all_are_found(tmp_path: Path, browser: Browser) -> None:  # noqa: F811
    size = Size(images=1000, methods=3, datasets=1, seeds=2, protocols=("y",))
    with opened(browser, written(tmp_path, size).as_uri()) as page:
        section = page.locator("#dataset-1")
        # text, not inner text: what is far from the screen is not laid out
        rows = section.locator("tbody tr")
        count = section.locator(".filters .count")
        assert (rows.count(), count.text_content()) == (50, "1,000 images, 50 shown")
        section.get_by_role("button", name="Show 200 more").press("Enter")
        assert rows.count() == 250
        assert page.evaluate("document.activeElement.closest('tr').rowIndex - 2") == 50
        section.get_by_role("button", name="PSNR of Method2").click()
        best = [float(each) for each in rows.locator("td:nth-child(6)").evaluate_all("e => e.map(parseFloat)") if each]
        assert rows.count() == 50
        assert best == sorted(best, reverse=True)
        values = page.evaluate("report.datasets[0].scores.y.psnr[2]")
        top = section.locator("tbody tr").first
        assert float((top.locator("td").nth(4).text_content() or "").split()[0]) == max(values) / 100
        section.get_by_label("Images").fill("scene-0421")  # two images of one scene
        assert sorted(rows.locator(".name").all_text_contents()) == ["image-0842", "image-0843"]
        assert count.text_content() == "2 of 1,000 images"
        section.get_by_label("Images").fill("")
        section.get_by_role("button", name="Show all").click()
        assert rows.count() == 1000


def test_data_are_the_printed_means_over_seeds(tmp_path: Path) -> None:
    size = Size(images=20, methods=3, datasets=2, seeds=3, protocols=("y", "rgb"))
    text = written(tmp_path, size).read_text(encoding="utf-8")
    found = re.search(r'id="report-data">(.*?)</script>', text, flags=re.DOTALL)
    assert found is not None
    data = json.loads(found[1])["datasets"][1]
    scores = load_run(tmp_path / "run").scores
    here = scores[(scores["dataset"] == "set2") & (scores["protocol"] == "rgb") & (scores["method"] == "method2")]
    means = here[here["metric"] == "psnr"].groupby("image")["value"].mean()
    assert data["images"] == list(means.index)
    assert data["scores"]["rgb"]["psnr"][2] == [round(100 * mean) for mean in means]
    assert data["scenes"][:3] == ["scene-0000", "scene-0000", "scene-0001"]


@pytest.mark.slow
def test_a_large_study_is_a_page_of_bounded_size(tmp_path: Path, browser: Browser) -> None:  # noqa: F811
    page_file = written(tmp_path, Size())
    assert page_file.stat().st_size < 5e6
    with opened(browser, page_file.as_uri()) as page:
        assert page.evaluate(ELEMENTS) < 30_000
        page.get_by_role("link", name="Datasets").click()
        page.get_by_label("Methods").fill("method8")
        assert page.locator("#comparison tbody tr:visible").count() == 1
        assert page.evaluate(POOR_CONTRAST) == []
        assert page.evaluate(UNLABELLED) == []
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") == 390
