"""Shells are told how a line may go on, soon enough for somebody who waits with a finger on the tab key."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("derainbench")


def _derainbench(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *words], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("derainbench re", ["report"]),
        ("derainbench datasets ver", ["verify"]),
        ("derainbench report --fo", ["--format"]),
        ("derainbench report --images b", ["beside"]),
    ],
)
def test_bash_is_offered_what_fits(line: str, offered: list[str]) -> None:
    words = str(len(line.split()) - 1)
    done = _derainbench(_DERAINBENCH_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=words)
    assert (done.stdout.split(), done.stderr, done.returncode) == (offered, "", 0)


def test_nothing_heavy_is_imported_for_it() -> None:
    asked = {"_DERAINBENCH_COMPLETE": "complete_bash", "COMP_WORDS": "derainbench re", "COMP_CWORD": "1"}
    reported = _derainbench(**asked, PYTHONPROFILEIMPORTTIME="1").stderr
    imported = {line.split("|")[-1].strip() for line in reported.splitlines()}
    assert "typer" in imported
    assert imported & {"torch", "numpy", "pandas", "rich"} == set()


def test_the_script_for_a_shell_is_shown() -> None:
    """The shell is named here, since nobody knows in which one the tests run."""
    named = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = _derainbench("--show-completion", "bash", **named)
    assert "_DERAINBENCH_COMPLETE=complete_bash" in done.stdout
    assert (done.stderr, done.returncode) == ("", 0)
