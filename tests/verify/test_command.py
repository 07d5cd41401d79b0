"""``derainbench datasets verify`` as a user calls it: what it prints, and its exit status."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from derainbench.cli.main import main
from derainbench.verify.text import MOST_LINES, as_text
from derainbench.verify.verdict import Finding, SplitVerdict, Verdict

from .conftest import Pictures

Call = Callable[..., tuple[int, str, str]]

CARD = """
name = "mine"
title = "Mine"
rain_model = "streak"
kind = "synthetic"
root = "data"
additive = true
counts = { test = 6 }
%s
[[layouts]]
name = "folders"
test = { rainy = "rainy/r-{id:d}.png", clean = "clean/c-{id:d}.png" }
"""


@pytest.fixture
def call(pictures: Pictures, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Runs ``derainbench ARGUMENTS`` beside the card of the pictures: (exit status, output, error output)."""
    monkeypatch.delenv("DERAINBENCH_DATA", raising=False)
    monkeypatch.chdir(pictures.root.parent)
    Path("mine.toml").write_text(CARD % "")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["derainbench", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        return int(stop.value.code or 0), *capfd.readouterr()

    return run


def verify(call: Call, *more: str, name: str = "mine") -> tuple[int, str, str]:
    """``derainbench datasets verify mine``."""
    return call("datasets", "verify", name, "--card", "mine.toml", "--workers", "1", *more)


def test_a_usable_dataset(pictures: Pictures, call: Call) -> None:
    status, out, err = verify(call)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[:2] == ["mine: usable", f"  layout 'folders' in {pictures.root}"]
    assert lines[2].startswith("  test: 6 pairs, 6 scenes, input ")
    assert lines[2].endswith(" under y (not compared: the card gives none)")
    manifest = pictures.dataset(root=str(pictures.root)).manifest("test")
    assert lines[3] == f"    manifest {manifest.digest[:12]}: {manifest.path}"
    assert len(lines) == 4


def test_an_unusable_one(pictures: Pictures, call: Call) -> None:
    pictures.path("r-2").write_bytes(b"")
    pictures.exchange("r-3", "c-3")
    status, out, _ = verify(call)
    assert status == 1
    lines = out.splitlines()
    assert lines[0] == "mine: NOT usable: 2 problems (1 unreadable, 1 swapped)"
    assert "  unreadable: rainy/r-2.png is empty, not an image; restore it" in lines
    assert any(line.startswith("  swapped: rainy/r-3.png and clean/c-3.png are swapped") for line in lines)
    assert not any("manifest" in line for line in lines)


def test_json_is_all_that_is_printed(pictures: Pictures, call: Call) -> None:
    status, out, _ = verify(call, "--json")
    found = json.loads(out)
    assert status == 0
    assert found["usable"] is True
    (split,) = found["datasets"][0]["splits"]
    assert (split["pairs"], split["problems"], split["scores"]["protocol"]) == (6, [], "y")
    pictures.path("r-2").write_bytes(b"")
    status, out, _ = verify(call, "--json")
    found = json.loads(out)
    assert (status, found["usable"], found["datasets"][0]["usable"]) == (1, False, False)
    (split,) = found["datasets"][0]["splits"]
    (problem,) = split["problems"]
    assert (problem["kind"], problem["files"]) == ("unreadable", ["rainy/r-2.png"])
    assert split["digest"] is None


def test_all_is_what_is_here(call: Call) -> None:
    Path("empty").mkdir()
    status, out, _ = verify(call, "--data-root", "empty", name="all")
    assert (status, out) == (0, "mine: usable; test 6 pairs\n")


def test_all_says_which_are_not(pictures: Pictures, call: Call) -> None:
    pictures.path("r-2").unlink()
    status, out, _ = verify(call, "--data-root", ".", name="all")
    assert status == 1
    assert out.startswith("mine: NOT usable: 2 problems (1 count, 1 orphan); test 5 pairs; see derainbench datasets")


@pytest.mark.parametrize("arguments", [["nobody"], ["rain200l"], ["all"], ["mine", "--workers", "0"]])
def test_mistakes_are_one_line(call: Call, arguments: list[str]) -> None:
    Path("empty").mkdir()
    status, out, err = call("datasets", "verify", *arguments, "--data-root", "empty")
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert len(err.splitlines()) == 1


@pytest.mark.slow
def test_workers_find_what_one_process_finds(pictures: Pictures, call: Call, scene: Callable[..., np.ndarray]) -> None:
    for number in range(7, 11):
        pictures.save(f"c-{number}", scene(number))
        pictures.save(f"r-{number}", scene(number) + np.uint8(30))
    pictures.exchange("r-2", "r-9")
    pictures.path("c-4").write_bytes(b"")
    alone = verify(call, "--json")
    shared = verify(call, "--json", "--workers", "2")
    assert alone[0] == 1
    assert shared == alone


def test_the_score_is_to_the_bit_that_of_a_run(call: Call) -> None:
    scores = json.loads(verify(call, "--json")[1])["datasets"][0]["splits"][0]["scores"]
    run = ("--methods", "identity", "--datasets", "mine", "--card", "mine.toml", "--device", "cpu", "--out", "run")
    assert call("run", *run, "--recipe", "quick")[0] == 0
    table = pd.read_parquet("run/eval/identity/untrained/seed0/mine/scores.parquet").query("protocol == 'y'")
    assert len(table) == 6
    from derainbench.stats.means import finite_mean

    assert (scores["psnr"], scores["ssim"]) == (finite_mean(table["psnr"])[0], finite_mean(table["ssim"])[0])


def test_another_score_than_the_cards_is_a_problem(pictures: Pictures, call: Call) -> None:
    found = json.loads(verify(call, "--json")[1])["datasets"][0]["splits"][0]["scores"]

    def known(psnr: float, ssim: float) -> tuple[int, str, str]:
        score = f"input_score = {{ protocol = 'y', psnr = {psnr}, ssim = {ssim} }}"
        Path("mine.toml").write_text(CARD % score)
        return verify(call)

    assert known(found["psnr"] + 0.004, found["ssim"] - 0.00019)[0] == 0
    for wrong in ((found["psnr"] + 0.006, found["ssim"]), (found["psnr"], found["ssim"] - 0.00021)):
        status, out, _ = known(*wrong)
        assert status == 1
        assert "score: the input scores" in out
        assert "the files are not the ones the card describes" in out
    pictures.path("r-2").write_bytes(b"")
    out = known(99.0, 0.5)[1]
    assert "score:" not in out
    assert "(not compared: the pairs are not sound)" in out
    pictures.path("r-2").unlink()
    assert "(not compared: the card's is of 6 pairs)" in known(99.0, 0.5)[1]


def test_a_score_that_nobody_has_confirmed_is_a_notice(call: Call) -> None:
    score = "input_score = { protocol = 'y', psnr = 99.0, ssim = 0.5, unconfirmed = true }"
    Path("mine.toml").write_text(CARD % score)
    status, out, _ = verify(call)
    assert status == 0
    line = out.split("notices:\n")[1].splitlines()[0]
    assert line.startswith("  score: the input scores ")
    assert line.endswith("or its score is wrong, which nobody has confirmed")
    assert "manifest" in out


@pytest.mark.parametrize("name", ["mine", "all"])
def test_what_cannot_be_looked_for_is_a_problem_of_the_dataset(pictures: Pictures, call: Call, name: str) -> None:
    """Not a mistake of the call: the dataset is there, but a folder loops, or a name is no text."""
    root = pictures.root
    (root / "clean").rename(root / "aside")
    (root / "clean").symlink_to(root / "clean")  # permissions would not stop the system's administrator
    status, out, err = verify(call, "--data-root", ".", name=name)
    assert (status, err) == (1, "")
    assert out.startswith("mine: NOT usable: 1 problem (1 unreadable)")
    found = json.loads(verify(call, "--json", "--data-root", ".", name=name)[1])
    (split,) = found["datasets"][0]["splits"]
    (problem,) = split["problems"]
    assert problem["kind"] == "unreadable"
    assert problem["message"].startswith(f"{root / 'clean'}: ")
    (root / "clean").unlink()
    (root / "aside").rename(root / "clean")

    for each in (root / "rainy").iterdir():
        each.rename(each.with_stem(f"{each.stem}\n"))
    Path("mine.toml").write_text((CARD % "").replace("{id:d}", "{id}"))
    status, out, err = verify(call, "--data-root", ".", name=name)
    assert (status, err) == (1, "")
    assert out.startswith("mine: NOT usable: 1 problem (1 unreadable)")
    if name == "mine":
        assert "  unreadable: " in out
        assert "whose name is not text" in out


def test_a_folder_of_an_absent_split_that_cannot_be_read_is_a_problem_too(pictures: Pictures, call: Call) -> None:
    more = 'train = { rainy = "rain/{id:d}.png", clean = "gt/{id:d}.png" }'
    Path("mine.toml").write_text(f"{CARD % ''}{more}\n")
    (pictures.root / "gt").symlink_to(pictures.root / "gt")
    status, out, err = verify(call)
    assert (status, err) == (1, "")
    assert out.startswith("mine: NOT usable: 1 problem (1 unreadable)")


def test_training_splits_alone_need_no_torch(pictures: Pictures) -> None:
    card = (CARD % "").replace("test =", "train =")
    (pictures.root.parent / "mine.toml").write_text(card)
    code = (
        "import sys; from pathlib import Path; from derainbench.catalogue.cards import read_card;"
        "from derainbench.catalogue.locate import locate; from derainbench.verify.verify import verify;"
        "print(verify(locate(read_card(Path('mine.toml')), None)).usable, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=pictures.root.parent, capture_output=True, text=True, check=True
    )
    assert done.stdout == "True False\n"


def _children(process: int) -> list[str]:
    return Path(f"/proc/{process}/task/{process}/children").read_text().split()


@pytest.mark.slow
@pytest.mark.skipif(not Path(f"/proc/{os.getpid()}/task").exists(), reason="asks Linux for a process's children")
def test_an_interrupt_ends_it(pictures: Pictures, scene: Callable[..., np.ndarray]) -> None:
    pictures.save("c-1", scene(1, (1000, 1500)))
    pictures.save("r-1", scene(1, (1000, 1500)) + np.uint8(9))
    for number in range(2, 200):
        for name in ("c", "r"):
            pictures.path(f"{name}-{number}").unlink(missing_ok=True)
            os.link(pictures.path(f"{name}-1"), pictures.path(f"{name}-{number}"))
    (pictures.root.parent / "mine.toml").write_text(CARD % "")
    command = [sys.executable, "-m", "derainbench", "datasets", "verify", "mine", "--card", "mine.toml"]
    with subprocess.Popen(
        [*command, "--workers", "2"], cwd=pictures.root.parent, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        while len(_children(process.pid)) < 3 and process.poll() is None:  # two workers, and who tracks their resources
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert b"Traceback" not in err


def test_the_page_says_what_each_kind_is(project: Path) -> None:
    sources = [path.read_text() for path in (project / "derainbench").rglob("*.py")]
    kinds = {kind for text in sources for kind in re.findall(r'(?:Finding|Problem)\(\s*"([^"]+)"', text)}
    assert len(kinds) > 15
    page = (project / "docs/verify.md").read_text()
    assert {kind for kind in kinds if f"`{kind}`" not in page} == set()


def test_long_lists_of_backgrounds_are_counted() -> None:
    def shown(count: int) -> list[str]:
        groups = tuple((f"a{n}", f"b{n}") for n in range(count))
        split = SplitVerdict("test", count, count, count, (), (), groups)
        verdict = Verdict("mine", "folders", Path("data"), (split,), ())
        assert len(verdict.as_json()["splits"][0]["repeated"]) == count
        text = " ".join(as_text(verdict).split())
        assert f"{count} repeated backgrounds" in text
        return re.findall(r"a\d+=b\d+|[\d,]+ more; --json has all", text)

    assert shown(MOST_LINES)[-1] == f"a{MOST_LINES - 1}=b{MOST_LINES - 1}"
    assert shown(MOST_LINES + 1)[9:] == ["a9=b9", f"{MOST_LINES - 9} more; --json has all"]


def test_long_lists_are_counted() -> None:
    problems = tuple(Finding("orphan", (f"{n}.png",), f"{n}.png is alone") for n in range(MOST_LINES + 1))
    split = SplitVerdict("test", 3, 3, 3, problems, ())
    text = as_text(Verdict("mine", "folders", Path("data"), (split,), ()))
    assert text.count("is alone") == 10
    assert f"  orphan: {MOST_LINES - 9} more; --json has all" in text.splitlines()
