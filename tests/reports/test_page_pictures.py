"""The page's pictures: inside it, beside it, or nowhere; what is gone; what does not fit."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from playwright.sync_api import Browser

from derainbench.reports.content import content
from derainbench.reports.page.gallery import galleries
from derainbench.reports.page.html import html
from derainbench.reports.page.pictures import NoPictures, Pictures, PicturesBeside, remove_stale_pictures
from derainbench.results.results import Results, TestPair

from .browsing import browser, opened, write_page  # noqa: F401
from .conftest import draw, method, rescored, with_pictures


def viewers(run: Results, pictures: Pictures) -> list[dict[str, Any]]:
    """What each dataset's slider shows."""
    made = content(run)
    return [each.data["viewer"] for each in galleries(run, made.grids, pictures)]


def test_each_picture_is_held_once(run_with_pictures: Results) -> None:
    pictures = Pictures()
    # four photographs, rainy and clean; the fake PReNet restores them perfectly, so its pictures are the clean ones
    assert [viewer["pictures"] for viewer in viewers(run_with_pictures, pictures)] == [
        [(0, 1, 1), (2, 3, 3)],
        [(4, 5, 5), (6, 7, 7)],
    ]
    assert len(pictures.addresses) == 8


def test_pictures_beside_the_page_are_loaded_when_shown(
    run_with_pictures: Results,
    tmp_path: Path,
    browser: Browser,  # noqa: F811
) -> None:
    pictures = PicturesBeside(tmp_path)
    address = write_page(run_with_pictures, tmp_path, pictures)
    files = {path.name for path in (tmp_path / "images").iterdir()}
    assert files == pictures.files
    assert all(re.fullmatch(r"[0-9a-f]+\.webp", name) for name in files)
    with opened(browser, address) as page:
        fetched: list[str] = []
        page.on("request", lambda request: fetched.append(request.url) if request.url[:5] != "data:" else None)
        page.reload()
        assert fetched == [address]
        tall = "document.documentElement.scrollHeight"
        before = page.evaluate(tall)
        page.locator("#dataset-1 .stage").scroll_into_view_if_needed()
        picture = page.locator("#dataset-1 img.below")
        assert picture.evaluate("picture => picture.decode().then(() => picture.naturalWidth)") == 128
        page.locator("#dataset-1 .show-errors").click()
        page.wait_for_selector("#dataset-1 canvas.above[data-drawn]")
        assert {url.rpartition("/")[2] for url in fetched[1:]} <= files
        page.locator("#dataset-1 .show-errors").click()
        assert page.evaluate(tall) == before  # nothing moves under a mouse when a picture arrives


def test_a_file_beside_the_page_that_is_no_picture_is_made_again(run_with_pictures: Results, tmp_path: Path) -> None:
    write_page(run_with_pictures, tmp_path, first := PicturesBeside(tmp_path))
    damaged = tmp_path / "images" / min(first.files)
    whole = damaged.read_bytes()
    damaged.write_bytes(b"cut short")
    write_page(run_with_pictures, tmp_path, PicturesBeside(tmp_path))
    assert damaged.read_bytes() == whole


def test_a_second_report_keeps_pictures_that_did_not_change_and_removes_the_rest(tmp_path: Path) -> None:
    run, report = with_pictures(tmp_path / "data"), tmp_path / "report"
    write_page(run, report, first := PicturesBeside(report))
    made = {path.name: path.stat().st_mtime_ns for path in (report / "images").iterdir()}
    (report / "images" / "holiday.webp").write_bytes(b"not ours")
    draw(tmp_path / "data" / "streaks", "coffee", 0, 90.0)
    write_page(run, report, second := PicturesBeside(report))
    remove_stale_pictures(report, second.files)
    left = {path.name: path.stat().st_mtime_ns for path in (report / "images").iterdir()}
    assert set(left) == second.files | {"holiday.webp"}
    assert len(first.files - second.files) == 2  # rainy and clean of one image
    assert all(left[name] == made[name] for name in first.files & second.files)
    remove_stale_pictures(report, NoPictures().files)
    assert [path.name for path in (report / "images").iterdir()] == ["holiday.webp"]


def test_where_there_is_not_room_for_all_every_dataset_has_some(run_with_pictures: Results) -> None:
    whole = Pictures()
    viewers(run_with_pictures, whole)
    room = 0.55 * sum(map(len, whole.addresses))
    shown = [viewer["shown"] for viewer in viewers(run_with_pictures, Pictures(room))]
    assert [len(images) for images in shown] in ([1, 1], [2, 1], [1, 2])
    page = html(content(run_with_pictures), Pictures(room))
    assert "Pictures of 1 of 2 images are in this page" in page
    assert "Pictures of" not in html(content(run_with_pictures), Pictures())


def test_hostile_names_are_no_names_of_files(tmp_path: Path, browser: Browser) -> None:  # noqa: F811
    evil = """ <script>alert(1)<\\script> a&b"c.png'"""
    run = with_pictures(tmp_path / "data", lambda plain: plain + evil)
    pictures = PicturesBeside(tmp_path)
    with opened(browser, write_page(run, tmp_path, pictures)) as page:
        assert len(pictures.files) > 8  # the identical pictures of different files are different files
        section = page.locator("#dataset-2")
        section.locator("tbody .open").nth(1).click()
        assert run.datasets[1].test[1].image in section.locator(".which").inner_text()
        picture = section.locator("img.above")
        assert picture.evaluate("picture => picture.decode().then(() => picture.naturalWidth)") == 128
    assert all(name.isascii() and "script" not in name for name in pictures.files)


def test_what_was_not_kept_is_said_and_breaks_nothing(browser: Browser, tmp_path: Path) -> None:  # noqa: F811
    run = with_pictures(tmp_path)
    shutil.rmtree(run.folder)
    run.datasets[0].test[0].clean.write_bytes(b"not an image")  # type: ignore[union-attr]
    with opened(browser, write_page(run, tmp_path / "report")) as page:
        section = page.locator("#dataset-1")
        assert section.locator(".absent-right").is_visible()
        assert section.locator("img.above").is_visible()
        assert section.locator(".show-errors").is_disabled()
        section.locator(".choose-left").select_option("Ground truth")
        assert section.locator(".absent-left").inner_text() == "not kept"


def test_a_dataset_that_has_moved_is_shown_by_the_run_s_own_copies(tmp_path: Path) -> None:
    run = with_pictures(tmp_path)
    gone = tuple(
        replace(each, test=tuple(TestPair(pair.image, pair.scene, Path("gone"), Path("gone")) for pair in each.test))
        for each in run.datasets
    )
    (first, _) = viewers(replace(run, datasets=gone), Pictures())
    assert first["pictures"] == [(1, 0, None), (3, 2, None)]  # rainy from identity, PReNet, no truth


def test_a_page_without_any_picture_left_says_so(tmp_path: Path) -> None:
    run = with_pictures(tmp_path)
    shutil.rmtree(run.folder)
    for name in ("streaks", "drops"):
        shutil.rmtree(tmp_path / name)
    page = html(content(run), Pictures())
    assert page.count("No picture of this dataset is there any more.") == 2
    assert '<div class="viewer"' not in page


def test_a_page_without_images_has_the_same_numbers(
    run_with_pictures: Results,
    tmp_path: Path,
    browser: Browser,  # noqa: F811
) -> None:
    address = write_page(run_with_pictures, tmp_path, NoPictures())
    text = (tmp_path / "index.html").read_text()
    assert "data:image/webp" not in text
    assert "made without the datasets' images" in text
    with opened(browser, address) as page:
        assert page.locator(".viewer").count() == 0
        row = page.locator("#dataset-1 tbody tr").first
        assert [cell for cell in row.inner_text().split() if cell[0].isdigit()] == [
            "26.75",
            "0.8125",
            "31.75",
            "0.9375",
        ]
        assert row.locator("button").count() == 0


def test_without_script_a_line_says_where_the_numbers_are(
    run_with_pictures: Results,
    tmp_path: Path,
    browser: Browser,  # noqa: F811
) -> None:
    with opened(browser, write_page(run_with_pictures, tmp_path), java_script_enabled=False) as page:
        assert "scores.csv" in page.locator("noscript").inner_text()
        assert page.locator("#comparison table:visible").count() == 1
        assert page.locator("input:visible, select:visible").count() == 0


def test_the_slider_starts_with_the_best_method_on_the_right(tmp_path: Path) -> None:
    run = with_pictures(tmp_path)

    def another(scores: pd.DataFrame) -> pd.DataFrame:
        worse = scores[scores["method"] == "prenet"].assign(method="rescan")
        return pd.concat([scores, worse.assign(psnr=worse["psnr"] - 3)], ignore_index=True)

    run = replace(rescored(run, another), methods=(*run.methods, method("rescan")))
    viewer, _ = viewers(run, Pictures())
    assert [viewer["versions"][number] for number in viewer["start"]] == ["Rainy input", "PReNet"]
