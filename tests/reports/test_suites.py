"""Suites out of papers' tables."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from derainbench.reports.published.suites import read_suite

Refused = Callable[..., AbstractContextManager[None]]

TABLE = """
paper = "mine"
caption = "Two methods"
columns = [{ dataset = "rain100l", title = "Rain100L" }, { dataset = "rain12", title = "Rain12" }]
sources.mine = { short = "Mine", text = "My notes." }

[[rows]]
title = "Moved"
measure = { method = "prenet", trained_on = "rain100l" }

[[rows]]
title = "Printed once"
measure = { method = "nasnet", recipe = { lr = 1e-4 } }
published.rain12 = { psnr = "30.1", source = "mine" }

[[rows]]
title = "No method"
published.rain100l = { psnr = "30.1", source = "mine" }
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of one's own, in a folder below."""
    path = tmp_path / "tables" / "mine.toml"
    path.parent.mkdir()
    path.write_text(TABLE)
    return path


def test_the_ablations_of_the_paper() -> None:
    """Tables 7, 8 and 9, with their learning rate and length where the paper names them."""
    suite = read_suite("nasnet-ablations")
    assert suite.name == "nasnet-ablations"
    assert [(w.table, w.row, w.method, w.tested_on) for w in suite.wanted] == [
        ("nasnet/7", "PlainNet", "nasnet[attention=none]", "spa-real"),
        ("nasnet/7", "SENet", "nasnet[attention=se]", "spa-real"),
        ("nasnet/7", "NASNet", "nasnet", "spa-real"),
        ("nasnet/8", "Stage=1", "nasnet[stages=1]", "rain100h"),
        ("nasnet/8", "Stage=2", "nasnet[stages=2]", "rain100h"),
        ("nasnet/8", "Stage=3", "nasnet", "rain100h"),
        ("nasnet/8", "Stage=4", "nasnet[stages=4]", "rain100h"),
        ("nasnet/9", "DirectNet", "nasnet[fusion=none]", "spa-real"),
        ("nasnet/9", "NASNet", "nasnet", "spa-real"),
    ]
    shorter = {"lr": 1e-4, "steps": 200_000}
    assert [dict(w.recipe) for w in suite.wanted] == [*[shorter] * 3, *[{}] * 4, *[shorter] * 2]
    assert all(w.trained_on == w.tested_on == w.column for w in suite.wanted)


def test_the_main_tables_of_the_paper() -> None:
    wanted = read_suite("nasnet-tables").wanted
    assert {w.table for w in wanted} == {f"nasnet/{n}" for n in range(1, 6)}
    ours = [w.tested_on for w in wanted if w.method == "nasnet"]
    assert ours == ["rain100h", "rain100l", "spa-real", "raincityscapes", "mpid-drop", "mpid-streak"]


def test_a_suite_of_ones_own(tmp_path: Path, table: Path) -> None:
    """Paths are relative to the file; the name is the file's unless it says another."""
    path = tmp_path / "both.toml"
    path.write_text('tables = ["nasnet/9", "tables/mine.toml"]')
    suite = read_suite(str(path))
    assert suite.name == "both"
    assert [(w.table, w.row) for w in suite.wanted[:2]] == [("nasnet/9", "DirectNet"), ("nasnet/9", "NASNet")]
    assert [(w.row, w.method, w.trained_on, w.tested_on, dict(w.recipe)) for w in suite.wanted[2:]] == [
        ("Moved", "prenet", "rain100l", "rain100l", {}),
        ("Moved", "prenet", "rain100l", "rain12", {}),
        ("Printed once", "nasnet", "rain12", "rain12", {"lr": 1e-4}),
    ]
    path.write_text(f'name = "named"\ntables = ["{table}"]')
    assert read_suite(str(path)).name == "named"


def test_a_table_may_be_of_a_dataset_that_only_the_command_knows(tmp_path: Path, table: Path, refused: Refused) -> None:
    table.write_text(TABLE.replace("rain12", "myrain"))
    path = tmp_path / "mine.toml"
    path.write_text('tables = ["tables/mine.toml"]')
    with refused("mine.toml", "'myrain'"):
        read_suite(str(path))
    assert read_suite(str(path), ["myrain"]).wanted[1].tested_on == "myrain"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tables = ", ["not TOML", "mend it"]),
        ("", ["tables", 'tables = ["nasnet/7"]']),
        ("tables = []", ["tables", "at least 1"]),
        ('tables = ["nasnet/77"]', ["'nasnet/77'", "did you mean 'nasnet/7'?"]),
        ('tables = ["nasnet/6"]', ["nothing in nasnet/6 can be measured"]),
        ('tables = ["nasnet/7"]\nname = "a/b"', ["name"]),
        ('tables = ["nasnet/7"]\ntabels = 1', ["tabels", "did you mean 'tables'?"]),
        ('tables = ["gone.toml"]', ["gone.toml cannot be read", "check the path"]),
        (TABLE, ["suite.toml is a table; make a suite file", 'tables = ["suite.toml"]']),
    ],
)
def test_mistakes_in_a_file(tmp_path: Path, text: str, words: list[str], refused: Refused) -> None:
    path = tmp_path / "suite.toml"
    path.write_text(text)
    with refused(*words):
        read_suite(str(path))


def test_what_is_no_suite(refused: Refused) -> None:
    with refused("'nasnet-ablation'", "did you mean 'nasnet-ablations'?", ".toml"):
        read_suite("nasnet-ablation")
    with refused("missing.toml cannot be read", "check the path"):
        read_suite("missing.toml")
