"""``derainbench table``, on the stored run: what it prints, writes and refuses."""

from __future__ import annotations

import os
import shutil
import sys
import tomllib
from pathlib import Path

import pytest

from derainbench.cli.main import main
from derainbench.reports.text.terminal import plain_text

RUN = Path(__file__).parents[1] / "data" / "run-schema-1"


@pytest.fixture
def run(tmp_path: Path) -> str:
    """A copy of the stored run."""
    shutil.copytree(RUN, tmp_path / "run")
    return str(tmp_path / "run")


def answered(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["derainbench", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_the_file_that_it_prints_gives_the_table_that_it_prints(
    run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answered(monkeypatch, "table", run) == 0
    table = capsys.readouterr().out
    assert "| Method " in table
    assert answered(monkeypatch, "table", run, "--print-spec") == 0
    text = capsys.readouterr().out
    assert tomllib.loads(text)["rows"]
    (tmp_path / "t.toml").write_text(text, encoding="utf-8")
    assert answered(monkeypatch, "table", run, "--spec", str(tmp_path / "t.toml")) == 0
    assert capsys.readouterr().out == table


def test_a_file_that_somebody_may_have_written_is_kept(
    run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine.toml"
    assert answered(monkeypatch, "table", run, "--print-spec", "--out", str(mine)) == 0
    text = mine.read_bytes()
    for words in (["--print-spec"], ["--spec", str(mine), "--format", "tex"]):
        assert answered(monkeypatch, "table", run, *words, "--out", str(mine)) == 2
        assert "is there already" in capsys.readouterr().err
    assert mine.read_bytes() == text


def test_a_table_replaces_what_the_command_wrote_and_nothing_else(
    run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paper, pipe, out = tmp_path / "paper.tex", tmp_path / "pipe.md", tmp_path / "t.md"
    paper.write_text("mine", encoding="utf-8")
    os.mkfifo(pipe)
    for there in (paper, pipe):
        assert answered(monkeypatch, "table", run, "--out", str(there)) == 2
        assert "is not derainbench's and would be lost" in capsys.readouterr().err
    assert paper.read_text(encoding="utf-8") == "mine"
    assert pipe.is_fifo()
    for words in ([], ["--rename", "identity=Rain"]):
        assert answered(monkeypatch, "table", run, "--out", str(out), *words) == 0
    assert "Rain" in out.read_text(encoding="utf-8")
    out.write_text("changed", encoding="utf-8")
    assert answered(monkeypatch, "table", run, "--out", str(out)) == 2
    assert "has changed since derainbench wrote it" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "begins"), [("t.tex", "% Written"), ("t.csv", "Method,"), ("t.html", "<figure")])
def test_a_file_is_written_as_its_name_says_and_without_notes_they_are_told(
    run: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    begins: str,
) -> None:
    out = tmp_path / name
    words = ["--out", str(out), "--columns", "2", "--no-notes", "--rename", "identity=Rain & more"]
    assert answered(monkeypatch, "table", run, *words) == 0
    text = out.read_text(encoding="utf-8")
    assert text.startswith(begins)
    assert "Rain" in text
    assert "means over test images" not in text
    said = capsys.readouterr()
    assert said.out == f"{out}\n"
    assert "not said in the table: PSNR in dB and SSIM under protocol" in said.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rename", "identty=X"], "the run has no method 'identty'; did you mean 'identity'?"),
        (["--rename", "identity"], "write METHOD=TITLE"),
        (["--protocol", "yy"], "no scores under protocol 'yy'"),
        (["--out", "t.docx"], "a name that ends in one of them"),
        (["--spec", "none.toml"], "table spec none.toml cannot be read"),
        (["--spec", "none.toml", "--protocol", "y"], "--protocol does not go with --spec"),
    ],
)
def test_a_mistake_is_one_line(
    run: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert answered(monkeypatch, "table", run, *words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert plain_text(captured.err.strip()) == captured.err.strip()


def test_a_report_has_the_names_and_the_columns_that_are_asked_for(
    run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "report"
    words = ["--format", "latex", "--out", str(out), "--columns", "2", "--rename", "identity=Nothing done"]
    assert answered(monkeypatch, "report", run, *words) == 0
    text = (out / "tables.tex").read_text(encoding="utf-8")
    assert "Nothing done" in text
    assert r"\providecommand{\dbfloat}{table*}" in text
    assert r"\begin{dbfit}" in text


def test_options_of_known_methods_need_no_default(
    run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = 'columns = [{ option = "attention", value = "na" }, { option = "blocks" }, { option = "width" }]\n'
    rows = 'rows = [{ method = "nasnet", title = "NASNet" }, { method = "identity", options = { width = 9 } }]'
    (tmp_path / "t.toml").write_text(columns + rows, encoding="utf-8")
    words = ["table", run, "--spec", str(tmp_path / "t.toml"), "--format", "csv"]
    assert answered(monkeypatch, *words) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["NASNet,✓,1,4,", "Rainy input,–,–,9,"]
    (tmp_path / "t.toml").write_text(columns.replace('"blocks"', '"block"') + rows, encoding="utf-8")
    assert answered(monkeypatch, *words) == 2
    assert "column 'block': no row has an option 'block'" in capsys.readouterr().err
