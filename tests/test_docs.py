"""The documentation cannot rot: links lead somewhere, commands exist, the map shows the modules that there are."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main

from derainbench.cli.main import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def _commands(page: Path) -> list[str]:
    """Lines of fenced blocks that call derainbench, continuation lines joined."""
    blocks = re.findall(r"^```(?:bash|console|sh)?\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.split("#")[0].removeprefix("$ ").strip() for line in lines if re.match(r"(\$ )?derainbench ", line)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text):
        if not target.startswith(("http://", "https://", "#")):
            assert (page.parent / target.split("#")[0]).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize(
    "command", sorted({command for page in PAGES for command in _commands(page)}), ids=lambda command: command[:60]
)
def test_commands(command: str) -> None:
    """Every command shown exists, with every option shown."""
    words = shlex.split(command)[1:]
    chosen: Any = typer.main.get_command(app)
    command_words = iter(word for word in words if not word.startswith("-"))
    known = {"--help"}
    while True:
        known |= {option for each in chosen.params for option in (*each.opts, *each.secondary_opts)}
        if not hasattr(chosen, "commands"):
            break
        name = next(command_words, "")
        if not name and chosen.invoke_without_command:
            break
        name = name if name in chosen.commands else getattr(chosen, "by_default", name)
        assert name in chosen.commands, f"no command {name}"
        chosen = chosen.commands[name]
    assert {word.split("=")[0] for word in words if word.startswith("--")} <= known


def test_there_are_commands_to_test() -> None:
    assert len({command for page in PAGES for command in _commands(page)}) >= 5


def test_the_map_shows_every_room() -> None:
    """Rooms and the modules in them, of the harness and of reports."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    for folder in ("derainbench", "reports"):
        for path in sorted((ROOT / folder).iterdir()):
            if (path / "__init__.py").exists() and not path.is_symlink():
                assert f"`{path.name}/`" in text, f"docs/architecture.md does not mention {folder}/{path.name}/"
                modules = [each.stem for each in path.glob("*.py") if not each.stem.startswith("__")]
                missing = [name for name in modules if f"`{name}`" not in text]
                assert missing == [], f"docs/architecture.md does not mention {missing} of {folder}/{path.name}/"


def test_the_protocols_page_names_every_protocol() -> None:
    from derainbench.metrics.protocols import PROTOCOLS

    text = (ROOT / "docs" / "protocols.md").read_text()
    for name in PROTOCOLS:
        assert f"`{name}`" in text


@pytest.mark.slow
def test_from_zero(tmp_path: Path) -> None:
    """The files of docs/from-zero.md, written as they stand, make its commands work, in their order."""
    page = (ROOT / "docs" / "from-zero.md").read_text()
    for name, text in re.findall(r"^```\w+\n# (\S+\.\w+)\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL):
        (tmp_path / name).write_text(text)
    commands = re.findall(r"^```bash\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    script = ["bash", "-euc", "".join(commands)]
    done = subprocess.run(script, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| Tiny CNN, wide |" in (tmp_path / "runs/mine/report/report.md").read_text()
    assert list((tmp_path / "derained").glob("*.png"))
