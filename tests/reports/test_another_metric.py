"""One more metric, of which lower is better: its record is all that results, comparisons and reports need."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, expect

from derainbench.metrics import kinds
from derainbench.metrics.kinds import Metric
from derainbench.metrics.paired import paired_by
from derainbench.reports.content import Content, content
from derainbench.reports.published.shipped import paper_tables
from derainbench.reports.text.run_comparison import comparison_json, comparison_text
from derainbench.reports.text.terminal import terminal
from derainbench.reports.write import write_report
from derainbench.results.comparing import compare_runs
from derainbench.results.load import load_run
from derainbench.results.results import Results
from derainbench.results.score_table import as_long, as_wide
from derainbench.stats import Paired, Ranks
from tests.helpers.small_runs import Run, Score

from .browsing import browser, opened, write_page  # noqa: F401
from .conftest import dataset, info, method

MAE = Metric("mae", "MAE", "", 3, higher_is_better=False, protocols=("rgb",))
IMAGES = [f"photo-{n}" for n in range(24)]
#: Mean MAE of each method; by PSNR they come in the opposite order, so that one direction cannot pass for the other.
LEVELS = {"small": 0.02, "middle": 0.05, "large": 0.09}


@pytest.fixture(autouse=True)
def _mae(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(kinds._BY_NAME, "mae", MAE)


def run(folder: str = "runs/three", *, mae: bool = True, better: float = 0.0) -> Results:
    """Three methods, each image a scene; ``better`` is taken off every MAE."""
    random = np.random.default_rng(0)
    rows = []
    for protocol in ("rgb", "y"):
        for name, level in LEVELS.items():
            noise = random.normal(0, 0.004, len(IMAGES))
            for image, error in zip(IMAGES, level + noise - noise.mean(), strict=True):
                place = {"method": name, "trained_on": "rain", "seed": 0, "dataset": "rain", "image": image}
                place |= {"scene": image, "height": 96, "width": 128, "tile": 0, "protocol": protocol}
                rows.append({**place, "psnr": 30 + 20 * error, "ssim": 0.9, "mae": error - better})
    wide = pd.DataFrame(rows) if mae else pd.DataFrame(rows).drop(columns="mae")
    methods = tuple(method(name, parameters=10 * n + 10) for n, name in enumerate(LEVELS))
    return Results(Path(folder), info(protocols=["rgb", "y"]), methods, (dataset("rain", *IMAGES),), as_long(wide), ())


@pytest.fixture
def made() -> Content:
    return content(run(), paper_tables(["nasnet/2"]))


def test_a_score_table_has_it_where_its_protocol_measures_it() -> None:
    scores = run().scores
    assert scores.groupby("protocol")["metric"].unique().map(list).to_dict() == {
        "rgb": ["psnr", "ssim", "mae"],
        "y": ["psnr", "ssim"],
    }
    wide = as_wide(scores)
    assert wide.loc[wide["protocol"] == "rgb", "mae"].notna().all()
    assert wide.loc[wide["protocol"] == "y", "mae"].isna().all()
    pd.testing.assert_frame_equal(as_long(wide), scores, check_exact=True)


def test_it_has_a_column_in_which_the_lowest_is_best(made: Content) -> None:
    rgb, y = made.tables
    assert [column.title for column in rgb.columns] == ["PSNR", "SSIM", "MAE"]
    assert [(row.cells[0].rank, row.cells[2].rank) for row in rgb.rows] == [
        (None, "best"),
        ("second", "second"),
        ("best", None),
    ]
    assert [(row.cells[2].state, row.cells[2].text) for row in y.rows] == [("missing", "–")] * 3
    assert not any("MAE" in note for note in y.notes), "what a protocol does not measure is not undefined"


def test_tests_ranks_and_words_take_the_lowest_for_the_best(made: Content) -> None:
    assert ("rain", "y", "mae") not in made.statistics
    found = made.statistics["rain", "rgb", "mae"]
    assert found.labels[0] == "small"
    assert found.best == 0
    assert found.not_worse == {0}
    pair = found.pairs[0, 1]
    assert isinstance(pair, Paired)
    assert (pair.wins, pair.losses, pair.effect) == (24, 0, 1.0)
    assert pair.mean_difference < 0, "in the metric's own values"
    assert isinstance(found.ranks, Ranks)
    assert np.argsort(found.ranks.mean_ranks).tolist() == [0, 1, 2]
    assert any(each.startswith("small is better than middle on 24 of 24 images (mean -0.0") for each in found.sentences)


def test_the_paired_test_by_a_lower_metric_mirrors_that_by_a_higher() -> None:
    a, b = np.random.default_rng(1).normal(size=(2, 20))
    scenes = np.arange(20)
    lower, higher = paired_by(MAE, a, b, scenes), paired_by(kinds.METRICS["psnr"], a, b, scenes)
    assert isinstance(lower, Paired)
    assert isinstance(higher, Paired)
    turned = dataclasses.replace(lower, wins=higher.wins, losses=higher.losses, effect=higher.effect)
    assert turned == higher
    assert lower.wins == higher.losses
    assert lower.effect == pytest.approx(-higher.effect)


def test_every_format_shows_it(made: Content, tmp_path: Path) -> None:
    write_report(made, tmp_path)
    said = "higher is better (MAE: lower)"
    markdown = (tmp_path / "report.md").read_text()
    assert said in markdown
    assert "| rain PSNR | rain SSIM | rain MAE |" in " ".join(markdown.split())
    assert "| small | 10 | 30.40 | **0.9000** | **0.020** |" in " ".join(markdown.split())
    tables = (tmp_path / "tables.tex").read_text()
    assert said in tables
    assert r"\multicolumn{3}{c}{rain}" in tables
    assert r"\textbf{\boldmath 0.020}" in tables
    report = (tmp_path / "report.tex").read_text()
    assert (
        "Method & Images & Scenes & \\multicolumn{2}{c}{PSNR} & \\multicolumn{2}{c}{SSIM} & \\multicolumn{2}{c}{MAE}"
        in report
    )
    assert "& lower by & images & $p$ & lower by & images & $p$ & higher by & images & $p$" in report
    head, first, *_ = (tmp_path / "scores.csv").read_text().splitlines()
    assert head.endswith(",protocol,psnr,ssim,mae,verified")
    assert ",rgb," in first
    assert ",,true" in (tmp_path / "scores.csv").read_text().splitlines()[-1].lower()
    data = json.loads((tmp_path / "results.json").read_text())
    best = [cell for cell in data["tables"][0]["cells"] if cell["metric"] == "mae" and cell["rank"] == "best"]
    assert [cell["method"] for cell in best] == ["small"]
    (table,) = data["paper_tables"]
    assert {*table["rows"][0]["measured"][0]} == {"protocol", "dataset", "psnr", "ssim", "mae"}
    assert "0.020*" in terminal(made)


def test_a_run_that_lacks_it_shows_a_dash(tmp_path: Path) -> None:
    made = content(run(mae=False), paper_tables(["nasnet/2"]))
    assert {row.cells[2].text for table in made.tables for row in table.rows} == {"–"}
    write_report(made, tmp_path)
    assert "no mean" not in (tmp_path / "report.md").read_text()
    assert (tmp_path / "scores.csv").read_text().splitlines()[1].split(",")[-2] == ""


def test_compare_calls_the_lower_better(tmp_path: Path) -> None:
    comparison = compare_runs(run("runs/a"), run("runs/b", better=0.01))
    change = comparison.cells[0].changes["mae"]
    assert (change.better, change.worse) == (24, 0)
    assert change.difference == pytest.approx(-0.01)
    assert isinstance(change.test, Paired)
    assert change.test.effect == 1.0
    text = comparison_text(comparison)
    assert "MAE A" in text
    assert "-0.01000" in text
    assert "MAE: lower is better." in text
    assert json.loads(comparison_json(comparison))["cells"][0]["mae"]["b_better"] == 24


def test_compare_says_nothing_of_a_metric_that_one_run_lacks() -> None:
    comparison = compare_runs(run("runs/a", mae=False), run("runs/b"))
    assert [{*cell.changes} for cell in comparison.cells] == [{"psnr", "ssim"}] * 3
    assert all(cell.identical for cell in comparison.cells), "the same by all that both measured"
    assert "–" in comparison_text(comparison)
    assert json.loads(comparison_json(comparison))["cells"][0]["mae"] is None


def test_cells_measured_before_it_are_read_beside_later_ones(tmp_path: Path) -> None:
    folder = Run([Score("old", "rain", (30.0, 31.0)), Score("new", "rain", (32.0, 33.0))], images=2).write(tmp_path)
    (path,) = (folder / "eval" / "new").rglob("scores.parquet")
    table = pd.read_parquet(path)
    table.assign(mae=np.where(table["protocol"] == "rgb", 0.1, np.nan)).to_parquet(path)
    scores = load_run(folder).scores
    of_mae = scores[scores["metric"] == "mae"]
    assert {*of_mae["method"]} == {"new"}
    assert of_mae["value"].tolist() == [0.1, 0.1]
    assert len(scores) == 2 * 2 * 2 * 2 + 2


def test_the_page_marks_and_sorts_the_lowest_first(browser: Browser, tmp_path: Path) -> None:  # noqa: F811
    with opened(browser, write_page(run(), tmp_path)) as page:
        table = page.locator("#comparison table:visible")
        assert table.locator("tbody tr strong.best").all_inner_texts() == [
            "0.9000",
            "0.020",
            "0.9000",
            "31.80",
            "0.9000",
        ]
        names = table.locator("tbody th.name span")
        table.get_by_role("button", name="MAE on rain").click()
        expect(names).to_have_text(["small", "middle", "large"])
        table.get_by_role("button", name="MAE on rain").click()
        expect(names).to_have_text(["large", "middle", "small"])
        table.get_by_role("button", name="PSNR dB on rain").click()
        expect(names).to_have_text(["large", "middle", "small"])
        assert "(MAE: lower)" in page.locator("#comparison .legend:visible").first.inner_text()
        assert "Best MAE 0.020, small." in page.locator("#overview .card:visible").inner_text()

        images = page.locator("table.images")
        first = images.locator("tbody tr").first
        assert first.locator("td").count() == 9
        assert first.locator("td").nth(2).locator("strong.best").count() == 1
        images.get_by_role("button", name="MAE of small").click()
        shown = [float(text.split()[0]) for text in images.locator("tbody td:nth-child(4)").all_inner_texts()]
        assert shown == sorted(shown)
        assert shown[0] < shown[-1]
