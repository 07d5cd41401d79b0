"""Terminal, Markdown, CSV and LaTeX: what is emphasised, what is escaped, what compiles."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from derainbench.reports.latex import report_tex, tables_tex
from derainbench.reports.latex_escape import breakable, escape
from derainbench.reports.markdown import markdown
from derainbench.reports.scores import scores_csv
from derainbench.reports.terminal import terminal
from derainbench.reports.write import write_report
from hypothesis import given
from hypothesis import strategies as st

from derainbench.errors import UserError
from derainbench.results import Failure, Results

from .conftest import Score, dataset, method, results, with_pictures

HOSTILE = r"""a_b&c%d#{e}\f~g^h$i<j>k"l|m*n`o[é – ß 中]--''"""


def test_the_terminal_shows_protocol_recipe_and_marks(run_with_pictures: Results) -> None:
    text = terminal(run_with_pictures)
    assert "(protocol y)" in text.splitlines()[0]
    assert "Recipe `quick`: not comparable with published numbers" in text
    assert re.search(r"prenet +168,963 +32\.25\* +0\.9375\*", text)
    assert re.search(r"identity +0 +27\.25\+ +0\.8125\+", text)
    assert "31.00*" in terminal(run_with_pictures, "rgb")


def test_the_terminal_lets_no_control_character_through() -> None:
    run = results([("a\x1b[2J", "d", 0, "d", "i", "y", 1.0, 0.5)], [method("a\x1b[2J")], [dataset("d", "i")])
    assert "\x1b" not in terminal(run)


def test_markdown_has_a_table_for_each_protocol_with_best_and_second(run_with_pictures: Results) -> None:
    text = markdown(run_with_pictures)
    assert text.count("> **Recipe `quick`: not comparable with published numbers**") == 3
    assert re.search(r"\| PReNet +\| +168,963 \| +\*\*32\.25\*\* \|", text)
    assert re.search(r"\| identity +\| +0 \| +<u>27\.25</u> \|", text)


def test_markdown_cells_keep_bars_and_tags_as_text() -> None:
    name = "<script>alert(1)</script>|x"
    run = results([(name, "d", 0, "d", "i", "y", 1.0, 0.5)], [method(name)], [dataset("d", "i")], protocols=["y"])
    line = next(line for line in markdown(run).splitlines() if "alert" in line)
    assert "<script" not in line
    assert len(re.findall(r"(?<!\\)\|", line)) == 5


def test_the_csv_holds_every_score_in_full_precision() -> None:
    scores: list[Score] = [("a", "d", 0, "d", 'a&b"c.png', "y", float("inf"), 0.1 + 0.2)]
    run = results(scores, [method("a")], [dataset("d", 'a&b"c.png')])
    written = pd.read_csv(io.StringIO(scores_csv(run)))
    pd.testing.assert_frame_equal(written, run.scores.assign(verified=True), check_dtype=False)


def test_latex_emphasises_best_and_second_and_names_protocol_and_recipe(run_with_pictures: Results) -> None:
    text = tables_tex(run_with_pictures)
    assert r"\textbf{\boldmath 32.25}" in text
    assert r"\underline{27.25}" in text
    assert r"(protocol \texttt{rgb})" in text
    assert r"Recipe \texttt{quick}: not comparable with published numbers" in text


@given(st.text())
def test_escaped_text_is_plain_ascii_without_a_live_special_character(text: str) -> None:
    for escaped in (escape(text), breakable(text)):
        assert escaped.isascii()
        assert "\n" not in escaped
        # take away control sequences with their sign; what is left must not be able to open or end anything
        rest = re.sub(r"\\([A-Za-z]+|.)", "", re.sub(r"\$\\?[a-zA-Z^-]+\\?[a-z]*\$", "", escaped))
        assert not re.search(r"[%#&_~$^\\]", rest)
        assert rest.count("{") == rest.count("}")


@given(st.text("-',", min_size=2))
def test_no_ligature_changes_what_a_name_reads(text: str) -> None:
    assert not re.search(r"(--|''|,,)", escape(text))
    assert escape(text).replace("{}", "") == text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize("hostile", [False, True])
def test_the_standalone_document_compiles_without_overfull_boxes(tmp_path: Path, hostile: bool) -> None:
    name = HOSTILE.replace("/", "") if hostile else ""
    run = with_pictures(tmp_path / "data", lambda plain: plain + name)
    wide = [dataset(f"set-{number}{name}", "i", title=f"A long title of set {number} {name}") for number in range(5)]
    failures = (Failure("train/" + "a" * 200, f"{name} failed at {'x' * 150}"),)
    run = Results(run.folder, run.info, run.methods, (*run.datasets, *wide), run.scores, failures)
    write_report(run, tmp_path / "report", ["latex"])
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "report.tex"]
    done = subprocess.run(command, cwd=tmp_path / "report", capture_output=True, check=False, timeout=60)
    log = (tmp_path / "report" / "report.log").read_text(encoding="latin-1")
    assert done.returncode == 0, log[-2000:]
    assert [width for width in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log) if float(width) > 5] == []


def test_the_document_warns_on_every_page(run_with_pictures: Results) -> None:
    head = re.search(r"\\markright\{(.*)\}", report_tex(run_with_pictures))
    assert head is not None
    assert r"Recipe \texttt{quick}: not comparable" in head[1]


def test_a_comparable_run_carries_no_warning(tmp_path: Path) -> None:
    recipe = {"name": "paper", "comparable": True, "changes": []}
    run = results([("a", "d", 0, "d", "i", "y", 1.0, 0.5)], [method("a")], [dataset("d", "i")], recipe=recipe)
    write_report(run, tmp_path)
    for file in tmp_path.iterdir():
        assert "not comparable" not in file.read_text(encoding="utf-8").lower(), file.name
    assert "not comparable" not in terminal(run)


def test_a_report_holds_the_asked_formats_and_names_the_file_to_open(
    tmp_path: Path, run_with_pictures: Results
) -> None:
    assert write_report(run_with_pictures, tmp_path / "some", ["csv", "html"]) == tmp_path / "some" / "index.html"
    assert {file.name for file in (tmp_path / "some").iterdir()} == {"index.html", "scores.csv", "scores-notes.txt"}
    assert write_report(run_with_pictures, tmp_path / "one", ["markdown"]).name == "report.md"


def test_an_unknown_format_writes_nothing(tmp_path: Path, run_with_pictures: Results) -> None:
    with pytest.raises(
        UserError, match=r"unknown report format 'htm'.*html, latex, markdown, csv.*did you mean 'html'"
    ):
        write_report(run_with_pictures, tmp_path / "out", ["csv", "htm"])
    assert not (tmp_path / "out").exists()
