"""Published scores beside measured ones, in every format; and nothing where there is nothing to compare."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from pathlib import Path

import pytest

from derainbench.reports.comparison.measured import measured
from derainbench.reports.comparison.reproduction import reproductions, sources
from derainbench.reports.content import content
from derainbench.reports.latex.documents import report_tex, tables_tex, weights_tex
from derainbench.reports.page.html import html
from derainbench.reports.page.pictures import NoPictures
from derainbench.reports.text.markdown import markdown
from derainbench.reports.text.terminal import terminal
from derainbench.results.results import Results

from .conftest import dataset, method, results, weights_info

PUBLISHED = {"dataset": "real", "protocol": "y", "psnr": 37.1, "ssim": 0.977, "source": "the authors' <i>README</i>"}


@pytest.fixture
def run() -> Results:
    """A network with published weights on two images of a dataset with a printed score, and of one without."""
    weights = {
        "tag": "t",
        "trained_on": "real",
        "source": "page",
        "sha256": "0" * 64,
        "verified": True,
        "quantisation": "round",
        "published": [PUBLISHED, PUBLISHED | {"dataset": "elsewhere"}, PUBLISHED | {"protocol": "y-u8"}],
    }
    tagged = dataclasses.replace(method("net@t", "Net (published weights t)", 10), weights=weights_info(**weights))
    scores = [
        ("net@t", "real", 0, name, image, protocol, psnr, ssim)
        for name in ("real", "other")
        for protocol in ("y", "rgb")
        for image, psnr, ssim in (("1", 37.0, 0.97), ("2", 37.25, 0.9851))
    ]
    return results(scores, [tagged], [dataset("real", "1", "2", title="Real"), dataset("other", "1", "2")])


def test_only_what_is_measured_under_the_same_protocol_is_compared(run: Results) -> None:
    (row,) = reproductions(measured(run))
    assert row.cells == ("Real", "y", "37.125", "37.10", "+0.025", "0.9775", "0.977", "+0.0005")
    assert sources((row,)) == "Printed: the authors' <i>README</i>."


def test_a_part_of_the_images_is_not_compared_with_the_mean_of_all(run: Results) -> None:
    parts = tuple(dataclasses.replace(dataset, whole=False) for dataset in run.datasets)
    assert reproductions(measured(dataclasses.replace(run, datasets=parts))) == ()


def test_every_format_shows_it(run: Results, tmp_path: Path) -> None:
    shown = content(run)
    for text in (terminal(shown), markdown(shown), weights_tex(shown), html(shown, NoPictures())):
        assert "37.125" in text
        assert "+0.025" in text
        assert "README" in text
    assert "<i>" not in markdown(shown)
    assert "<i>" not in html(shown, NoPictures())


def test_a_run_without_published_scores_has_no_such_table(run_with_pictures: Results) -> None:
    assert reproductions(measured(run_with_pictures)) == ()
    shown = content(run_with_pictures)
    assert "Printed:" not in terminal(shown)
    assert "Published weights" not in html(shown, NoPictures())
    assert "tab:derainbench-published" not in weights_tex(shown)
    assert r"\input{weights}" not in report_tex(shown)


def test_tables_for_a_paper_are_without_it_and_the_document_has_it(run: Results) -> None:
    shown = content(run)
    assert "tab:derainbench-published" not in tables_tex(shown)
    assert r"\input{weights}" in report_tex(shown)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_it_fits_the_line_of_a_plain_article(run: Results, tmp_path: Path) -> None:
    shown = content(run)
    label = "PReNet, recurrent (published weights rain100l)"
    rows = tuple(
        dataclasses.replace(
            row, label=label, dataset="Rain100L", protocol="y-u8", scores={**row.scores, "psnr": (37.0, 37.1)}
        )
        for row in shown.reproductions
    )
    table = weights_tex(dataclasses.replace(shown, reproductions=rows))
    assert "$-$0.100" in table
    document = r"\documentclass{article}\usepackage{booktabs}\begin{document}" + table + r"\end{document}"
    (tmp_path / "paper.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0
    assert b"Overfull" not in done.stdout
