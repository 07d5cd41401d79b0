"""Tables whose quoted and measured rows stand below each other where protocol and training set agree."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from derainbench.reports.comparison.measured import measured
from derainbench.reports.content import content
from derainbench.reports.latex.documents import published_tex
from derainbench.reports.latex.references import references_bib
from derainbench.reports.page.html import html
from derainbench.reports.page.pictures import Pictures
from derainbench.reports.published.joint import JointRow, JointTable, joint_tables
from derainbench.reports.published.shipped import PaperTable, paper_tables
from derainbench.reports.published.suites import read_suite
from derainbench.reports.text.json import results_json
from derainbench.reports.text.markdown import markdown
from derainbench.results.results import Results

from .conftest import Score, dataset, method, results
from .floats import overfull_lines

Refused = Callable[..., AbstractContextManager[None]]

FIVE = ("test100", "rain100h", "rain100l", "test2800", "test1200")


def rain13k_run(*more: Score, **changes: Any) -> Results:
    """PReNet trained on Rain13K and tested on its five sets, 35 dB and one more each; and the input."""
    scores: list[Score] = [
        ("prenet", "rain13k", 0, name, "1", "y-u8", 35.0 + number, 0.95) for number, name in enumerate(FIVE)
    ]
    scores += [("identity", "untrained", 0, name, "1", "y-u8", 25.0, 0.8) for name in FIVE]
    said = {"protocols": ["y-u8"], "recipe": {"name": "paper", "comparable": True, "changes": []}}
    methods = [method("identity", "Rainy input"), method("prenet", "PReNet")]
    return results(
        [*scores, *more], methods, [dataset(name, "1", title=name.title()) for name in FIVE], **said | changes
    )


def joint(run: Results, name: str = "rain13k") -> JointTable:
    (found,) = joint_tables(paper_tables([name]), measured(run))
    return found


def texts(row: JointRow, metric: str = "psnr") -> list[str]:
    return [cell.scores[metric].text for cell in row.cells]


def named(rows: tuple[JointRow, ...], name: str, here: bool = False) -> JointRow:
    (found,) = [row for row in rows if row.name == name and row.measured == here]
    return found


def test_quoted_and_measured_rows_of_one_training_set_and_protocol_stand_together() -> None:
    found = joint(rain13k_run())
    assert [column.title for column in found.columns] == [
        "Test100",
        "Rain100H",
        "Rain100L",
        "Test2800",
        "Test1200",
        "Average",
    ]
    assert {column.protocol for column in found.columns} == {"y-u8"}
    assert texts(named(found.rows, "PReNet (trained on rain13k)")) == [
        "24.81", "26.77", "32.44", "31.75", "31.36", "29.42"
    ]  # fmt: skip
    here = named(found.rows, "PReNet (trained on rain13k)", here=True)
    assert texts(here) == ["35.00", "36.00", "37.00", "38.00", "39.00", "37.00"]
    assert named(found.rows, "Rainy input (not trained)", here=True)
    best = [row.name for row in found.rows if row.cells[0].scores["psnr"].rank == "best"]
    assert best == ["PReNet (trained on rain13k)"], "ranked together"
    assert all("(trained on rain13k)" in row.name for row in (*found.rows, *found.apart) if not row.measured)


def test_another_protocol_and_another_training_set_stand_apart() -> None:
    other: Score = ("prenet", "rain100l", 0, "rain100l", "1", "y-u8", 50.0, 0.99)
    found = joint(rain13k_run(other))
    apart = {row.name for row in found.apart}
    assert apart == {
        "HINet (trained on rain13k)",  # y-replicate
        "MAXIM-2S (trained on rain13k)",  # unstated
        "Restormer (official weights) (trained on rain13k)",  # y-float
        "PReNet (trained on rain100l)",
    }
    elsewhere = named(found.apart, "PReNet (trained on rain100l)", here=True)
    assert texts(elsewhere) == ["–", "–", "50.00", "–", "–", "–"], "no average of one"
    assert not any(score.rank for row in found.apart for cell in row.cells for score in cell.scores.values())
    best = [row.name for row in found.rows if row.cells[2].scores["psnr"].rank == "best"]
    assert best == ["FSNet (trained on rain13k)"], "50 dB of another training does not count"


def test_what_nobody_read_in_print_is_marked_and_not_ranked() -> None:
    found = joint(rain13k_run())
    row = named(found.rows, "SPAIR (trained on rain13k)")
    assert all(cell.unconfirmed and not cell.agrees for cell in row.cells)
    assert not any(score.rank for cell in row.cells for score in cell.scores.values())
    restormer = named(found.rows, "Restormer (trained on rain13k)")
    assert [cell.unconfirmed for cell in restormer.cells] == [True, False, True, True, True, True]


def test_an_average_needs_every_column_and_a_seen_test_makes_it_seen() -> None:
    leak = {"train": "rain13k", "test": "rain100l", "shared": 91, "exact": 91, "total": 100, "notice": ""}
    here = named(joint(rain13k_run(seen_in_training=[leak])).rows, "PReNet (trained on rain13k)", here=True)
    assert [cell.scores["psnr"].seen for cell in here.cells] == [False, False, True, False, False, True]
    assert here.cells[-1].scores["psnr"].rank is None
    run = rain13k_run()
    scores = run.scores[~((run.scores["dataset"] == "test100") & (run.scores["method"] == "prenet"))]
    row = named(joint(replace(run, scores=scores)).rows, "PReNet (trained on rain13k)", here=True)
    assert (texts(row)[0], texts(row)[-1]) == ("–", "–")


def test_of_drsformer_s_table_each_column_has_its_protocol_and_a_network() -> None:
    sets = ("rain200l", "rain200h", "did-data", "rain1400", "spa-real")
    scores: list[Score] = [
        ("prenet", name, 0, name, "1", protocol, 30.0 + (protocol == "y"), 0.9)
        for name in sets
        for protocol in ("y", "y-u8")
    ]
    scores += [("prenet", "rain200l", 0, "rain200h", "1", "y-u8", 20.0, 0.5)]
    run = results(scores, [method("prenet", "PReNet")], [dataset(n, "1") for n in sets], protocols=["y", "y-u8"])
    found = joint(run, "drsformer")
    assert [column.protocol for column in found.columns] == ["y-u8", "y-u8", "y", "y", "y-u8"]
    assert texts(named(found.rows, "PReNet (trained on each set)", here=True)) == [
        "30.00",
        "30.00",
        "31.00",
        "31.00",
        "30.00",
    ]
    assert texts(named(found.apart, "PReNet (trained on rain200l)", here=True))[1] == "20.00"
    assert "IDT, own script (trained on each set)" in {row.name for row in found.apart}, "y-u8 on all five"
    assert texts(named(found.rows, "DRSformer (trained on each set)"), "ssim") == [
        "0.9894", "0.9326", "0.9646", "0.9588", "0.9924"
    ]  # fmt: skip


def test_a_run_without_the_protocol_of_a_column_says_what_to_ask_for() -> None:
    run = rain13k_run(protocols=["y"])
    run = replace(run, scores=run.scores.assign(protocol="y"))
    found = joint(run)
    assert any("--protocols y-u8" in note for note in found.notes)


def test_every_format_shows_such_a_table() -> None:
    shown = content(rain13k_run(), paper_tables(["rain13k"]))
    text = published_tex(shown)
    for name in ("PReNet (trained on rain13k)", "Apart: another protocol or training set", r"\texttt{y-u8}", "35.00"):
        assert name in text, name
    assert "chen2021hinet" in references_bib(shown)
    assert re.search(r"PReNet \(trained on rain13k\), measured here +\| +\**35.00", markdown(shown))
    page = html(shown, Pictures())
    assert page.index("PReNet (trained on rain13k)") < page.index("Apart: another protocol or training set")
    assert page.count('class="measured-here"') == 2
    (data,) = json.loads(results_json(shown))["joint_tables"]
    rows = {(row["name"], row["measured"]): row for row in data["rows"]}
    assert rows["FSNet (trained on rain13k)", False]["cells"][0]["psnr"] == "31.05"
    assert rows["PReNet (trained on rain13k)", True]["cells"][0]["psnr"]["value"] == 35.0
    assert rows["HINet (trained on rain13k)", False]["apart"]


def test_latex_sets_every_such_table_within_the_line(tmp_path: Path) -> None:
    tables = paper_tables(["rain13k", "drsformer", "allweather", "generalisation"])
    body = published_tex(content(rain13k_run(), tables))
    assert overfull_lines(body, tmp_path) == []


def test_a_report_without_such_a_table_does_not_speak_of_them() -> None:
    shown = content(rain13k_run(), paper_tables(["nasnet"]))
    assert "joint_tables" not in json.loads(results_json(shown))
    assert "joint" not in published_tex(shown)


def test_the_suites_say_what_is_trained_on_what_and_how_it_is_measured() -> None:
    rain13k = read_suite("rain13k")
    assert rain13k.protocols == ("y-u8",)
    assert {w.trained_on for w in rain13k.wanted} == {"rain13k"}
    assert [w.tested_on for w in rain13k.wanted if w.method == "prenet"] == [*FIVE]
    drsformer = read_suite("drsformer")
    assert set(drsformer.protocols) == {"y", "y-u8"}
    assert all(w.trained_on == w.tested_on for w in drsformer.wanted)
    assert {w.trained_on for w in read_suite("allweather").wanted} == {"allweather"}
    general = read_suite("nasnet-generalisation").wanted
    assert {(w.trained_on, w.tested_on) for w in general} == {
        (source, f"mpid-{kind}")
        for source in ("mpid-all", "mpid-streak", "mpid-drop", "mpid-mist")
        for kind in ("streak", "drop", "mist")
    }
    assert len({w.row for w in general}) == 4, "a training set is part of a row's name"


#: Names of datasets in the facts, and of cards here.
CARDS = {
    **{
        f"rain13k/{name}": name.casefold()
        for name in ("Test100", "Rain100H", "Rain100L", "Test2800", "Test1200", "average")
    },
    "rain200l": "rain200l",
    "rain200h": "rain200h",
    "did-data": "did-data",
    "ddn-data (rain1400, 1400 test)": "rain1400",
    "spa-data": "spa-real",
    "Outdoor-Rain Test1": "outdoor-rain",
    "RainDrop test_a": "raindrop",
}
#: How the facts call protocols that have another name here.
PROTOCOLS = {"y-basicsr-fork": "y-replicate", "y-float": "y-float", "y": "y", "y-u8": "y-u8"}


@pytest.fixture(scope="module")
def facts(shared: Path) -> list[dict[str, Any]]:
    """Every score that was read or is general knowledge."""
    found = []
    for file in ("published-modern.json", "published.json"):
        content = json.loads((shared / "facts" / file).read_text())
        found += content["rows"] if isinstance(content, dict) else content
    return found


def shipped_numbers() -> list[tuple[PaperTable, str, str, Any]]:
    tables = paper_tables(["rain13k", "drsformer", "allweather", "generalisation"])
    return [(t, r.title, where, p) for t in tables for r in t.rows for where, p in r.published.items()]


def test_every_number_that_is_shipped_is_one_of_the_facts(facts: list[dict[str, Any]]) -> None:
    numbers = shipped_numbers()
    assert len(numbers) >= 200
    for table, shown, where, printed in numbers:
        title = shown.removesuffix(", own script")
        of_row = [
            fact
            for fact in facts
            if fact["method"].removesuffix(" (all-weather)") == title and CARDS.get(fact["dataset"]) == where
        ]
        same = [fact for fact in of_row if _same(printed, fact)]
        assert same, (table.name, title, where, printed)
        how = {fact.get("how", "read") for fact in same}
        assert printed.unconfirmed == all(each.startswith("general") for each in how), (title, where)


def _same(printed: Any, fact: dict[str, Any]) -> bool:
    """Numbers to the last digit, and the protocol, of which ``y (unstated variant)`` and ``unstated`` are none."""
    said = fact["protocol"]
    known = PROTOCOLS.get(said.split(" ")[0]) if said != "y (unstated variant)" else None
    if isinstance(fact["psnr"], str):
        scores = (printed.psnr or "", printed.ssim or "") == (fact["psnr"], fact["ssim"])
    else:  # the older facts are numbers
        scores = (float(printed.psnr), float(printed.ssim)) == (fact["psnr"], fact["ssim"])
    return scores and printed.protocol == known


def test_no_score_of_the_two_standard_tables_is_left_out(facts: list[dict[str, Any]]) -> None:
    """But for the one that says less than another of the same, and one that its finder calls a slip."""
    here = {(title.removesuffix(", own script"), where, p.psnr, p.ssim) for _, title, where, p in shipped_numbers()}
    missing = [
        (fact["method"], fact["dataset"], fact["psnr"], fact["ssim"])
        for fact in facts
        if fact["dataset"] in CARDS and isinstance(fact["psnr"], str) and "RCDNet" not in fact["source"]
        if (fact["method"], CARDS[fact["dataset"]], fact["psnr"], fact["ssim"]) not in here
    ]
    assert sorted(missing) == [("DDN", "rain200h", "26.05", "0.8059"), ("Restormer", "rain13k/Rain100L", "38.99", "")]
