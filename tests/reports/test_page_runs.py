"""The page of unusual runs: hostile names, leaks, nothing trained, titles that collide."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from derainbench.reports.content import content
from derainbench.reports.page.html import html
from derainbench.reports.page.pictures import NoPictures
from derainbench.reports.published.shipped import paper_tables
from derainbench.reports.write import write_report
from derainbench.results.results import Failure

from .browsing import browser, opened, write_page  # noqa: F401
from .conftest import dataset, info, method, results, weights_info, with_pictures

EVIL = """ <script>alert(1)</script> <img src=x onerror=alert(1)> a&b"c.png'{{ 1 }}""" + "x" * 60


@pytest.mark.slow
def test_hostile_names_are_text(browser: Browser, tmp_path: Path) -> None:  # noqa: F811
    # a folder's name cannot have a slash, a name shown by the page can: two spellings
    run = with_pictures(tmp_path, lambda plain: plain + EVIL.replace("/", "\\"))
    methods = tuple(replace(each, title=each.title + EVIL) for each in run.methods)
    run = replace(run, methods=methods, failures=(Failure(f"train/{EVIL}/d/seed0", f"broken {EVIL}"),))
    with opened(browser, write_page(run, tmp_path / "report")) as page:
        assert EVIL.strip() in page.locator("#comparison tbody:visible").inner_text()
        assert EVIL.strip() in page.locator("#failures").inner_text()
        section = page.locator("#dataset-1")
        image = run.datasets[0].test[0].image
        assert image in section.locator(".which").inner_text()
        assert section.locator("tbody .name").first.inner_text() == image
        section.get_by_label("Images").fill('a&b"c.png')
        assert section.locator("tbody tr").count() == 2
        section.locator("tbody .open").nth(1).click()
        section.locator(".show-errors").click()
        page.get_by_label("Methods").fill("<script>")
        assert page.locator("#comparison tbody tr:visible").count() == 2
        assert page.locator("main script, img[src=x]").count() == 0
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") == 390, "words without blanks break"


def test_a_quick_run_and_leaks_are_said_at_the_top(browser: Browser, tmp_path: Path) -> None:  # noqa: F811
    leak = {"train": "a", "test": "d", "shared": 3, "exact": 3, "total": 9, "notice": "3 of 9 test images are in a"}
    clean = {**leak, "shared": 0, "notice": ""}
    scores = [("m", "a", 0, "d", "i", "y", 30.0, 0.9)]
    run = results(scores, [method("m")], [dataset("d", "i")], seen_in_training=[leak, clean])
    with opened(browser, write_page(run, tmp_path / "leak", NoPictures())) as page:
        words = page.get_by_role("complementary", name="Warnings").inner_text()
        assert "Recipe quick: not comparable with published numbers." in words
        page.set_viewport_size({"width": 375, "height": 800})
        assert page.locator(".banner").evaluate("banner => banner.offsetHeight") < 120, (
            "one line each, or two on a phone"
        )
        page.locator(".banner summary").click()
        assert page.locator(".banner").get_by_text("3 (exact) of 9 of d in a. Such scores are too good").is_visible()
    honest = replace(run, info=info(recipe={"name": "paper", "comparable": True}))
    with opened(browser, write_page(honest, tmp_path / "honest", NoPictures())) as page:
        assert page.get_by_role("complementary", name="Warnings").count() == 0


def test_a_run_that_only_evaluates_has_a_page(browser: Browser, tmp_path: Path) -> None:  # noqa: F811
    method_ = replace(method("m@d", "M"), weights=weights_info(tag="d", trained_on="d"))
    run = results(
        [("m@d", "d", 0, "d", "i", "y", 30.0, 0.9), ("m@d", "d", 0, "e", "i", "y", 20.0, 0.8)],
        [method_],
        [dataset("d", "i"), dataset("e", "i")],
        recipes={},
        recipe={"name": "quick", "comparable": True, "changes": []},
        protocols=["y"],
    )
    with opened(browser, write_page(run, tmp_path, NoPictures())) as page:
        assert "none, nothing was trained" in page.locator(".facts").inner_text()
        assert page.get_by_role("complementary", name="Warnings").count() == 0
        rows = [row.split() for row in page.locator("#comparison tbody").first.locator("tr").all_inner_texts()]
        assert [row[0] for row in rows] == ["M", "M"]
        assert {"m@d", "trained"} <= set(rows[1])  # what is typed, beside what it was trained on
        assert rows[1].count("30.00") == 0  # the first row's number is not printed twice


def test_datasets_of_one_title_are_told_apart() -> None:
    scores = [("m", "untrained", 0, name, "i", "y", 30.0, 0.9) for name in ("mine-1", "mine-2")]
    run = results(scores, [method("m")], [dataset(name, "i", title="Heavy rain") for name in ("mine-1", "mine-2")])
    page = html(content(run), NoPictures())
    assert ">Heavy rain (mine-1)</a>" in page
    assert ">Heavy rain (mine-2)</a>" in page
    assert ">Heavy rain</a>" not in page


def test_a_run_of_which_nothing_finished_has_every_format(browser: Browser, tmp_path: Path) -> None:  # noqa: F811
    """Its datasets' pictures are there, which the slider compares."""
    run = with_pictures(tmp_path)
    failed = tuple(Failure(f"eval/prenet/{each.name}/seed0/{each.name}", "broken file") for each in run.datasets)
    run = replace(run, scores=run.scores.iloc[:0], failures=failed)
    folder = tmp_path / "report"
    write_report(content(run), folder, ("html", "latex", "markdown", "csv", "json"))
    assert {"index.html", "report.tex", "report.md", "results.json"} <= {path.name for path in folder.iterdir()}
    with opened(browser, (folder / "index.html").as_uri()) as page:
        assert page.locator("#failures dt").count() == 2
        versions = page.locator("#dataset-1 .choose-right option").all_inner_texts()
        assert versions == ["Rainy input", "Ground truth"]


def test_a_higher_mean_of_seen_images_is_on_the_card_with_its_mark() -> None:
    seen = {"train": "a", "test": "d", "shared": 1, "exact": 1, "total": 1, "notice": "seen"}
    scores = [("m", "a", 0, "d", "i", "y", 30.0, 0.9)]
    honest = ("m", "d", 0, "d", "i", "y", 20.0, 0.8)
    for every, words in ((scores, "None that counts: 30.00‡ dB"), ([*scores, honest], "Not counted: 30.00‡ dB")):
        run = results(every, [method("m", "M")], [dataset("d", "i")], seen_in_training=[seen], protocols=["y"])
        page = html(content(run), NoPictures())
        assert f"{words} of M (trained on a): test images seen in training." in page
        assert "No scores yet" not in page


def test_tables_that_nothing_measures_are_folded_with_their_words(browser: Browser, tmp_path: Path) -> None:  # noqa: F811
    run = results([("m", "d", 0, "d", "i", "y", 30.0, 0.9)], [method("m")], [dataset("d", "i")])
    with opened(browser, write_page(run, tmp_path, NoPictures(), published=paper_tables(["nasnet"]))) as page:
        words = page.get_by_text("Numbers as printed, each with the protocol")
        assert not words.is_visible()
        page.locator("#published summary").click()
        assert words.is_visible()
        page.locator("#published summary").click()
        page.emulate_media(media="print")
        assert not page.locator("#published").is_visible()


@pytest.mark.parametrize("width", [1280, 390])
def test_however_many_protocols_the_page_is_no_wider_than_the_window(
    browser: Browser,  # noqa: F811
    tmp_path: Path,
    width: int,
) -> None:
    """Their switch breaks into lines, and stays low: it is always in sight."""
    names = [f"protocol-{number}" for number in range(18)]
    for protocols in (names[:6], names):
        scores = [("m", "a", 0, "d", "i", name, 30.0, 0.9) for name in protocols]
        run = results(scores, [method("m")], [dataset("d", "i")], protocols=protocols)
        with opened(browser, write_page(run, tmp_path / str(len(protocols)), NoPictures())) as page:
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") == width
            assert page.locator(".bar").evaluate("bar => bar.offsetHeight") < 170
            page.get_by_role("radio", name=protocols[-1], exact=True).check(force=True)
            assert page.locator("#comparison .of-protocol:visible").get_attribute("data-protocol") == protocols[-1]
