"""What networks cost, in every format of a report."""

from __future__ import annotations

from typing import Any

import pytest

from derainbench.efficiency.record import EfficiencyRecord, EfficiencyRow, Seconds, Session, Setting, parse_record
from derainbench.reports.charts.svg import svg
from derainbench.reports.comparison.costs import HEADERS, cost_tables
from derainbench.reports.figures import figure_charts
from derainbench.reports.latex.environment import latex_environment
from derainbench.reports.page.html import page_environment
from derainbench.reports.published.module_figures import figures_of
from derainbench.reports.tex.bibtex import bibliography
from derainbench.reports.text.markdown import costs_markdown, escape

NAME = "a_b&c<script>"


@pytest.fixture
def efficiency() -> EfficiencyRecord:
    """Two rows on a GPU: one measured, one that ran out of memory; and one on a CPU."""
    seconds = Seconds(repeats=9, median=0.02, low=0.019, high=0.021)
    fine = EfficiencyRow(
        method=NAME, title=NAME, parameters=1234, width=512, height=256, macs=10**9, seconds=seconds, peak_bytes=2**30
    )
    failed = EfficiencyRow(method="b", title="B", parameters=5, width=64, height=64, error="out of memory")
    gpu = Setting(device="cuda:0", name="A GPU", threads=4, system="Linux", torch="2.13", precision="bf16")
    cpu = gpu.model_copy(update={"device": "cpu", "name": "A CPU", "precision": "fp32"})
    common = {"derainbench": "0.1.0", "created": "2026-01-02", "macs_tool": "a tool"}
    rows = ((gpu, (fine, failed)), (cpu, (fine,)))
    return EfficiencyRecord(sessions=tuple(Session(setting=each, rows=part, **common) for each, part in rows))


def context(efficiency: EfficiencyRecord) -> dict[str, Any]:
    """What the templates ask for."""
    charts = figure_charts(figures_of(["nasnet"]))
    return {"costs": cost_tables(efficiency), "cost_headers": HEADERS, "paper_figures": charts, "svg": svg}


def test_tables(efficiency: EfficiencyRecord) -> None:
    gpu, cpu = cost_tables(efficiency)
    assert gpu.setting == "cuda:0 (A GPU), bf16, torch 2.13"
    assert cpu.setting == "cpu (A CPU, 4 threads), fp32, torch 2.13"
    fine, failed = gpu.rows
    assert fine.cells == ("1,234", "512×256", "1.00", "20.0", "19.0 – 21.0", "6.55", "1,024")
    assert list(fine.values) == [1234, 512 * 256, 10**9, 0.02, 0.02, pytest.approx(6.5536), 2**30]
    assert failed.failed
    assert "b at 64×64 failed: out of memory" in gpu.notes
    assert any("allocated on the GPU" in note for note in gpu.notes)
    assert any("fresh process" in note for note in cpu.notes)


def test_a_busy_machine_is_named_in_every_format(efficiency: EfficiencyRecord) -> None:
    data = efficiency.data()
    data["sessions"][1]["rows"][0]["seconds"]["cpu_share"] = 0.4
    assert costs_markdown(cost_tables(parse_record(data, "here"))).count("The machine was busy when") == 1


def test_html(efficiency: EfficiencyRecord) -> None:
    template = page_environment().get_template("efficiency.html.j2")
    page = template.render(context(efficiency))
    assert "<script" not in page
    assert "a_b&amp;c&lt;script&gt;" in page
    assert '<td data-value="131072">512×256</td>' in page
    assert '<td data-value="" class="failed">failed</td>' in page
    assert page.count("<table") == 2
    assert page.count("<svg") == 1
    assert template.render({**context(efficiency), "costs": (), "paper_figures": ()}).strip() == ""


def test_latex(efficiency: EfficiencyRecord) -> None:
    environment = latex_environment(bibliography(()))
    text = environment.get_template("efficiency.tex.j2").render(context(efficiency))
    assert r"a\_b\&c" in text
    assert "1,234" in text
    assert text.count(r"\begin{tabular}{@{}lrrrrrrr@{}}") == 2
    assert text.count(r"\begin{tikzpicture}") == 1


def test_markdown(efficiency: EfficiencyRecord) -> None:
    text = costs_markdown(cost_tables(efficiency))
    assert text.count("| Method") == 2
    assert "| 20.0 | 19.0 – 21.0 |" in " ".join(text.split())
    assert f"| {escape(NAME)} " in text
    assert "<script>" not in text
