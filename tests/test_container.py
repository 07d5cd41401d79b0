"""The Dockerfile: what it copies is there and not left out, and is all that an installation needs.

That an image builds and runs is tried by hand: `docker build .`, then the commands of docs/install.md.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
INSTRUCTIONS = re.findall(
    r"^([A-Z]+) (.*)$", re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text()), flags=re.MULTILINE
)
COPIED = [name for word, rest in INSTRUCTIONS if word == "COPY" for name in rest.split()[:-1]]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_what_is_copied_is_there_and_let_through() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    let_through = [rule[1:] for rule in rules if rule.startswith("!")]
    assert sorted(let_through) == sorted(COPIED)
    assert all((ROOT / name).exists() for name in COPIED)
    assert any(fnmatch("methods/__pycache__", rule) for rule in rules)


def test_it_runs_the_program_as_nobody_special() -> None:
    last = dict(INSTRUCTIONS)
    assert last["USER"] not in ("root", "0")
    assert last["ENTRYPOINT"] == '["derainbench"]'
    assert "derainbench" in PROJECT["project"]["scripts"]
    users = [place for place, (word, _) in enumerate(INSTRUCTIONS) if word == "USER"]
    assert all(word != "RUN" for word, _ in INSTRUCTIONS[users[-1] :])


def test_versions_are_pinned_and_arguments_said() -> None:
    installing = [rest for word, rest in INSTRUCTIONS if word == "RUN" and "pip install" in rest]
    assert len(installing) == 3
    assert all("pip install -c constraints.txt" in rest for rest in installing)
    page = (ROOT / "docs" / "install.md").read_text()
    defaults = dict(rest.split("=", 1) for word, rest in INSTRUCTIONS if word == "ARG")
    assert all(f"--build-arg {name}=" in page for name in defaults)
    assert {*defaults["EXTRAS"].split(",")} <= {*PROJECT["project"]["optional-dependencies"]}


@pytest.mark.slow
def test_what_is_copied_is_all_that_an_installation_needs(tmp_path: Path) -> None:
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, symlinks=True)
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    wheel_of = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", str(tmp_path)]
    subprocess.run([*wheel_of, "-w", str(tmp_path / "w")], check=True)
    (wheel,) = (tmp_path / "w").iterdir()
    names = zipfile.ZipFile(wheel).namelist()
    for package in PROJECT["tool"]["setuptools"]["packages"]:
        assert f"{package.replace('.', '/')}/__init__.py" in names
    assert "derainbench/datasets/rain100l.toml" in names
