"""results.json: the report as data, exact, strict JSON, the same text each time."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derainbench.reports.comparison.measured import measured
from derainbench.reports.comparison.table import comparison_tables
from derainbench.reports.content import Content, content
from derainbench.reports.published.shipped import paper_tables
from derainbench.reports.text.json import dumps, results_json
from derainbench.results.load import load_run
from derainbench.results.merging import merged
from derainbench.results.results import Results
from tests.helpers.small_runs import Run, Score

from .shapes import many

IMAGES = 48
LOW = tuple(24 + (7 * n % IMAGES) / 8 for n in range(IMAGES))
HIGH = tuple(value + 1 + (n % 5) / 4 for n, value in enumerate(LOW))


def strict(text: str) -> Any:
    """JSON as strict parsers read it: no NaN, no Infinity, no name twice."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    return json.loads(text, parse_constant=refuse, object_pairs_hook=once)


def data(shown: Content | Results) -> Any:
    """A report's results.json, parsed."""
    return strict(results_json(shown if isinstance(shown, Content) else content(shown)))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Two seeds of a method beside the input, on images enough for every test."""
    better = [value + 0.25 for value in HIGH]
    scores = [
        Score("identity", "rain", LOW),
        Score("tiny", "rain", HIGH),
        Score("tiny", "rain", better, seed=1),
        Score("tiny[width=2]", "rain", (math.inf, *HIGH[1:])),
        Score("tiny", "mist", error="out of memory"),
    ]
    return load_run(Run(scores, images=IMAGES).write(tmp_path_factory.mktemp("json") / "study"))


def test_cells_have_the_value_and_what_is_printed(run: Results) -> None:
    written = data(run)
    assert written["schema"] == "derainbench-results/1"
    assert [table["protocol"] for table in written["tables"]] == ["y", "rgb"]
    for table, shown in zip(written["tables"], comparison_tables(measured(run)), strict=True):
        cells = {(c["method"], c["trained_on"], c["dataset"], c["metric"]): c for c in table["cells"]}
        assert len(cells) == len(table["cells"])
        for row in shown.rows:
            for column, cell in zip(shown.columns, row.cells, strict=True):
                found = cells[row.entry.method.name, row.entry.trained_on, column.dataset.name, column.metric]
                assert (found["state"], found["text"], found["rank"]) == (cell.state, cell.text, cell.rank)
                assert found["value"] == (None if math.isnan(cell.value) else cell.value)
                assert (found["deviation"], found["seeds"]) == (cell.deviation, cell.seeds)
    tiny = next(c for c in written["tables"][0]["cells"] if c["method"] == "tiny" and c["dataset"] == "rain")
    assert tiny["value"] == pytest.approx(sum(HIGH) / IMAGES + 0.125, abs=1e-12)
    assert tiny["deviation"] == pytest.approx(0.25 / math.sqrt(2), abs=1e-12)
    assert tiny["seeds"] == 2
    infinite = next(c for c in written["tables"][0]["cells"] if c["method"] == "tiny[width=2]")
    assert infinite["infinite"] == 1


def test_cells_say_what_no_test_finds_worse_than_the_best() -> None:
    written = data(content(many(methods=4, datasets=1)))
    found = {(e["protocol"], e["metric"]): e["lines"] for e in written["statistics"]}
    for table in written["tables"]:
        for metric in ("psnr", "ssim"):
            told = {c["method"]: c["not_worse_than_best"] for c in table["cells"] if c["metric"] == metric}
            assert told == {line["method"]: line["not_worse_than_best"] for line in found[table["protocol"], metric]}
            assert list(told.values()) == [False, False, True, True]


def test_statistics_are_those_of_the_report(run: Results) -> None:
    shown = content(run)
    written = {(e["dataset"], e["protocol"], e["metric"]): e for e in data(shown)["statistics"]}
    assert written.keys() == shown.statistics.keys()
    entry, found = written["rain", "y", "psnr"], shown.statistics["rain", "y", "psnr"]
    assert [line["method"] for line in entry["lines"]] == ["identity", "tiny", "tiny[width=2]"]
    (pair,) = [pair for pair in entry["pairs"] if (pair["first"], pair["second"]) == (0, 1)]
    tested = found.pairs[0, 1]
    assert (pair["p"], pair["effect"], pair["wins"]) == (tested.p, tested.effect, tested.wins)  # type: ignore[union-attr]
    assert (pair["wins"], pair["losses"], pair["refused"]) == (0, IMAGES, None)
    assert pair["p"] < 0.001
    interval = entry["lines"][0]["interval"]
    assert interval["low"] < interval["mean"] < interval["high"]
    assert (interval["images"], interval["scenes"]) == (IMAGES, IMAGES // 2)
    assert entry["lines"][0]["over_seeds"] == {"refused": "1 seed, a deviation needs 2"}
    assert len(entry["ranks"]["mean_ranks"]) == 3


def test_where_the_numbers_come_from(run: Results) -> None:
    written = data(run)
    assert (written["name"], written["recipe"], written["comparable"]) == ("study", "quick", False)
    assert written["changes"] == [{"method": "tiny", "field": "length", "paper": "1,000 steps", "here": "200 steps"}]
    (made,) = written["runs"]
    assert (made["name"], made["precision"], made["machine"]) == ("study", "fp32", {"device": "cpu", "cores": 2})
    assert made["command"] == "derainbench run --out study"
    assert [(d["name"], d["images"], d["scenes"], d["test_digest"]) for d in written["datasets"]] == [
        ("rain", IMAGES, IMAGES // 2, "test rain"),
        ("mist", IMAGES, IMAGES // 2, "test mist"),
    ]
    assert written["failures"] == [{"cell": "eval/tiny/mist/seed0/mist", "error": "out of memory"}]


def test_every_merged_run_says_how_it_was_made(run: Results, tmp_path: Path) -> None:
    other = load_run(Run([Score("tiny", "rain", LOW)], steps=300, images=IMAGES).write(tmp_path / "other"))
    written = data(merged([run, other]))
    assert [made["name"] for made in written["runs"]] == ["study", "other"]
    assert {"tiny (study)", "tiny (other)"} < {method["name"] for method in written["methods"]}


#: What others document, or what has names for keys.
ELSEWHERE = {"recipe", "machine", "versions", "paper", "weights", "macs", "sources", "efficiency"}


def keys(value: Any) -> set[str]:
    """Every field at any depth."""
    if isinstance(value, list):
        return set().union(*map(keys, value))
    if not isinstance(value, dict):
        return set()
    return {*value} | set().union(*(keys(part) for key, part in value.items() if key not in ELSEWHERE))


def test_every_field_is_documented(run: Results) -> None:
    several = many(methods=3, datasets=1, images=24)
    written = keys(data(content(run, paper_tables(["nasnet"])))) | keys(data(several))
    assert {"reproductions", "critical_difference", "standard_error", "counted", "median_difference"} <= written
    text = (Path(__file__).parents[2] / "docs" / "results.md").read_text(encoding="utf-8")
    described = text.partition("## results.json")[2].partition("## Several runs")[0]
    run_json = text.partition("## run.json")[2].partition("## done.json")[0]
    assert sorted(key for key in written if f"`{key}`" not in described + run_json) == []


def test_published_tables_keep_their_digits(run: Results) -> None:
    tables = paper_tables(["nasnet/7"])
    (written,) = data(content(run, tables))["paper_tables"]
    (table,) = tables
    assert (written["name"], written["caption"]) == ("nasnet/7", table.caption)
    assert [row["title"] for row in written["rows"]] == [row.title for row in table.rows]
    for row, found in zip(table.rows, written["rows"], strict=True):
        for column in found["published"]:
            source = row.published.get(column["dataset"])
            printed = (None, None) if source is None else (source.psnr, source.ssim)
            assert (column["psnr"], column["ssim"]) == printed
        assert found["filled_by"] is None
        assert {cell["psnr"]["state"] for cell in found["measured"]} == {"missing"}


def test_the_same_content_gives_the_same_text(run: Results) -> None:
    assert results_json(content(run)) == results_json(content(run))


def test_an_empty_run_is_json_too() -> None:
    import pandas as pd

    from derainbench.results.run_info import RunInfo
    from derainbench.results.score_table import SCORE_COLUMNS

    empty = pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in SCORE_COLUMNS.items()})
    written = data(Results(Path("nothing"), RunInfo(), (), (), empty, ()))
    assert (written["methods"], written["tables"], written["statistics"]) == ([], [], [])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_any_value_becomes_strict_json(value: Any) -> None:
    assert same(strict(dumps(value)), value)


def same(read: Any, written: Any) -> bool:
    """Whether a value came back: NaN as null, infinities as words."""
    if isinstance(written, float) and not math.isfinite(written):
        return bool(read == (None if math.isnan(written) else "inf" if written > 0 else "-inf"))
    if isinstance(written, dict):
        return read.keys() == written.keys() and all(same(read[key], part) for key, part in written.items())
    if isinstance(written, list):
        return len(read) == len(written) and all(map(same, read, written))
    return bool(read == written)
