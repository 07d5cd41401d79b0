"""Tables of one's own: what a file asks for, what may share a column, and what stands in which mark."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from derainbench.efficiency.record import EfficiencyRecord
from derainbench.errors import UserError
from derainbench.reports.comparison.labels import renamed
from derainbench.reports.content import content
from derainbench.reports.layout.own_tables import set_own
from derainbench.reports.own_tables.default import default_spec
from derainbench.reports.own_tables.fill import fill_own, retitled
from derainbench.reports.own_tables.spec import TableSpec, read_spec, spec_data
from derainbench.reports.own_tables.table import OwnTable
from derainbench.reports.page.own_tables import own_html
from derainbench.reports.text.own_tables import own_csv, own_markdown
from derainbench.reports.titles import parse_renames
from derainbench.results.results import Results

from .conftest import Score, dataset, method, results

SETS = ("a", "b")
PRINTED = {"psnr": "33.5", "ssim": "0.91", "protocol": "y", "source": "them"}
SOURCES = {"them": {"short": "Them", "text": "Them et al. (2020)."}}


def scores(of: str, psnr: float, source: str | None = None, protocol: str = "y", seed: int = 0) -> list[Score]:
    """Scores of two datasets, trained on each or on ``source``; 1 dB more on the second."""
    return [
        (of, source or name, seed, name, "1", protocol, psnr + number, 0.9 + psnr / 1000)
        for number, name in enumerate(SETS)
    ]


def two_sets(*more: Score, **changes: Any) -> Results:
    """``net`` at 30 dB by two seeds 1 dB apart, ``net[deep=true]`` at 32, and the input."""
    given = [*scores("net", 29.5), *scores("net", 30.5, seed=1), *scores("net[deep=true]", 32.0)]
    given += scores("identity", 25.0, "untrained")
    methods = [method("identity", "Input"), method("net", "Net", 168_963), method("net[deep=true]", "Net (deep)", 9**7)]
    said = {"protocols": ["y", "rgb"], "recipe": {"name": "paper", "comparable": True, "changes": []}}
    datasets = [dataset(name, "1", title=name.upper()) for name in SETS]
    return results([*given, *scores("net", 20.0, protocol="rgb"), *more], methods, datasets, **said | changes)


def spec(*rows: Any, columns: Iterable[Any] = ({"dataset": "a"},), **more: Any) -> TableSpec:
    return TableSpec.model_validate({"protocol": "y", "columns": [*columns], "rows": [*rows], **more})


def filled(asked: TableSpec, run: Results | None = None, **more: Any) -> OwnTable:
    return fill_own(asked, content(run or two_sets(), **more), "table spec t.toml")


def texts(table: OwnTable, down: int) -> list[str]:
    return [cell.cell.text for cell in table.rows[down].cells]


NET, DEEP, INPUT = {"method": "net"}, {"method": "net[deep=true]"}, {"method": "identity"}
QUOTED = {"title": "Theirs", "published": {"a": PRINTED}}


def test_rows_and_columns_stand_in_the_order_of_the_file() -> None:
    table = filled(spec(DEEP, INPUT, NET, columns=[{"dataset": "b", "metrics": ["ssim", "psnr"]}, {"dataset": "a"}]))
    assert [row.name for row in table.rows] == ["Net (deep)", "Input", "Net"]
    assert [(c.group, c.title) for c in table.columns] == [("B", "SSIM"), ("B", "PSNR"), ("A", "PSNR"), ("A", "SSIM")]
    assert texts(table, 2) == ["0.9300", "31.00", "30.00", "0.9300"]
    assert table.rows[2].cells[1].cell.deviation_text == "0.71"


def test_quoted_and_measured_numbers_share_a_column_and_are_ranked_together() -> None:
    table = filled(spec(NET, QUOTED, DEEP, sources=SOURCES))
    psnr = [row.cells[0] for row in table.rows]
    assert [cell.cell.text for cell in psnr] == ["30.0", "33.5", "32.0"], "to the digits that are quoted"
    assert [cell.cell.rank for cell in psnr] == [None, "best", "second"]
    assert [cell.quoted for cell in psnr] == [False, True, False]
    shown = set_own(table)
    assert [line.marks for line in shown.lines] == ["", "a", ""]
    assert shown.footnotes == (("a", "Quoted: Them et al. (2020)."),)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"title": "X", "published": {"a": PRINTED | {"protocol": "rgb"}}}, "its scores are under rgb, the column's"),
        ({"title": "X", "published": {"a": {"psnr": "1", "source": "them"}}}, "of a protocol that nobody knows"),
        ({"title": "X", "published": {"a": PRINTED | {"guess": True}}}, "under y by a guess that nobody confirmed"),
        ({"title": "X", "published": {"a": PRINTED}, "trained_on": "b"}, "of a network trained on b"),
        ({"method": "net", "trained_on": "c", "title": "X"}, "of a network trained on c"),
    ],
)
def test_what_cannot_be_compared_is_refused_unless_the_file_knows_it(row: dict[str, Any], said: str) -> None:
    run = two_sets(*scores("net", 50.0, "c"))
    with pytest.raises(UserError, match=r"^table spec t\.toml: row 'X', column 'a': ") as raised:
        filled(spec(row, NET, DEEP, sources=SOURCES), run)
    assert said in str(raised.value)
    assert "apart = true" in str(raised.value)
    table = filled(spec(row | {"apart": True}, NET, DEEP, sources=SOURCES), run)
    assert [r.cells[0].cell.rank for r in table.rows] == [None, "second", "best"], "ranked with nothing"
    assert any("Not comparable with the others" in text for _, text in set_own(table).footnotes)
    silent = set_own(filled(spec(row | {"apart": True}, NET, sources=SOURCES, notes=False), run))
    assert not silent.footnotes
    assert not silent.notes
    assert silent.lines[0].name.startswith("X ("), "what keeps it apart is never left out"


def test_rows_of_any_training_set_are_compared_where_the_file_says_so() -> None:
    run = two_sets(*scores("net", 50.0, "c"))
    of_c, of_each = NET | {"trained_on": "c"}, NET | {"trained_on": "each"}
    table = filled(spec(of_c, of_each, DEEP, trained_on="any"), run)
    assert [row.cells[0].cell.rank for row in table.rows] == ["best", None, "second"]
    assert set_own(table).footnotes == (("a", "Trained on c."),)


def test_what_somebody_s_files_were_trained_on_is_for_the_row_to_say() -> None:
    run = two_sets(*scores("images[name=mine]", 40.0, "unknown"))
    run = replace(run, methods=(*run.methods, method("images[name=mine]", "Mine")))
    mine = {"method": "images[name=mine]"}
    with pytest.raises(
        UserError, match=r"trained on what is unknown \(the row's trained_on may say it\), the column's"
    ):
        filled(spec(mine, NET), run)
    for trained_on in ("a", "each"):
        table = filled(spec(mine | {"trained_on": trained_on}, NET), run)
        assert table.rows[0].cells[0].cell.rank == "best"
    shown = content(run)
    default = fill_own(default_spec(shown), shown, "t")
    assert default.rows[-1].cells[1].cell.text == "40.00", "the default table is never refused"
    assert set_own(default).footnotes == (("a", "Trained on what is unknown."),)


def test_one_dataset_under_two_protocols_has_quoted_numbers_in_the_column_of_theirs() -> None:
    columns = [{"dataset": "a", "protocol": "y"}, {"dataset": "a", "protocol": "rgb"}]
    theirs = {"title": "X", "published": {"a": PRINTED | {"protocol": "rgb"}}}
    table = filled(spec(NET, theirs, columns=columns, sources=SOURCES))
    assert texts(table, 1) == ["–", "–", "33.5", "0.91"]
    assert set_own(table).protocols == ("y", "rgb")
    assert "(rgb)" in own_markdown(set_own(table))


def test_a_row_is_measured_where_it_can_be_and_quoted_elsewhere() -> None:
    run = two_sets()
    run = replace(run, scores=run.scores[(run.scores["dataset"] != "b") | (run.scores["method"] != "net")])
    both = NET | {"published": {"a": PRINTED, "b": PRINTED | {"psnr": "40.25"}}}
    table = filled(spec(both, DEEP, columns=[{"dataset": "a"}, {"dataset": "b"}], sources=SOURCES), run)
    assert [cell.quoted for cell in table.rows[0].cells] == [False, False, True, True]
    assert texts(table, 0)[2] == "40.25"
    assert set_own(table).lines[0].marks == "", "the mark is beside the numbers"
    assert [cell.marks for cell in set_own(table).lines[0].cells] == ["", "", "a", "a"]


def test_averages_are_of_rows_with_every_score_under_one_protocol() -> None:
    columns = [{"dataset": "a"}, {"dataset": "b"}, {"average": "all", "title": "Mean", "metrics": ["psnr"]}]
    table = filled(spec(NET, DEEP, QUOTED, columns=columns, sources=SOURCES, digits={"psnr": 2}))
    assert [texts(table, down)[-1] for down in range(3)] == ["30.50", "32.50", "–"]
    mixed = [{"dataset": "a"}, {"dataset": "b", "protocol": "rgb"}, {"average": "all"}]
    with pytest.raises(UserError, match=r"column 'all' would average scores under y and rgb"):
        filled(spec(NET, columns=mixed))


def test_an_ablation_has_check_marks_and_values() -> None:
    columns = [
        {"option": "deep", "default": False, "title": "Deep"},
        {"option": "stages", "default": 4, "value": 4, "title": "4 stages"},
        {"option": "stages", "default": 4},
        {"dataset": "a", "metrics": ["psnr"]},
    ]
    table = filled(spec(NET, DEEP, QUOTED | {"options": {"deep": True}}, columns=columns, sources=SOURCES))
    assert [texts(table, down)[:3] for down in range(3)] == [["", "✓", "4"], ["✓", "✓", "4"], ["✓", "–", "–"]]
    with pytest.raises(UserError, match=r"'net' does not say its width; give the column's default"):
        filled(spec(NET, columns=[{"option": "width"}]))


def test_costs_stand_in_columns_and_never_of_two_sizes() -> None:
    row = {"method": "net", "title": "Net", "parameters": 168_963, "macs": 10**9}
    seconds = {"repeats": 3, "median": 0.25, "low": 0.24, "high": 0.26}
    rows = [row | {"width": w, "height": w, "seconds": seconds} for w in (64, 128)]
    setting = {"device": "cpu", "name": "x", "threads": 1, "system": "s", "torch": "2", "precision": "fp32"}
    session = {"setting": setting, "derainbench": "0", "created": "", "macs_tool": "t", "rows": rows}
    record = EfficiencyRecord.model_validate({"schema": 2, "sessions": [session]})
    columns = [{"cost": "parameters"}, {"cost": "latency", "size": "64x64"}, {"dataset": "a"}]
    theirs = QUOTED | {"costs": {"parameters": "3.6"}}
    table = filled(spec(NET, INPUT, theirs, columns=columns, sources=SOURCES), efficiency=record)
    assert [texts(table, down)[:2] for down in range(3)] == [["0.169", "250"], ["–", "–"], ["3.6", "–"]]
    assert "Time: median of one image of 64×64 pixels on cpu (x, 1 thread), fp32, torch 2." in table.notes
    with pytest.raises(UserError, match=r"may be 64x64 on .*; 128x128 on .*; choose by size and setting"):
        filled(spec(NET, columns=[{"cost": "latency"}]), efficiency=record)
    with pytest.raises(UserError, match="nothing of that was measured"):
        filled(spec(NET, columns=[{"cost": "latency"}]))


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(4)), columns=st.permutations(range(3)))
def test_rows_and_columns_permuted_in_the_file_are_permuted_in_the_table(order: list[int], columns: list[int]) -> None:
    shown = content(two_sets())
    rows = [NET, DEEP, INPUT, QUOTED]
    heads = [{"dataset": "a", "metrics": ["psnr"]}, {"dataset": "b", "metrics": ["ssim"]}, {"cost": "parameters"}]
    before = fill_own(spec(*rows, columns=heads, sources=SOURCES), shown, "t")
    after = fill_own(spec(*(rows[n] for n in order), columns=[heads[n] for n in columns], sources=SOURCES), shown, "t")
    for down, n in enumerate(order):
        assert after.rows[down].name == before.rows[n].name
        assert after.rows[down].cells == tuple(before.rows[n].cells[m] for m in columns)


def test_the_default_file_gives_the_comparison_and_comes_back_from_text() -> None:
    shown = content(two_sets())
    asked = default_spec(shown)
    table = fill_own(TableSpec.model_validate(tomllib.loads(tomli_w.dumps(spec_data(asked)))), shown, "t")
    comparison = shown.tables[0]
    assert [row.name for row in table.rows] == [row.entry.full_label for row in comparison.rows]
    for row, compared in zip(table.rows, comparison.rows, strict=True):
        assert [cell.cell for cell in row.cells[1:]] == [*compared.cells]
        assert row.cells[0].cell.text == compared.entry.parameters


def test_markdown_csv_and_html_of_a_small_table() -> None:
    shown = set_own(
        filled(spec(NET, QUOTED, DEEP | {"line": True}, sources=SOURCES, caption="A | B", digits={"ssim": 3}))
    )
    assert own_markdown(shown) == GOLDEN_MARKDOWN
    assert own_csv(shown) == GOLDEN_CSV
    page = own_html(shown)
    assert re.findall(r"<strong>([^<]*)</strong>", page) == ["33.5", "0.932"]
    assert "<figcaption>A | B</figcaption>" in page
    assert page.count('class="line"') == 1


GOLDEN_MARKDOWN = """\
A \\| B

| Method              |          A PSNR |                   A SSIM |
|:--------------------|----------------:|-------------------------:|
| Net                 |      30.0 ± 0.7 | <ins>0.930 ± 0.001</ins> |
| Theirs <sup>a</sup> |        **33.5** |                     0.91 |
| Net (deep)          | <ins>32.0</ins> |                **0.932** |

- <sup>a</sup> Quoted: Them et al. (2020).
- PSNR in dB and SSIM under protocol y (Y of BT.601, SSIM Gaussian 11x11 with automatic downsampling), means over test images.
- Networks trained on the training images of each column's own dataset.
- Best in bold, second best underlined; higher is better.
- ± is the sample standard deviation over seeds.
"""  # noqa: E501
GOLDEN_CSV = """\
Method,A PSNR,A PSNR deviation,A SSIM,A SSIM deviation,Marks
Net,30.0,0.7,0.930,0.001,
Theirs,33.5,,0.91,,Quoted: Them et al. (2020).
Net (deep),32.0,,0.932,,
"""


def test_names_come_from_the_command(tmp_path: Path) -> None:
    titles = parse_renames(["net[deep=true]=Ours = best", "identity=Rain"])
    assert titles == {"net[deep=true]": "Ours = best", "identity": "Rain"}
    run = renamed(two_sets(), titles)
    assert [each.title for each in run.methods] == ["Rain", "Net", "Ours = best"]
    shown = content(run)
    asked = retitled(spec(NET, DEEP | {"title": "Deep"}), shown, titles)
    assert [row.name for row in fill_own(asked, shown, "t").rows] == ["Net", "Ours = best"]
    two = results([], [method("net[a=1,b=2]@x", "T"), method("net@y", "T")], [dataset("a", "1")])
    assert [each.title for each in renamed(two, {"net[b=2,a=1]": "Ours"}).methods] == ["Ours", "T"]
    with pytest.raises(UserError, match="are one method, "):
        renamed(two, {"net[b=2,a=1]": "Ours", "net[a=1,b=2]": "Mine"})
    with pytest.raises(UserError, match=r"'net\[c=1\]'; did you mean"):
        renamed(two, {"net[c=1]": "Ours"})
    several = results([], [method("net@x", "T"), method("net@y", "T")], [dataset("a", "1")])
    with pytest.raises(UserError, match=r"'net' may be net@x, net@y; give one of these names"):
        renamed(several, {"net": "Ours"})
    with pytest.raises(UserError, match=r"the run has no method 'ned'; did you mean 'net'\?"):
        renamed(two_sets(), {"ned": "X"})
    for word in ("net", "=X", "net=", "net= "):
        with pytest.raises(UserError, match="write METHOD=TITLE"):
            parse_renames([word])
    with pytest.raises(UserError, match="twice"):
        parse_renames(["net=A", "net=B"])
    with pytest.raises(UserError, match=r"--rename 'net=\\x1b\[31mred': the title .* holds a control character"):
        parse_renames(["net=\x1b[31mred"])
    assert parse_renames(["net=two\n lines"]) == {"net": "two lines"}


FILE = """
protocol = "y"
columns = [{ dataset = "a" }]
[[rows]]
method = "net"
title = "Net"
"""


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('title = "Net"', 'titel = "Net"', ["row 'net', titel: no such key", "did you mean 'title'?"]),
        ('method = "net"\n', "", ["row 'Net'", "give its method, quote or published"]),
        ('title = "Net"', 'title = "\\u001b[31mNet"', ["title: ", "holds a control character; remove it"]),
        ('{ dataset = "a" }', "{ }", ["column 1: give one of dataset, average, option, cost, text"]),
        ('{ dataset = "a" }', '{ dataset = "a", cost = "macs" }', ["not dataset and cost"]),
        ('{ dataset = "a" }', '{ cost = "macs", metrics = ["psnr"] }', ["metrics does not go with cost"]),
        (
            '{ dataset = "a" }',
            '{ cost = "price" }',
            ["column 'price', cost", "'latency' or 'memory'"],
        ),
        ('protocol = "y"', "layout = { columns = 3 }", ["layout.columns", "1 or 2"]),
        ('protocol = "y"', 'layout = { width = "wide" }', ["layout.width"]),
        (
            'title = "Net"',
            'published.a = { psnr = 3.5, source = "x" }',
            ["row 'net', published.a.psnr", "quotation marks"],
        ),
        ('title = "Net"', 'published.a = { psnr = "3.5", source = "x" }', ["there is no 'x'; write [sources.x]"]),
        ('title = "Net"', 'title = "Net', ["is not TOML"]),
    ],
)
def test_a_mistake_in_the_file_is_one_line(tmp_path: Path, before: str, after: str, said: list[str]) -> None:
    path = tmp_path / "t.toml"
    path.write_text(FILE.replace(before, after), encoding="utf-8")
    with pytest.raises(UserError) as raised:
        read_spec(path)
    text = str(raised.value)
    assert text.startswith(f"table spec {path}")
    assert "\n" not in text
    for part in said:
        assert part in text, text


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (spec({"method": "ned"}), "row 'ned': the run has no method 'ned'; did you mean 'net'?"),
        (spec(NET, columns=[{"dataset": "aa"}]), "column 'aa': the run has no 'aa'"),
        (spec(NET, columns=[{"dataset": "a", "protocol": "yy"}]), "no protocol 'yy'; did you mean 'y'?"),
        (spec(NET, columns=[{"dataset": "a", "protocol": "y-u8"}]), "run again with --protocols y-u8"),
        (spec(NET, protocol=None), "column 'a' names no protocol"),
        (spec(NET, columns=[{"dataset": "a", "metrics": ["pnsr"]}]), "no metric 'pnsr'; did you mean 'psnr'?"),
        (spec({"quote": {"table": "nasnet/2", "row": "PRENet"}}), "did you mean 'PReNet'?"),
        (spec({"quote": {"table": "nasnt", "row": "PReNet"}}), "no table is called 'nasnt'"),
        (spec(NET, digits={"pnsr": 2}), "digits: no metric 'pnsr'; did you mean 'psnr'?"),
        (spec(NET | {"options": {"depth": 1}}), "options: no column shows 'depth'"),
        (spec(NET, columns=[{"dataset": "a"}, {"average": ["c"]}]), "column 'average': no column is of 'c'"),
        (spec(QUOTED, columns=[{"dataset": "b"}], sources=SOURCES), "published: no column is of 'a'"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_one_line(asked: TableSpec, said: str) -> None:
    with pytest.raises(UserError) as raised:
        filled(asked)
    assert str(raised.value).startswith("table spec t.toml: ")
    assert said in str(raised.value)


def test_a_value_that_no_row_has_is_a_mistake() -> None:
    options = [{"options": {"attention": value}, **NET} for value in ("na", "se")]
    column = {"option": "attention", "value": "non"}
    with pytest.raises(UserError, match="no row's attention is 'non'; known: na, se"):
        filled(spec(options[0], options[1], columns=[column, {"dataset": "a"}]))


def test_notes_warn_of_what_is_no_publication() -> None:
    quick = two_sets(recipe={"name": "quick", "comparable": False, "changes": []})
    assert "Trained here with recipe quick: not comparable with published numbers." in filled(spec(NET), quick).notes
    notes = filled(spec(INPUT), quick).notes
    assert not any("quick" in note for note in notes), "nothing of it was trained"


def test_the_files_of_the_page_on_tables_are_files(project: Path) -> None:
    blocks = re.findall(r"^```toml\n(.*?)^```", (project / "docs" / "tables.md").read_text("utf-8"), re.M | re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        assert TableSpec.model_validate(tomllib.loads(block)).rows


def test_an_average_is_over_the_same_datasets_in_every_row() -> None:
    """A network that restores a dataset without a flaw has no mean of the others alone to be ranked by."""
    flawless = [("net", "a", 0, "a", "1", "y", math.inf, 1.0), ("net", "b", 0, "b", "1", "y", 20.0, 0.8)]
    methods = [method("net", "Net"), method("net[deep=true]", "Net (deep)")]
    datasets = [dataset(name, "1", title=name.upper()) for name in SETS]
    run = results([*flawless, *scores("net[deep=true]", 32.0)], methods, datasets, protocols=["y"])
    table = filled(spec(NET, DEEP, columns=[{"dataset": "a"}, {"dataset": "b"}, {"average": "all"}]), run)
    assert texts(table, 0) == ["∞", "1.0000", "20.00", "0.8000", "–", "0.9000"]
    assert texts(table, 1)[4:] == ["32.50", "0.9320"]


def test_a_dataset_of_several_columns_counts_once_in_an_average() -> None:
    psnr, ssim = {"dataset": "a", "metrics": ["psnr"]}, {"dataset": "a", "metrics": ["ssim"]}
    table = filled(spec(DEEP, columns=[psnr, ssim, psnr, {"dataset": "b"}, {"average": "all"}]))
    assert texts(table, 0)[-2:] == ["32.50", "0.9320"]


@pytest.mark.parametrize("average", ["all", ["a", "b"]])
def test_an_average_leaves_no_dataset_out_without_a_word(average: Any) -> None:
    columns = [{"dataset": "a"}, {"dataset": "a", "protocol": "rgb"}, {"dataset": "b", "protocol": "rgb"}]
    with pytest.raises(UserError, match="would leave out b, which no column shows under y"):
        filled(spec(NET, columns=[*columns, {"average": average}]))
    table = filled(spec(NET, columns=[*columns, {"average": average, "protocol": "rgb", "metrics": ["psnr"]}]))
    assert texts(table, 0)[-1] == "20.50"


def test_a_rename_that_would_make_rows_alike_is_refused() -> None:
    titles = parse_renames(["net[deep=true]=Ours", "identity=Ours"])
    with pytest.raises(UserError, match=r"--rename calls 'net\[deep=true\]' and 'identity' 'Ours'"):
        retitled(spec(NET, DEEP, INPUT), content(two_sets()), titles)


def test_where_all_training_sets_are_compared_every_row_says_its_own() -> None:
    run = two_sets(*scores("net", 50.0, "c"))
    other = NET | {"trained_on": "c", "title": "Net (trained on c-2)"}
    shown = set_own(filled(spec(other, DEEP, trained_on="any"), run))
    assert shown.footnotes == (("a", "Trained on c."),), "the title names another set that begins alike"
    assert "Networks trained on the training images of each column's own dataset, where nothing else is said." in [
        *shown.notes
    ]
    assert not set_own(filled(spec(other | {"title": "Net, trained on c"}, DEEP, trained_on="any"), run)).footnotes
