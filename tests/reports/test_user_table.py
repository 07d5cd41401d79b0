"""A stranger's own table: what a mistake in it says, and what one may leave out."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from derainbench.reports.comparison.measured import measured
from derainbench.reports.layout.published import set_tables
from derainbench.reports.published.filled import fill
from derainbench.reports.published.shipped import PaperTable, paper_tables
from derainbench.reports.tex.bibtex import bibliography
from derainbench.reports.text.markdown import published_markdown

from .conftest import dataset, method, results
from .published_renderings import latex, page, rows_of_latex, rows_of_page

OWN = """
paper = "ours"
caption = "Our method beside PReNet"
columns = [{ dataset = "rain100l", title = "Rain100L" }]

[[rows]]
title = "PReNet"
measure = { method = "prenet@rain100l" }
published.rain100l = { psnr = "37.48", ssim = ".979", protocol = "y", source = "ours", note = "see there" }

[[rows]]
title = "Ours"
measure = { method = "mine", recipe = { steps = 100 } }

[sources.ours]
short = "Ours"
text = "Our paper (2026)."
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], str]:
    """Writes a table's file and gives its path."""

    def to_file(text: str) -> str:
        path = tmp_path / "own.toml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return to_file


def own(path: str) -> PaperTable:
    (table,) = paper_tables([path])
    return table


def test_a_table_of_ones_own_is_filled_like_any_other(write: Callable[[str], str]) -> None:
    table = own(write(OWN))
    assert (table.name, table.title) == ("own", "Ours")
    assert [(row.title, measure.method) for row, _, measure in table.measured()] == [
        ("PReNet", "prenet@rain100l"),
        ("Ours", "mine"),
    ]
    scores = [("mine", "rain100l", 0, "rain100l", "1", "y", 38.125, 0.98765)]
    filled = fill(table, measured(results(scores, [method("mine")], [dataset("rain100l", "1")], protocols=["y"])))
    assert [cell.text for cell in filled.rows[1].measured["y"]] == ["38.12", "0.988"], "to the digits of the column"
    assert rows_of_page(page((filled,))) == {"own": [["PReNet", "37.48", ".979"], ["Ours", "–", "–"]]}
    assert rows_of_latex(latex((filled,))) == [[["PReNet", "37.48", ".979"], ["Ours", "-", "-"]]]
    text = "\n".join(published_markdown(set_tables((filled,))))
    assert "38.12" in text
    assert "see there" in text


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('ssim = ".979"', 'sim = ".979"', ["row 'PReNet'", "published.rain100l.sim", "did you mean 'ssim'?"]),
        ('psnr = "37.48"', "psnr = 37.48", ["row 'PReNet'", "published.rain100l.psnr", 'quotation marks, "37.48"']),
        ('psnr = "37.48"', 'psnr = "37,48"', ["row 'PReNet'", "published.rain100l.psnr", "pattern"]),
        ('protocol = "y"', 'protocol = "y-u9"', ["row 'PReNet'", "protocol", "did you mean 'y-u8'?", "leave it out"]),
        ('source = "ours"', 'source = "our"', ["row 'PReNet'", "source", "'our'", "did you mean 'ours'?"]),
        ('paper = "ours"', 'paper = "nasnet"', ["paper", "'nasnet'"]),
        ('"rain100l", title', '"rain1001", title', ["columns", "'rain1001'", "did you mean"]),
        ("published.rain100l", "published.rain100h", ["row 'PReNet'", "'rain100h'", "did you mean 'rain100l'?"]),
        ('"mine", recipe', '"mi ne", recipe', ["row 'Ours'", "measure.method", "not a method name"]),
        ("steps = 100", "step = 100", ["row 'Ours'", "measure.recipe", "did you mean 'steps'?"]),
        ("steps = 100", "steps = 0", ["row 'Ours'", "measure.recipe", "steps", "greater than or equal to 1"]),
        ('title = "Ours"\n', "", ["row 2", "title"]),
        ('caption = "', 'captoin = "', ["captoin", "did you mean 'caption'?"]),
        ("paper =", "kind = 'score'\npaper =", ["kind", "'scores' or 'parameters'"]),
        ("paper =", "number = 2\npaper =", ["number", 'write number = "2"']),
        (
            "[sources.ours]",
            "[sources.ours]\nbibtex = '@misc{a, title = {...}, ...}'",
            ["sources.ours.bibtex", "leave it"],
        ),
        ("paper =", "paper", ["is not TOML", "mend it"]),
        ("[sources.ours]", "[[sources]]", ["sources", "[sources.KEY]"]),
    ],
)
def test_a_mistake_is_one_line_with_file_field_and_remedy(
    write: Callable[[str], str],
    refused: Callable[..., AbstractContextManager[None]],
    before: str,
    after: str,
    said: list[str],
) -> None:
    assert OWN.count(before) >= 1
    with refused("own.toml", *said):
        paper_tables([write(OWN.replace(before, after, 1))])


def test_the_documented_example_is_a_table(project: Path, write: Callable[[str], str]) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", (project / "docs" / "add-a-table.md").read_text(), re.DOTALL)
    table = own(write(example))
    assert [row.title for row in table.rows] == ["PReNet", "JORDER", "Ours"]
    assert sorted(table.sources) == ["ours", "prenet"]
    assert bibliography([table.sources["prenet"].bibtex]).entries, "its citation can be read"
    tex = latex((fill(table, measured(results([], [], []))),))
    # a note that begins with a small letter ends the source's sentence
    assert "Networks (CVPR 2019); from released outputs." in tex


def test_a_method_that_nobody_knows_is_told(write: Callable[[str], str]) -> None:
    def notes(name: str, *methods: str) -> list[str]:
        text = OWN.replace('"prenet@rain100l"', f'"{name}"')
        filled = fill(own(write(text)), measured(results([], [method(each) for each in ("mine", *methods)], [])))
        return [note for note in filled.notes if "known method" in note]

    assert notes("prenett") == ["PReNet: prenett is neither in this run nor a known method; did you mean 'prenet'?"]
    assert notes("qqqq") == ["PReNet: qqqq is neither in this run nor a known method."]
    assert notes("qqqq", "qqqq") == []
    assert notes("min")[0].endswith("did you mean 'mine'?")
    assert notes("jorder") == [], "the tables that come with derainbench name it"
    assert notes("rescan") == [], "it is installed"


def test_a_dataset_that_only_a_run_knows_may_be_a_column(
    write: Callable[[str], str], refused: Callable[..., AbstractContextManager[None]]
) -> None:
    path = write(OWN.replace("rain100l", "mine"))
    with refused("there is no 'mine'"):
        paper_tables([path])
    assert [column.dataset for table in paper_tables([path], ["mine"]) for column in table.columns] == ["mine"]


def test_two_tables_of_one_name_are_refused(
    tmp_path: Path, refused: Callable[..., AbstractContextManager[None]]
) -> None:
    paths = [tmp_path / folder / "own.toml" for folder in "ab"]
    for path in paths:
        path.parent.mkdir()
        path.write_text(OWN, encoding="utf-8")
    with refused("two tables are called 'own'", str(paths[0]), str(paths[1])):
        paper_tables([str(path) for path in paths])
    named = tmp_path / "b" / "own.toml"
    named.write_text('name = "other"\n' + OWN, encoding="utf-8")
    assert [table.name for table in paper_tables([str(path) for path in paths])] == ["own", "other"]


def test_a_file_that_is_not_there_is_told(refused: Callable[..., AbstractContextManager[None]]) -> None:
    with refused("nowhere.toml", "cannot be read", "check the path"):
        paper_tables(["nowhere.toml"])


def test_what_a_table_says_is_text_everywhere(write: Callable[[str], str]) -> None:
    nasty = "<script>alert(1)</script> & 100% | _x_"
    text = OWN.replace('title = "PReNet"', f'title = "{nasty}"').replace("see there", nasty)
    filled = fill(own(write(text.replace("Our method", nasty))), measured(results([], [], [])))
    assert "<script>" not in page((filled,))
    assert rows_of_page(page((filled,)))["own"][0][0] == nasty
    tex = latex((filled,))
    assert "100%" not in tex.replace(r"100\%", "")
    assert "<script>" not in "\n".join(published_markdown(set_tables((filled,))))
