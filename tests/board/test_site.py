"""The site: boards that do not mix, addresses that stay, what is left out, and pages that a browser opens quickly."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page
from typer.testing import CliRunner

from benchmarks.synthetic_run import Size
from derainbench.cli.leaderboard import leaderboard_app
from derainbench.efficiency.record import EfficiencyRecord
from derainbench.errors import UserError
from derainbench.reports.board.boards import boards_of
from derainbench.reports.board.checking import Known
from derainbench.reports.board.pages import Site
from derainbench.reports.board.quoted import quoted_rows
from derainbench.reports.board.rows import Row, Source, distinct, rows_of
from derainbench.reports.board.site import site_of, write_site
from derainbench.reports.board.slugs import slug
from derainbench.reports.board.sources import find_runs, opened
from derainbench.reports.board.submission import pack
from derainbench.reports.comparison.cells import Cell
from derainbench.reports.published.shipped import paper_tables, shipped_tables
from derainbench.results.load import load_run
from tests.reports.browsing import POOR_CONTRAST, UNLABELLED, browser  # noqa: F401

from .conftest import sound_run

#: 10,000 rows open, and are sorted, in this many seconds on an idle machine; a busy one gets three times as many.
A_SECOND = 3.0


def site(folder: Path, *paths: Path, out: str = "site", export: bool = False) -> Path:
    """A site of these runs."""
    with opened(find_runs(paths), Known()) as sources:
        return write_site(site_of(sources, ()), folder / out, export).parent


def board_data(page: Path) -> Any:
    found = re.search(r'id="board-data">(.*?)</script>', page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def words(column: dict[str, Any]) -> list[str]:
    return [column["words"][number] for number in column["of"]]


def test_boards_are_by_images_protocol_and_training_set(tmp_path: Path) -> None:
    sound_run(tmp_path / "runs" / "a")
    sound_run(tmp_path / "runs" / "b", Size(images=30, methods=3, datasets=1, seeds=1, protocols=("y",)))
    made = site(tmp_path, tmp_path / "runs")
    data = board_data(made / "datasets" / "set1.html")
    places = {(board["set"], board["protocol"], board["trained"]): words(board["name"]) for board in data["boards"]}
    assert len({one for one, _, _ in places}) == 2
    assert sorted((protocol, trained, len(rows)) for (_, protocol, trained), rows in places.items()) == [
        ("rgb", "set1", 3), ("rgb", "untrained", 1),
        ("y", "set1", 2), ("y", "set1", 3), ("y", "untrained", 1), ("y", "untrained", 1),
    ]  # fmt: skip
    assert all(1 in board["scores"]["psnr"]["rank"] for board in data["boards"] if len(board["seen"]) > 1)
    assert sorted(path.name for path in (made / "methods").iterdir()) == [
        "identity.html", "method1.html", "method2.html", "method3.html"
    ]  # fmt: skip


def test_a_submission_says_so_and_what_is_measured_here_counts_once(tmp_path: Path) -> None:
    run = sound_run(tmp_path / "mine")
    pack(run, tmp_path / "sent.zip", "Somebody")
    data = board_data(site(tmp_path, tmp_path / "sent.zip") / "datasets" / "set1.html")
    assert {text for board in data["boards"] for text in words(board["status"])} == {"submitted"}
    assert {text for board in data["boards"] for text in words(board["who"])} == {"Somebody"}
    both = board_data(site(tmp_path, tmp_path / "sent.zip", run, out="both") / "datasets" / "set1.html")
    assert {text for board in both["boards"] for text in words(board["status"])} == {"measured"}
    assert [len(board["seen"]) for board in both["boards"]] == [len(board["seen"]) for board in data["boards"]]


def test_what_does_not_add_up_is_left_out_with_a_line(tmp_path: Path) -> None:
    sound_run(tmp_path / "good")
    bad = sound_run(tmp_path / "bad")
    next(bad.glob("eval/method1/*/*/*/done.json")).write_text("{}", encoding="utf-8")
    ended = CliRunner().invoke(leaderboard_app, [str(tmp_path), "--out", str(tmp_path / "site"), "--table", "none"])
    assert ended.exit_code == 1
    assert "left out: bad:" in ended.stderr
    assert "left out: bad" not in ended.stdout
    assert "bad:" in (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    with pytest.raises(UserError, match="no run adds up"):
        site(tmp_path, bad, out="none")
    assert not (tmp_path / "none").exists()


def test_no_run_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no run and no submission lies below"):
        find_runs([tmp_path / "empty"])
    with pytest.raises(UserError, match="no such file or folder"):
        find_runs([tmp_path / "nowhere"])


def test_check_and_submit_as_commands(tmp_path: Path) -> None:
    run = sound_run(tmp_path / "run")
    ended = CliRunner().invoke(leaderboard_app, ["check", str(run)])
    assert (ended.exit_code, ended.stdout) == (0, "run: adds up: 7 evaluations, 672 scores, 1 manifest\n")
    (run / "manifests" / "set1-test.json").write_text("[]", encoding="utf-8")
    ended = CliRunner().invoke(leaderboard_app, ["check", str(run)])
    assert ended.exit_code == 1
    assert "is of other files" in ended.stdout


def test_no_place_of_a_machine_is_on_the_site(tmp_path: Path) -> None:
    made = site(tmp_path, sound_run(tmp_path / "a"), export=True)
    for path in made.rglob("*"):
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        assert "/home/" not in text
        assert "secret" not in text


def test_pages_stay_where_they_were(tmp_path: Path) -> None:
    sound_run(tmp_path / "a")
    sound_run(tmp_path / "b", Size(images=24, methods=2, datasets=1, seeds=2, protocols=("y",)))
    made = site(tmp_path, tmp_path / "a")
    before = (made / "methods" / "method3.html").read_text(encoding="utf-8")
    assert site(tmp_path, tmp_path / "b") == made
    after = (made / "methods" / "method3.html").read_text(encoding="utf-8")
    assert 'class="standing"' in after
    assert before.split("<!-- derainbench leaderboard: standing -->")[1] in after
    assert 'href="methods/method3.html"' in (made / "index.html").read_text(encoding="utf-8")
    site(tmp_path, tmp_path / "b")
    assert (made / "methods" / "method3.html").read_text(encoding="utf-8") == after
    site(tmp_path, tmp_path / "a")
    assert (made / "methods" / "method3.html").read_text(encoding="utf-8") == before


def test_the_same_runs_make_the_same_site_and_nothing_of_others_is_lost(tmp_path: Path) -> None:
    sound_run(tmp_path / "a")
    first = {path: path.read_bytes() for path in site(tmp_path, tmp_path / "a").rglob("*") if path.is_file()}
    second = {path: path.read_bytes() for path in site(tmp_path, tmp_path / "a").rglob("*") if path.is_file()}
    assert first == second
    page = tmp_path / "site" / "methods" / "identity.html"
    page.write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match="has changed since derainbench wrote it"):
        site(tmp_path, tmp_path / "a")
    assert page.read_text(encoding="utf-8") == "mine"


def test_slugs_are_readable_and_differ() -> None:
    assert slug("prenet") == "prenet"
    names = ["a b", "a-b", "A b", "a  b", "images[name=My Net]", "images[name=my net]", "", "ä", "..", "/", "a" * 300]
    assert len({slug(name) for name in names}) == len(names)
    assert all(re.fullmatch(r"[a-z0-9-]{1,70}", slug(name)) for name in names)


def test_quoted_rows_join_whole_sets_of_their_protocol_and_training_set() -> None:
    quoted = quoted_rows(paper_tables([*shipped_tables()]))
    assert all(row.protocol and row.status == "quoted" and not row.values for rows in quoted.values() for row in rows)
    protocols = {row.protocol for row in quoted["rain100l"]}
    assert {"y", "y-u8"} <= protocols
    assert {row.trained_on for row in quoted["rain100l"] if row.title == "MPRNet"} == {"rain13k"}


def test_intervals_and_tests_are_those_of_the_scores(tmp_path: Path) -> None:
    run = sound_run(tmp_path / "a", Size(images=60, methods=4, datasets=1, seeds=1, protocols=("y",)))
    (board,) = [each for each in boards_of(rows_of(Source(load_run(run), "a")), {}) if each.trained_on == "set1"]
    best = board.rows[0]
    assert best.cells["psnr"].rank == "best"
    for row, interval in zip(board.rows, board.intervals["psnr"], strict=True):
        assert interval is not None
        assert interval.low < row.cells["psnr"].value < interval.high
        assert interval.mean == pytest.approx(float(np.mean(row.values["psnr"])))
    assert not board.rows[-1].cells["psnr"].tied  # 1.4 dB below, in each of 30 scenes much alike


def test_every_eval_ever_has_what_its_schema_requires(tmp_path: Path) -> None:
    sound_run(tmp_path / "a")
    files = [*site(tmp_path, tmp_path / "a", export=True).glob("every-eval-ever/data/*/*/*/*.json")]
    assert len(files) == 4
    for file in files:
        record = json.loads(file.read_text(encoding="utf-8"))
        assert {"schema_version", "evaluation_id", "retrieved_timestamp", "source_metadata", "model_info"} <= set(
            record
        )
        assert {"eval_library", "evaluation_results"} <= set(record)
        assert len({each["evaluation_result_id"] for each in record["evaluation_results"]}) == 4  # protocols x metrics
        for result in record["evaluation_results"]:
            assert {"evaluation_name", "source_data", "metric_config", "score_details"} <= set(result)
            continuous = result["metric_config"].get("score_type") == "continuous"
            assert continuous == ("max_score" in result["metric_config"])
            assert isinstance(result["score_details"]["score"], float)
            assert all(isinstance(text, str) for text in result["source_data"]["additional_details"].values())


@contextmanager
def page_of(browser: Browser, file: Path, **options: Any) -> Iterator[Page]:  # noqa: F811
    """A page of a site, opened from the disk; in the end it has said nothing and asked for nothing elsewhere."""
    with browser.new_context(viewport={"width": 1200, "height": 900}, **options) as context:
        page = context.new_page()
        page.set_default_timeout(15000)
        noise: list[str] = []
        page.on("console", lambda message: noise.append(message.text))
        page.on("pageerror", lambda error: noise.append(str(error)))
        page.on(
            "request",
            lambda request: noise.append(request.url) if not request.url.startswith(("file:", "data:")) else None,
        )
        page.goto(file.as_uri())
        yield page
        assert noise == []


@pytest.mark.slow
def test_a_board_is_filtered_sorted_and_two_rows_are_compared(tmp_path: Path, browser: Browser) -> None:  # noqa: F811
    run = sound_run(tmp_path / "a")
    made = site(tmp_path, run)
    with page_of(browser, made / "datasets" / "set1.html") as page:
        rows = page.locator("#board-table tbody tr:not(.board-head)")
        assert (rows.count(), page.locator("#board-count").text_content()) == (4, "4 rows")
        page.get_by_role("button", name="PSNR dB").click()
        page.get_by_role("button", name="PSNR dB").click()
        assert page.locator("#board-table tbody .name a").all_text_contents() == [
            "Method1",
            "Method2",
            "Method3",
            "Identity",
        ]
        page.get_by_role("searchbox", name="Methods").fill("method2")
        assert page.locator("#board-count").text_content() == "1 of 4 rows"
        page.get_by_role("searchbox", name="Methods").fill("")
        page.get_by_role("button", name="Compare Method1").click()
        page.get_by_role("button", name="Compare Method3").click()
        page.wait_for_selector("#pair-shown:not([hidden])")
        scores = load_run(run).scores.query("protocol == 'y' and metric == 'psnr'")
        means = scores.groupby(["method", "image"])["value"].mean()
        told = page.locator("#pair-table tbody tr").first.locator("td").all_text_contents()
        first = [means["method1", "image-0000"], means["method3", "image-0000"]]
        assert [float(text) for text in told[:2]] == pytest.approx(first, abs=0.006)
        link = page.url
        assert page.evaluate(POOR_CONTRAST) == []
        assert page.evaluate(UNLABELLED) == []
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") == 390
    with page_of(browser, made / "index.html", color_scheme="dark") as page:
        page.goto(link)
        page.wait_for_selector("#pair-shown:not([hidden])")
        assert (page.locator("#pair-words").text_content() or "").startswith("Method1 against Method3, PSNR: better in")
        assert page.evaluate(POOR_CONTRAST) == []
        page.goto((made / "index.html").as_uri())
        assert page.evaluate(UNLABELLED) == []
        page.get_by_role("link", name="Method1").click()
        assert page.locator("h1").text_content() == "Method1"
        assert page.evaluate(UNLABELLED) == []


@pytest.mark.slow
def test_ten_thousand_rows_open_and_sort_at_once(tmp_path: Path, browser: Browser) -> None:  # noqa: F811
    run = sound_run(tmp_path / "a", Size(images=24, methods=2, datasets=1, seeds=1, protocols=("y",)))
    found = distinct(rows_of(Source(load_run(run), "a")))
    images, one = next((images, row) for images, row in found if row.trained_on == "set1")
    board = replace(
        boards_of([(images, one)], {})[0],
        rows=many(one),
        intervals={"psnr": (None,) * 10_000, "ssim": (None,) * 10_000},
    )
    made = write_site(Site("Many", (board,), (), (), {}, EfficiencyRecord()), tmp_path / "site").parent
    assert (made / "datasets" / "set1.html").stat().st_size < 4e6
    with page_of(browser, made / "datasets" / "set1.html") as page:
        seconds = page.evaluate("performance.getEntriesByType('navigation')[0].domComplete / 1000")
        assert page.locator("#board-count").text_content() == "10,000 rows"
        assert page.evaluate("document.querySelectorAll('*').length") < 5000
        sorting = page.evaluate(
            "() => { const start = performance.now(); document.querySelector('#board-table .sort button').click();"
            " document.body.offsetHeight; return (performance.now() - start) / 1000; }"
        )
        top = page.locator("#board-table tbody .name a").first.text_content()
        assert top == max(board.rows, key=lambda row: row.cells["psnr"].value).title
        print(f"opened in {seconds:.2f} s, sorted in {sorting:.2f} s")
        assert seconds < A_SECOND
        assert sorting < A_SECOND


def many(one: Row) -> tuple[Row, ...]:
    """10,000 rows like ``one`` with other names and means."""
    random = np.random.default_rng(0)
    rows = []
    for number, value in enumerate(np.round(random.uniform(20, 40, 10_000), 6)):
        cells = dict.fromkeys(one.cells, Cell("finished", float(value), f"{value:.6f}"))
        rows.append(replace(one, title=f"Network {number}", identity=f"{number:08x}", cells=cells))
    return tuple(rows)
