"""LaTeX: what is marked, cited and said, and that reports of any shape and with any name compile without a warning."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derainbench.errors import UserError
from derainbench.reports.comparison.measured import measured
from derainbench.reports.comparison.table import comparison_tables
from derainbench.reports.content import Content, content
from derainbench.reports.format import Style
from derainbench.reports.latex.documents import report_tex, tables_tex
from derainbench.reports.latex.floats import floats
from derainbench.reports.latex.numbers import SIUNITX
from derainbench.reports.latex.pdf import COSMETIC, LATEX_FILES, compile_pdf
from derainbench.reports.latex.place import FRAME
from derainbench.reports.latex.references import references_bib
from derainbench.reports.layout.panels import panels
from derainbench.reports.options import formats_of
from derainbench.reports.own_files import RECORD, OwnFiles
from derainbench.reports.published.shipped import paper_tables
from derainbench.reports.tex.escape import breakable, escape, printable
from derainbench.reports.write import write_report
from derainbench.results.results import Failure, Results

from .conftest import Score, dataset, method, results, with_pictures
from .shapes import many

HOSTILE = r"""a_b&c%d#{e}\f~g^h$i<j>k"l|m*n`o[é – ß 中]--''"""
INSTALLED = shutil.which("pdflatex") is not None and shutil.which("bibtex") is not None
needs_latex = pytest.mark.skipif(not INSTALLED, reason="pdflatex and bibtex are not installed")


def has_siunitx() -> bool:
    """Whether this LaTeX has siunitx."""
    found = shutil.which("kpsewhich") is not None and subprocess.run(
        ["kpsewhich", "siunitx.sty"], capture_output=True, check=False
    )
    return bool(found and found.returncode == 0)


def complaints(folder: Path) -> list[str]:
    """What LaTeX says in the last of the passes that a document needs: boxes beyond 5 pt, and every warning."""
    latex = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "report.tex"]
    for step in (latex, ["bibtex", "report"], latex, latex):
        done = subprocess.run(step, cwd=folder, capture_output=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout.decode("latin-1")[-3000:]
    log, bibtex = ((folder / f"report.{end}").read_text(encoding="latin-1") for end in ("log", "blg"))
    boxes = [found[0] for found in re.finditer(r"Overfull \\[hv]box \(([\d.]+)pt.*", log) if float(found[1]) > 5]
    return [*boxes, *re.findall(r".*Warning.*", log), *re.findall(r"Warning.*", bibtex)]


def with_hostile_names(folder: Path) -> Results:
    """Every name that a user can choose, and a failure, with every character that LaTeX reads."""
    name = HOSTILE.replace("/", "")
    run = with_pictures(folder, lambda plain: plain + name)
    wide = [dataset(f"set-{n}{name}", "i", title=f"A long title of set {n} {name}") for n in range(5)]
    wide.append(dataset("cjk", "i", title="去雨图像"))
    failures = (Failure("train/" + "a" * 200, f"{name} failed at {'x' * 150}"),)
    return dataclasses.replace(run, datasets=(*run.datasets, *wide), failures=failures)


def test_best_and_second_are_emphasised_and_protocol_and_recipe_named(run_with_pictures: Results) -> None:
    text = tables_tex(content(run_with_pictures))
    assert r"\textbf{\boldmath 32.25}" in text
    assert r"\underline{27.25}" in text
    assert r"(protocol \texttt{rgb})" in text
    assert r"\label{tab:derainbench-y}" in text
    assert r"Recipe \texttt{quick}: not comparable with published numbers" in text


def test_what_is_not_worse_than_the_best_has_a_mark_that_the_note_explains() -> None:
    text = tables_tex(content(many(methods=4, datasets=1)))
    rows = [line for line in text.splitlines() if line.startswith("A method")]
    assert [row.count(r"\dbtied{}") for row in rows[:4]] == [0, 0, 0, 2], "only the other of the two that are alike"
    assert rows[2].count(r"\textbf") == 2
    assert text.count(r"$\dagger$ not worse than the best of its column at the 0.05 level") == 2, "once a protocol"


def test_where_the_test_is_refused_there_is_no_mark_and_the_reason_stands_in_the_note() -> None:
    text = tables_tex(content(many(methods=2, datasets=1, images=4)))
    assert not re.search(r"&[^&]*\\dbtied\{\}", text)
    assert "only 4 scenes, a test needs 6: A dataset whose title is rather long, number 0 (PSNR and" in text


def test_deviations_over_seeds_stand_beside_the_means() -> None:
    scores: list[Score] = [("a", "d", seed, "d", "i", "y", psnr, 0.5) for seed, psnr in ((0, 30.0), (1, 32.0))]
    text = tables_tex(content(results(scores, [method("a")], [dataset("d", "i")], seeds=[0, 1], protocols=["y"])))
    assert r"31.00{\scriptsize\,$\pm$\,1.41}" in text
    assert r"$\pm$ is the sample standard deviation over seeds." in text


def test_notes_that_do_not_fit_stand_in_the_text_and_no_float_is_without_a_table() -> None:
    (whole,) = (
        panel
        for table in comparison_tables(measured(many(methods=4, datasets=1)))[:1]
        for panel in panels(table, FRAME)
    )
    long = ("a" * 1000, "b" * 1000, "c" * 3000, "d")
    laid = floats((whole, whole), long, 40, FRAME)
    assert [(len(part.panels), part.notes) for part in laid.parts] == [(2, long[:1])]
    assert laid.after == long[1:]
    shown = content(many(methods=4, datasets=1))
    shown = dataclasses.replace(shown, tables=(dataclasses.replace(shown.tables[0], notes=("A note. " * 900,)),))
    text = tables_tex(shown)
    outside = re.sub(r"\\begin\{\\dbfloat\}.*?\\end\{\\dbfloat\}", "", text, flags=re.DOTALL)
    assert r"Further notes on Table~\ref{tab:derainbench-y}:" in outside
    assert "A note. A note." in outside
    assert text.count(r"\begin{\dbfloat}") == text.count(r"\begin{tabular}{@{}lr") == 1


def test_digits_are_in_line_whether_or_not_a_deviation_follows_them() -> None:
    scores: list[Score] = [("a", "d", seed, "d", "i", "y", psnr, 0.5) for seed, psnr in ((0, 10.0), (1, 40.0))]
    scores += [("b", "d", seed, "d", "i", "y", psnr, 0.4) for seed, psnr in ((0, 30.0), (1, 32.0))]
    scores += [("c", "d", 0, "d", "i", "y", 20.0, 0.3)]
    run = results(scores, [method(name) for name in "abc"], [dataset("d", "i")], seeds=[0, 1], protocols=["y"])
    text = tables_tex(content(run))
    assert r"a & 0 & \underline{25.00{\scriptsize\,$\pm$\,21.21}} &" in text
    assert r"31.00{\scriptsize\,$\pm$\,1.41}}{\scriptsize\phantom{0}} &" in text
    assert r"c & 0 & 20.00{\scriptsize\phantom{\,$\pm$\,21.21}} &" in text


def test_every_method_stands_against_the_best_and_words_are_for_the_rest() -> None:
    text = report_tex(content(many(methods=4, datasets=1, seeds=1)))
    (table,) = re.findall(r"label\{tab:derainbench-tests\}(.*?)end\{longtable\}", text, re.DOTALL)
    rows = [line for line in table.splitlines() if "A method" in line]
    assert [row.count("best") for row in rows] == [0, 0, 2, 0]
    assert all(re.search(r"& 0\.[0-9]{2} & 1[0-2]/12 & 0\.0[0-9]+ &", row) for row in rows[:2])
    assert " is better than " not in text, "the table says it"
    assert "the ranks of the 4 methods differ: Friedman" in text


def test_one_reason_for_which_nothing_was_tested_is_said_once_a_dataset() -> None:
    text = report_tex(content(many(methods=4, datasets=1, images=4)))
    assert "tab:derainbench-tests" not in text
    assert text.count("No method is tested against the best, A method of a rather long name, number ") == 1
    assert "is not tested against" not in text


def test_charts_are_explained_once_and_fill_two_columns() -> None:
    text = report_tex(content(many(methods=4, datasets=2)))
    first, second = re.findall(r"caption\{A dataset.*?(?=end\{figure\})", text, re.DOTALL)
    assert "Mean over images, by parameters" in first
    assert "Mean over images, by parameters" not in second
    assert r"As in Figure~\ref{fig:derainbench-charts}" in second


def test_every_citation_is_in_the_bibliography_and_every_entry_is_cited() -> None:
    shown = content(many(methods=2, datasets=2))
    keys = set(re.findall(r"^@\w+\{([^,]+),$", references_bib(shown), flags=re.MULTILINE))
    cited = set(re.findall(r"\\dbcite\{([^}]*)\}", tables_tex(shown) + report_tex(shown)))
    assert {"m0", "m1", "d0", "d1", "wang2004image", "wilcoxon1945individual"} <= keys
    assert cited == keys


def test_siunitx_columns_fit_their_numbers() -> None:
    scores: list[Score] = [
        ("a", "d", 0, "d", "i", "y", 9.5, 0.5),
        ("a", "d", 1, "d", "i", "y", 10.0, 0.5),
        ("b", "d", 0, "d", "i", "y", 31.0, 0.7),
        ("c", "d", 0, "d", "i", "y", float("inf"), 1.0),
    ]
    run = results(scores, [method(name) for name in "abc"], [dataset("d", "i")], seeds=[0, 1], protocols=["y"])
    text = tables_tex(content(run), SIUNITX)
    assert re.findall(r"S\[([^,]*)", text) == ["table-format=2.2(2)", "table-format=1.4"]
    assert re.search(r"^a & 0 & 9\.75 \\pm 0\.35 & \{0\.5000 \$\\pm\$ 0\.0000\} \\\\$", text, re.MULTILINE)
    assert r"b & 0 & {\underline{31.00}\phantom{ $\pm$ 0.35}} & {\underline{0.7000}\phantom{ $\pm$ 0.0000}}" in text
    assert r"{\textbf{\boldmath $\infty$}} & {\textbf{\boldmath 1.0000}\phantom{ $\pm$ 0.0000}}" in text
    assert r"\usepackage{siunitx}" in report_tex(content(run), SIUNITX)
    assert "siunitx" not in report_tex(content(run)) + tables_tex(content(run))


@given(st.text())
def test_escaped_text_is_plain_ascii_without_a_live_special_character(text: str) -> None:
    for escaped in (escape(text), breakable(text)):
        assert escaped.isascii()
        assert "\n" not in escaped
        # take away control sequences with their sign; what is left must not be able to open or end anything
        formulas = re.sub(r"\$\\?[a-zA-Z^-]+\\?[a-z]*\$", "", escaped.replace(r"\$", ""))
        rest = re.sub(r"\\([A-Za-z]+|.)", "", formulas)
        assert not re.search(r"[%#&_~$^\\]", rest)
        assert rest.count("{") == rest.count("}")
    assert escape(printable(text)) == escape(text)


@given(st.text("-',", min_size=2))
def test_no_ligature_changes_what_a_name_reads(text: str) -> None:
    assert not re.search(r"(--|''|,,)", escape(text))
    assert escape(text).replace("{}", "") == text


def test_only_long_words_break() -> None:
    assert breakable("no scene differs") == "no scene differs"
    assert breakable("runs/demo/" + "a" * 30).count(r"\allowbreak{}") == 5


def test_the_document_warns_on_every_page(run_with_pictures: Results) -> None:
    head = re.search(r"\\markright\{(.*)\}", report_tex(content(run_with_pictures)))
    assert head is not None
    assert r"Recipe \texttt{quick}: not comparable" in head[1]


@needs_latex
@pytest.mark.parametrize("shape", ["small", pytest.param("wide", marks=pytest.mark.slow), "hostile"])
def test_the_document_compiles_without_a_warning(tmp_path: Path, shape: str) -> None:
    shown: Content
    if shape == "wide":
        shown = content(many(images=24), paper_tables(["nasnet"]))
    else:
        shown = content(with_pictures(tmp_path / "data") if shape == "small" else with_hostile_names(tmp_path / "data"))
    write_report(shown, tmp_path / "report", ["latex"])
    assert complaints(tmp_path / "report") == []


@pytest.mark.slow  # the first time on a machine, its fonts are made
@needs_latex
@pytest.mark.skipif(not has_siunitx(), reason="siunitx is not installed")
def test_the_document_with_siunitx_compiles_without_a_warning(tmp_path: Path) -> None:
    write_report(content(many()), tmp_path, ["latex"], Style(numbers=SIUNITX))
    assert complaints(tmp_path) == []


@needs_latex
@pytest.mark.parametrize("preamble", [r"\newcommand{\dbcite}[1]{}\newcommand{\dbfloat}{table*}", ""])
def test_the_tables_compile_in_a_paper_with_booktabs_alone(tmp_path: Path, preamble: str) -> None:
    write_report(content(many(methods=3, datasets=2), paper_tables(["nasnet/1"])), tmp_path, ["latex"])
    # two columns with table*, as in most conferences' papers
    columns = "twocolumn" if "table*" in preamble else "onecolumn"
    head = rf"\documentclass[{columns}]{{article}}\textwidth=16cm\usepackage{{booktabs}}" + preamble
    document = head + r"\begin{document}\input{tables}\input{published}\end{document}"
    (tmp_path / "paper.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0
    assert (b"Citation" in done.stdout) == (not preamble)
    assert b"Overfull" not in done.stdout


@needs_latex
def test_the_pdf_is_all_that_is_left_beside_its_sources(tmp_path: Path, run_with_pictures: Results) -> None:
    path = write_report(content(run_with_pictures), tmp_path, ["pdf"])
    assert path == tmp_path / "report.pdf"
    assert path.read_bytes().startswith(b"%PDF-")
    assert {file.name for file in tmp_path.iterdir()} == {
        "report.pdf",
        "report.tex",
        "tables.tex",
        "weights.tex",
        "published.tex",
        "references.bib",
        RECORD,
    }


@needs_latex
@pytest.mark.parametrize(
    ("line", "error"),
    [
        (r"\nosuchcommand", r"Undefined control sequence.*line 2.*report\.log"),
        (r"\input{/etc/hostname}", r"does not compile"),
        (r"\newwrite\w\immediate\openout\w=/tmp/derainbench-escaped.tex\relax", r"does not compile"),
    ],
)
def test_what_does_not_compile_or_reaches_out_is_one_line(tmp_path: Path, line: str, error: str) -> None:
    document = r"\documentclass{article}\begin{document}" + f"\n{line}\n" + r"\end{document}"
    (tmp_path / "report.tex").write_text(document, encoding="utf-8")
    with pytest.raises(UserError, match=error) as raised:
        compile_pdf(OwnFiles(tmp_path))
    assert "\n" not in str(raised.value)
    assert (tmp_path / "report.log").is_file()
    assert not (tmp_path / "report.pdf").exists()


def fake_latex(folder: Path, *found: str) -> None:
    """Programs of a LaTeX that finds these files only."""
    for name in ("pdflatex", "bibtex"):
        (folder / name).write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    lines = "".join(f'case " $* " in *" {name} "*) echo /tex/{name};; esac\n' for name in found)
    (folder / "kpsewhich").write_text(f"#!/bin/sh\n{lines}exit 1\n", encoding="utf-8")
    for path in folder.iterdir():
        path.chmod(0o755)


def test_packages_that_are_missing_are_named_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    fake_latex(tmp_path, *(name for name in LATEX_FILES if name not in {"booktabs.sty", "tikz.sty"}))
    said = (
        r"needs booktabs\.sty, tikz\.sty, which .* apt install texlive-latex-recommended texlive-pictures "
        r"\(Debian, Ubuntu\) or tlmgr install booktabs pgf \(TeX Live\), or leave pdf out"
    )
    with pytest.raises(UserError, match=said):
        formats_of("pdf,html")
    fake_latex(tmp_path, *LATEX_FILES)
    assert formats_of("pdf") == ["pdf"]
    with pytest.raises(UserError, match=r"needs siunitx\.sty, .*texlive-science"):
        formats_of("pdf", Style(numbers=SIUNITX))
    assert formats_of("latex", Style(numbers=SIUNITX)) == ["latex"]
    (tmp_path / "kpsewhich").unlink()
    assert formats_of("pdf") == ["pdf"], "without the program nobody knows; pdflatex will say"


def test_the_packages_are_those_that_the_document_loads(project: Path) -> None:
    text = (project / "reports" / "latex" / "templates" / "report.tex.j2").read_text(encoding="utf-8")
    loaded = {f"{name}.sty" for name in re.findall(r"\\usepackage(?:\[.*?\])?\{(\w+)\}", text)}
    of_latex_itself = {"fontenc.sty", "inputenc.sty"}
    styles = {f"{name}.bst" for name in re.findall(r"\\bibliographystyle\{(\w+)\}", text)}
    assert loaded - of_latex_itself | styles == {*LATEX_FILES, *COSMETIC}
    assert all(rf"\IfFileExists{{{name}}}" in text for name in COSMETIC)
    wanted = (project / ".ci" / "run").read_text(encoding="utf-8")
    assert {"lmodern", "texlive-latex-recommended", "texlive-science"} <= {*wanted.split()}


@needs_latex
def test_a_document_does_without_what_is_cosmetic(tmp_path: Path) -> None:
    run = with_hostile_names(tmp_path)
    write_report(content(run), tmp_path / "report", ["latex"])
    document = tmp_path / "report" / "report.tex"
    text = document.read_text(encoding="utf-8")
    for name in COSMETIC:
        text = text.replace(rf"\IfFileExists{{{name}}}", r"\IfFileExists{not-there.sty}")
    document.write_text(text, encoding="utf-8")
    assert compile_pdf(OwnFiles(tmp_path / "report")).is_file()


def test_without_latex_the_pdf_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"needs pdflatex and bibtex, which are not on the PATH; install TeX Live"):
        compile_pdf(OwnFiles(tmp_path))
