"""Published tables as a reader of a rendering sees them: the cells of its rows as text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

from derainbench.reports.latex.environment import Latex, latex_environment
from derainbench.reports.latex.place import OWN_DOCUMENT
from derainbench.reports.layout.published import set_tables
from derainbench.reports.page.html import page_environment
from derainbench.reports.published.filled import FilledTable
from derainbench.reports.tex.bibtex import bibliography

#: Rows of a table: the title, then the published numbers.
Rows = list[list[str]]


def latex(paper: Sequence[FilledTable]) -> str:
    template = latex_environment(bibliography([])).get_template("published.tex.j2")
    return template.render(paper=set_tables(paper), joint=(), place=OWN_DOCUMENT, raw=Latex)


def page(paper: Sequence[FilledTable]) -> str:
    return page_environment().get_template("published.html.j2").render(paper=set_tables(paper), joint=())


def rows_of_paper(text: Path) -> dict[str, Rows]:
    """The nine tables in the text of the paper, by number: each is a block of lines with tabs before its caption."""
    lines = text.read_text(encoding="utf-8").splitlines()
    tables: dict[str, Rows] = {}
    for place, line in enumerate(lines):
        caption = re.match(r"Table (\d)\. ", line)
        if caption:
            block: list[list[str]] = []
            for before in reversed(lines[:place]):
                if "\t" in before:
                    block.insert(0, re.sub(r"</?u>", "", before).split("\t"))
                elif block:
                    break
            tables[caption[1]] = [row for row in ([row[0], *_numbers(row[1:])] for row in block) if len(row) > 1]
    return tables


def _numbers(cells: list[str]) -> list[str]:
    """``27.52 / 0.8239`` is two numbers, ``6, 508, 931`` is one; a heading is none."""
    parts = [part.replace(", ", ",").strip() for cell in cells for part in cell.split("/")]
    return parts if all(re.fullmatch(r"[0-9.,]+|-", part) for part in parts) else []


def rows_of_latex(tex: str) -> list[Rows]:
    """The tables of ``published.tex.j2``; the panels of one table side by side."""
    return [_panels(table) for table in re.findall(r"\\begin\{\\dbfloat\}(.*?)\\end\{\\dbfloat\}", tex, re.DOTALL)]


def _panels(table: str) -> Rows:
    panels = re.findall(r"\\midrule\n(.*?)\\bottomrule", table, re.DOTALL)
    joined: Rows = []
    for number, panel in enumerate(panels):
        lines = [line for line in " ".join(panel.split()).split(r"\\") if line.strip()]
        for down, line in enumerate(lines):
            cells = [_plain(cell) for cell in line.split("&")][: 2 if "Network &" in table else 3]
            if number == 0:
                joined.append([cells[0]])
            assert joined[down][0] == cells[0]
            joined[down] += cells[1:]
    return joined


def _plain(tex: str) -> str:
    """The text of a cell: without what is set as blank or in the margin, without commands."""
    tex = re.sub(r"\\phantom\{[^}]*\}|\\rlap\{\\textsuperscript\{[^}]*\}\}|\\boldmath", "", tex)
    return re.sub(r"\\[a-z]+\{([^}]*)\}", r"\1", tex.replace(r"\textendash{}", "-")).strip()


class _Tables(HTMLParser):
    """Collects the text of row headings and of published cells, by table."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.here: list[list[str]] | None = None
        self.taking = self.silent = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        classes = (given.get("class") or "").split()
        if tag == "table":
            self.here = self.tables.setdefault(str(given["data-table"]), [])
        elif self.here is not None and tag == "th" and given.get("scope") == "row":
            self.here.append([""])
            self.taking = True
        elif self.here is not None and tag == "td" and "published" in classes:
            self.here[-1].append("")
            self.taking = True
        self.silent = self.silent or tag == "small" or "said" in classes

    def handle_endtag(self, tag: str) -> None:
        if tag in ("th", "td"):
            self.taking = False
        if tag in ("small", "span", "th", "td"):
            self.silent = False

    def handle_data(self, data: str) -> None:
        if self.here is not None and self.taking and not self.silent:
            self.here[-1][-1] += data.strip()


def rows_of_page(html: str) -> dict[str, Rows]:
    """The tables of ``published.html.j2`` by name: what stands in their row headings and published cells."""
    parser = _Tables()
    parser.feed(html)
    return parser.tables
