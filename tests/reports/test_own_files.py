"""A report writes over its own files and nobody else's."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from derainbench.reports import own_files
from derainbench.reports.content import Content, content
from derainbench.reports.own_files import RECORD, OwnFiles
from derainbench.reports.write import write_report
from derainbench.support.atomic import write_atomic

from .conftest import dataset, method, results

Refused = Callable[..., AbstractContextManager[None]]
FORMATS = ("html", "latex", "markdown", "csv", "json")
#: What every format writes, and the format of each.
FILES = {
    "index.html": "html",
    "report.tex": "latex",
    "tables.tex": "latex",
    "weights.tex": "latex",
    "published.tex": "latex",
    "references.bib": "latex",
    "report.md": "markdown",
    "scores.csv": "csv",
    "scores-notes.txt": "csv",
    "results.json": "json",
}
#: Somebody's own files, some of which use ours.
THEIRS = {
    "report.tex": "\\documentclass{article}\\begin{document}\\input{tables}\\end{document}\n",
    "report.md": "# Ours\n\n## Provenance\n\nfrom the field\n",
    "scores.csv": "method,psnr\nours,40\n",
    "index.html": "<title>me</title>",
}


def run(psnr: float = 30.0) -> Content:
    """A report of one score."""
    scores = [("m", "d", 0, "d", "i", "y", psnr, 0.9)]
    return content(results(scores, [method("m", "M")], [dataset("d", "i")], protocols=["y"]))


def state(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_no_report_wrote_is_kept_and_nothing_is_written(
    tmp_path: Path, name: str, refused: Refused
) -> None:
    (tmp_path / name).write_text(THEIRS.get(name, "@article{mine, title = {Mine}}\n"), encoding="utf-8")
    before = state(tmp_path)
    with refused(str(tmp_path / name), "is not derainbench's", "nothing was written", "--out"):
        write_report(run(), tmp_path, FORMATS)
    assert state(tmp_path) == before
    others = [each for each in FORMATS if each != FILES[name]]
    write_report(run(), tmp_path, others)
    assert (tmp_path / name).read_bytes() == before[name]
    with refused(str(tmp_path / name), "is not derainbench's"):
        write_report(run(), tmp_path, FORMATS)


def test_a_report_is_written_again_over_its_own(tmp_path: Path) -> None:
    write_report(run(), tmp_path, FORMATS)
    first = state(tmp_path)
    assert {*first} == {*FILES, RECORD}
    write_report(run(), tmp_path, FORMATS)
    assert state(tmp_path) == first
    write_report(run(31.0), tmp_path, ["csv"])
    write_report(run(32.0), tmp_path, FORMATS)
    assert b",y,32,0.9," in (tmp_path / "scores.csv").read_bytes()


def test_what_was_changed_by_hand_is_kept(tmp_path: Path, refused: Refused) -> None:
    write_report(run(), tmp_path, FORMATS)
    with (tmp_path / "references.bib").open("a", encoding="utf-8") as file:
        file.write("@article{mine, title = {Mine}}\n")
    changed = state(tmp_path)
    with refused(str(tmp_path / "references.bib"), "has changed since derainbench wrote it", "move it away"):
        write_report(run(31.0), tmp_path, FORMATS)
    assert state(tmp_path) == changed
    (tmp_path / "references.bib").unlink()
    write_report(run(31.0), tmp_path, FORMATS)


def test_a_report_of_the_version_before_is_written_over(tmp_path: Path) -> None:
    """As it was: no record, files known by what is in them, and a PDF beside its source."""
    write_report(run(), tmp_path, FORMATS)
    (tmp_path / RECORD).unlink()
    (tmp_path / "report.pdf").write_bytes(b"%PDF-1.5")
    OwnFiles(tmp_path).check([*FILES, "report.pdf"])
    write_report(run(), tmp_path, ["markdown"])
    OwnFiles(tmp_path).check([*FILES, "report.pdf"])
    write_report(run(), tmp_path, FORMATS)
    assert OwnFiles(tmp_path).may_write("results.json")
    assert not OwnFiles(tmp_path).may_write("report.pdf"), "now there is a record, and no report wrote this one"


@pytest.mark.slow
@pytest.mark.parametrize("moment", range(0, 42, 3))
def test_a_report_that_was_killed_knows_its_files(tmp_path: Path, moment: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At every write, before and after it: the next report goes over what is there."""
    write_report(run(), tmp_path, FORMATS)
    written: list[Path] = []

    def interrupted(path: Path, data: bytes) -> None:
        if len(written) == moment // 2 and moment % 2 == 0:
            raise KeyboardInterrupt
        write_atomic(path, data)
        written.append(path)
        if len(written) > moment // 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(own_files, "write_atomic", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write_report(run(31.0), tmp_path, FORMATS)
    write_report(run(32.0), tmp_path, FORMATS)


def test_links_folders_and_broken_records_are_nobodys(tmp_path: Path, refused: Refused) -> None:
    elsewhere = tmp_path / "elsewhere.bib"
    elsewhere.write_text("mine", encoding="utf-8")
    makes: tuple[Callable[[Path], None], ...] = (lambda path: path.symlink_to(elsewhere), Path.mkdir)
    for number, make in enumerate(makes):
        folder = tmp_path / str(number)
        folder.mkdir()
        make(folder / "references.bib")
        with refused(str(folder / "references.bib"), "is not derainbench's"):
            write_report(run(), folder, ["latex"])
    assert elsewhere.read_text(encoding="utf-8") == "mine"
    for record in ('{"schema": "derainbench-report-files/1", "files": []}', "[]", "no json", '{"files": {}}'):
        (tmp_path / RECORD).write_text(record, encoding="utf-8")
        write_report(run(), tmp_path, ["latex"])


def test_an_empty_file_is_nothing_to_lose(tmp_path: Path) -> None:
    (tmp_path / "report.md").touch()
    write_report(run(), tmp_path, ["markdown"])
    assert (tmp_path / "report.md").stat().st_size
