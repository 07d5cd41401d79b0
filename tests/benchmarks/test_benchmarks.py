"""The benchmarks run, compare equal outputs, and print tables of ratios."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.timing import interleaved, parse, parser, refuse_unequal, table


@pytest.mark.slow
def test_all_benchmarks_print_ratios(project: Path, tmp_path: Path) -> None:
    output = tmp_path / "RESULTS.md"
    command = [sys.executable, "-m", "benchmarks.all", "--quick", "--threads=1", f"--output={output}"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    sections = re.split(r"^## ", output.read_text(), flags=re.MULTILINE)[1:]
    names = ["inference", "training_step", "metrics", "memory", "data", "report", "startup", "busy"]
    assert [section.split("\n")[0] for section in sections] == names
    for section in sections:
        values = []
        for lines in re.findall(r"(?:^\|.*\n)+", section, flags=re.MULTILINE):
            header, _, *rows = (line.split("|") for line in lines.splitlines())
            # By its own header: in a table without ratios a 0.0 may be right, such as memory that does not grow.
            columns = [number for number, title in enumerate(header) if "ratio" in title]
            values += [float(row[n]) for row in rows for n in columns if re.fullmatch(r"\s*[\d.]+\s*", row[n])]
        assert values, section
        assert all(value > 0 for value in values)


@pytest.mark.slow
def test_the_benchmark_of_gpus_runs_without_one(project: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.gpu", "--quick", "--threads=1", "--device", "cpu"]
    command += ["--networks", "prenet", "--precisions", "fp32"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line.split("|") for line in done.stdout.splitlines() if line.startswith("| prenet")]
    assert [row[2].strip() for row in rows] == ["restore 24x33", "train 1x16x16"]
    assert all(float(row[7]) > 0 for row in rows)


def test_calls_take_turns() -> None:
    seen: list[str] = []
    medians = interleaved({"a": lambda: seen.append("a"), "b": lambda: seen.append("b")}, repeats=2)
    assert "".join(seen) == "abab"
    assert list(medians) == ["a", "b"]
    assert min(medians.values()) >= 0


@pytest.mark.parametrize("wrong", [1.1, float("nan")])
def test_unequal_outputs_are_not_timed(wrong: float) -> None:
    expected = torch.tensor([2.0, 1.0])
    refuse_unequal("x", expected + 1e-7, expected, 1e-6)
    with pytest.raises(SystemExit, match="x: the two sides differ"):
        refuse_unequal("x", torch.tensor([2.0, wrong]), expected, 1e-6)


def test_fewer_than_five_repetitions_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmark", "--repeats=4"])
    with pytest.raises(SystemExit):
        parse(parser("Something. And more."))
    assert "fewer than 5" in capsys.readouterr().err


def test_table_rounds_by_column() -> None:
    assert table([("a", 1.234, 5.678)], ("name", "ms", "ratio"), (None, 0, 2)).splitlines()[-1].split("|")[1:-1] == [
        " a      ",
        "    1 ",
        "    5.68 ",
    ]
