"""Terminal, Markdown and CSV: what is emphasised, what is escaped, which files there are."""

from __future__ import annotations

import csv
import html
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from derainbench.errors import UserError
from derainbench.reports.comparison.measured import measured
from derainbench.reports.comparison.provenance import provenance
from derainbench.reports.content import Content, content
from derainbench.reports.formats import format_names
from derainbench.reports.options import formats_of
from derainbench.reports.own_files import RECORD
from derainbench.reports.text.csv import scores_csv, scores_notes
from derainbench.reports.text.markdown import escape, markdown
from derainbench.reports.text.terminal import terminal
from derainbench.reports.write import write_report
from derainbench.results.results import Failure, Results
from derainbench.results.score_table import as_wide

from .conftest import Score, cell, dataset, method, rescored, results
from .shapes import many

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def test_the_terminal_shows_protocol_recipe_and_marks(run_with_pictures: Results) -> None:
    shown = content(run_with_pictures)
    text = terminal(shown)
    assert "(protocol y)" in text.splitlines()[0]
    assert "Recipe `quick`: not comparable with published numbers" in text
    assert re.search(r"prenet +168,963 +32\.25\* +0\.9375\*", text)
    assert re.search(r"identity +0 +27\.25\+ +0\.8125\+", text)
    assert "31.00*" in terminal(shown, "rgb")
    with pytest.raises(UserError, match=r"no scores under protocol 'rgbb'.*did you mean 'rgb'"):
        terminal(shown, "rgbb")


def test_the_terminal_says_in_words_how_sure_the_best_is() -> None:
    text = terminal(content(many(methods=3, datasets=7)))
    assert re.search(r"number 0: A method .* number 2 is better than A method .* on 1[0-2] of 12 images", text)
    assert text.count(" images (mean ") == 5
    assert "(statistics of 2 more datasets: in the report)" in text


def test_the_terminal_lets_no_control_character_through() -> None:
    run = results([("a\x1b[2J", "d", 0, "d", "i", "y", 1.0, 0.5)], [method("a\x1b[2J")], [dataset("d", "i")])
    assert "\x1b" not in terminal(content(run))


def test_markdown_has_a_table_for_each_protocol_with_best_and_second(run_with_pictures: Results) -> None:
    text = markdown(content(run_with_pictures))
    assert text.count("> **Recipe `quick`: not comparable with published numbers**") == 3
    assert re.search(r"\| PReNet +\| +168,963 \| +\*\*32\.25\*\* \|", text)
    assert re.search(r"\| identity +\| +0 \| +<ins>27\.25</ins> \|", text)


def test_markdown_says_what_may_be_concluded_and_marks_ties() -> None:
    text = markdown(content(many(methods=4, datasets=1)))
    assert re.search(r"<ins>\d\d\.\d\d ± \d\.\d\d</ins>†", text)
    assert text.count("\n- † not worse than the best of its column") == 2, "once a protocol"
    assert re.search(r"- \*\*A dataset .* PSNR\.\*\* .* are not told apart: ", text)
    assert text.count(" PSNR.** ") == text.count(" SSIM.** ") == 1, "under the first protocol"


def test_no_mark_stands_at_a_dash() -> None:
    """One of two methods that are alike has an image without a score, so that it has no mean."""
    run = many(methods=4, datasets=1)
    run = rescored(run, lambda wide: wide.assign(psnr=wide["psnr"].mask(wide.index == wide.index[-1])))
    text = markdown(content(run))
    assert "no mean PSNR, because it is undefined for an image" in text
    assert "†" in text
    assert "–†" not in text


def test_markdown_cells_keep_bars_and_tags_as_text() -> None:
    name = "<script>alert(1)</script>|x"
    run = results([(name, "d", 0, "d", "i", "y", 1.0, 0.5)], [method(name)], [dataset("d", "i")], protocols=["y"])
    line = next(line for line in markdown(content(run)).splitlines() if "alert" in line)
    assert "<script" not in line
    assert len(re.findall(r"(?<!\\)\|", line)) == 5


@given(st.text(st.sampled_from("\\`*_{}[]()<>#+-=.!|~$&:;^/ ab1") | st.characters(categories=["L", "P", "S", "N"])))
def test_markdown_shows_every_text_as_it_is(text: str) -> None:
    for around, document in (
        ("{}", f"- {escape(text)}"),
        ("{}", f"| {escape(text)} |\n| --- |"),
        ("before {} after", f"before {escape(text)} after"),
    ):
        shown = html.unescape(re.sub(r"<[^>]*>", "", READER.render(document)))
        assert shown.split() == around.replace("{}", text).split()


@pytest.mark.parametrize("text", ["2.13.0+cpu", "scikit-image", "x86_64", "nasnet[attention=se]", "p < 0.001", "+0.02"])
def test_markdown_escapes_nothing_that_is_not_read(text: str) -> None:
    assert escape(text) == text


def test_the_csv_holds_every_score_in_full_precision() -> None:
    odd = 'a&b"c,d.png'
    scores: list[Score] = [
        ("a", "d", 0, "d", odd, "y", float("inf"), 0.1 + 0.2),
        ("a", "d", 0, "d", "β\nγ", "y", 1e-5, float("nan")),
        ("b", "d", 0, "d", "", "y", 100.0, 1 / 3),
    ]
    run = results(scores, [method("a"), method("b")], [dataset("d", odd)])
    text = scores_csv(content(run))
    written = pd.read_csv(io.StringIO(text), keep_default_na=False, na_values={"ssim": [""]})
    pd.testing.assert_frame_equal(
        written, as_wide(run.scores).assign(verified=True), check_dtype=False, check_exact=True
    )
    assert ",inf,0.30000000000000004,True\n" in text
    assert "nan" not in text


def test_a_name_is_no_formula_of_a_spreadsheet_and_numbers_stay_numbers() -> None:
    names = ["=HYPERLINK(1)", "+1", "-2", "@SUM(A1)", "\tx", "\rx", "'=1", "fine", "a=b", "it's", "'quoted'"]
    scores: list[Score] = [("-m", "=d", 3, "=d", name, "y", -1.5, -0.25) for name in names]
    run = results(scores, [method("-m")], [dataset("=d", *names)])
    rows = list(csv.DictReader(io.StringIO(scores_csv(content(run)), newline="")))
    shown = [row["image"] for row in rows]
    assert shown == ["'" + name for name in names[:7]] + names[7:]
    assert [re.sub(r"^'(?='*[=+\-@\t\r\n])", "", name) for name in shown] == names, "the name can be had back"
    assert {(row["method"], row["trained_on"], row["dataset"]) for row in rows} == {("'-m", "'=d", "'=d")}
    assert {(row["psnr"], row["ssim"], row["seed"]) for row in rows} == {("-1.5", "-0.25", "3")}


@pytest.mark.slow
@given(st.lists(st.floats(allow_nan=False), min_size=1))
def test_every_float_is_read_back_from_the_csv(values: list[float]) -> None:
    run = results([("a", "d", 0, "d", "i", "y", value, 0.5) for value in values], [method("a")], [])
    shown = Content(measured(run), provenance(measured(run)), (), {}, ())
    read = [float(line.split(",")[10]) for line in scores_csv(shown).splitlines()[1:]]
    assert np.array_equal(read, values)


def test_what_a_csv_cannot_say_stands_beside_it() -> None:
    scores: list[Score] = [("a", "d", 0, "d", "i", "y", float("inf"), 1.0), ("a", "d", 0, "d", "j", "y", 30.0, 0.9)]
    failures = (Failure("train/b/d/seed0", "no\nmemory"),)
    run = results(scores, [method("a")], [dataset("d", "i", "j")], failures, protocols=["y"])
    assert scores_notes(content(run)).splitlines() == [
        "Recipe quick: not comparable with published numbers.",
        "nasnet: steps 200 instead of 300,000",
        "a on d: 1 image has infinite PSNR, left out of the mean.",
        "failed: train/b/d/seed0: no memory",
    ]


def test_a_comparable_run_carries_no_warning(tmp_path: Path) -> None:
    recipe = {"name": "paper", "comparable": True, "changes": []}
    run = results([("a", "d", 0, "d", "i", "y", 1.0, 0.5)], [method("a")], [dataset("d", "i")], recipe=recipe)
    shown = content(run)
    write_report(shown, tmp_path)
    for file in tmp_path.iterdir():
        assert "not comparable with published numbers" not in file.read_text(encoding="utf-8"), file.name
    assert "not comparable" not in terminal(shown)


def test_a_setting_that_is_empty_is_called_none() -> None:
    changes = [{"method": "prenet", "field": "augment", "paper": [], "here": ["hflip", "rot90"]}]
    run = results([], [], [], recipe={"name": "quick", "comparable": False, "changes": changes})
    assert provenance(measured(run)).changes[0].line == "prenet: augment hflip, rot90 instead of none"


@pytest.mark.parametrize(("trained_on", "recipe"), [("b", "none, nothing was trained"), (None, "quick")])
def test_the_recipe_is_that_of_trainings(trained_on: str | None, recipe: str) -> None:
    """Runs that were made before ``run.json`` had recipes have their cells."""
    run = results([], [], [], cells=[cell("m", "a", trained_on=trained_on)])
    assert dict(provenance(measured(run)).facts)["Recipe"] == recipe


def test_a_report_holds_the_asked_formats_and_names_the_file_to_open(
    tmp_path: Path, run_with_pictures: Results
) -> None:
    shown = content(run_with_pictures)
    assert write_report(shown, tmp_path / "some", ["csv", "html"]) == tmp_path / "some" / "index.html"
    assert {file.name for file in (tmp_path / "some").iterdir()} == {
        "index.html",
        "scores.csv",
        "scores-notes.txt",
        RECORD,
    }
    assert write_report(shown, tmp_path / "one", ["markdown"]).name == "report.md"
    assert write_report(shown, tmp_path / "two", ["csv", "latex", "markdown"]).name == "report.md"


def test_all_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    """``all`` needs LaTeX, which is missed before anything is read."""
    monkeypatch.setattr("shutil.which", lambda name: name)
    assert formats_of("csv,all") == ["csv", "html", "pdf", "markdown", "latex", "json"]
    assert {*formats_of("all")} == {*format_names()}
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert formats_of("csv") == ["csv"]
    with pytest.raises(UserError, match="needs pdflatex and bibtex"):
        formats_of("latex,pdf")


def test_an_unknown_format_writes_nothing(tmp_path: Path, run_with_pictures: Results) -> None:
    with pytest.raises(UserError, match=r"unknown report format 'htm'; did you mean 'html'\? \(known: html, pdf"):
        write_report(content(run_with_pictures), tmp_path / "out", ["csv", "htm"])
    assert not (tmp_path / "out").exists()


def test_stand_ins_of_a_suite_come_before_all_other_changes() -> None:
    recipe = [{"method": "m", "field": field, "paper": 1, "here": 2} for field in ("lr", "batch", "patch", "loss")]
    suite = [
        {"method": "m", "field": "width", "paper": 64, "here": 8, "suite": "s"},
        {"method": "m", "field": "dataset", "paper": "spa-real", "here": "demo", "suite": "s"},
        {"method": "m", "field": "dataset", "paper": "rain100h", "here": "demo", "suite": "s"},
    ]
    run = results([], [], [], recipe={"name": "quick", "comparable": False, "changes": [*recipe, *suite]})
    source = provenance(measured(run))
    assert source.stand_ins == "dataset demo instead of spa-real and rain100h; width 8 instead of 64"
    assert source.summary_of_changes == (
        f"{source.stand_ins}; m: lr 2 instead of 1; m: batch 2 instead of 1; m: patch 2 instead of 1; and 1 more"
    )
    assert [change.field for change in source.changes[:3]] == ["dataset", "dataset", "width"]


def test_seeds_are_those_of_trainings() -> None:
    """The unprocessed input stands under seed 0, which nobody asked for."""
    cells = [cell("identity", "d", trained_on="untrained"), cell("m", "d", 2), cell("m", "d", 3)]
    run = results([("identity", "untrained", 0, "d", "i", "y", 30.0, 0.9)], [], [], seeds=[2, 3], cells=cells)
    assert dict(provenance(measured(run)).facts)["Seeds"] == "2, 3"
