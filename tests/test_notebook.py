"""The notebook of the documentation: what is stored in it is what its cells give today."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import Any

import nbformat
import pytest

from derainbench.plugins.names import parse_name
from derainbench.plugins.registry import discover
from derainbench.plugins.weights_store import add_weights

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"
#: Bytes that a clone should not grow by more than.
LARGEST = 300_000
#: Of a cell whose output is another one on another machine, such as a training's scores: only its kind is compared.
DIFFERS = "differs"
#: Of a cell that needs published weights, which their user fetches.
NEEDS_WEIGHTS = "weights"
EXECUTE = """
import sys, nbformat, nbclient
given, taken, folder = sys.argv[1:]
notebook = nbformat.read(given, as_version=4)
nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}}).execute()
nbformat.write(notebook, taken)
"""


def _stored() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]


def _tags(cell: Any) -> list[str]:
    return list(cell.metadata.get("tags", []))


def _shown(cell: Any) -> list[tuple[str, str]]:
    """What a reader sees below a cell, by kind; of pictures and of what differs the kind alone."""
    shown: list[tuple[str, str]] = []
    for output in cell.outputs:
        if output.output_type == "stream":
            if output.name == "stdout":  # matplotlib tells on the other of its first time on a machine
                shown.append(("text", output.text))
        else:
            shown += [(kind, "" if kind.startswith("image/") else text) for kind, text in sorted(output.data.items())]
    return [(kind, "" if DIFFERS in _tags(cell) else text) for kind, text in shown if not text.startswith("<Figure")]


def _executed(notebook: Any, folder: Path, patch: pytest.MonkeyPatch) -> list[Any]:
    """The cells of code, executed in a kernel that writes nowhere but into ``folder``."""
    patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "TMPDIR"):
        (folder / name).mkdir()
        patch.setenv(name, str(folder / name))
    given, taken = folder / "given.ipynb", folder / "taken.ipynb"
    nbformat.write(notebook, given)  # type: ignore[no-untyped-call]
    # In a process of its own: the client leaves sockets and loops to the garbage collector of whoever ran it.
    subprocess.run([sys.executable, "-c", EXECUTE, str(given), str(taken), str(folder)], check=True)
    executed = nbformat.read(taken, as_version=4)  # type: ignore[no-untyped-call]
    return [cell for cell in executed.cells if cell.cell_type == "code"]


def test_what_is_stored_is_of_one_execution_and_small() -> None:
    assert NOTEBOOK.stat().st_size < LARGEST
    cells = [cell for cell in _stored().cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == [*range(1, len(cells) + 1)]
    outputs = [output for cell in cells for output in cell.outputs]
    assert {output.output_type for output in outputs} <= {"stream", "execute_result", "display_data"}
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    assert [output.text for output in outputs if "skipped" in output.get("text", "")] == []
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2


def test_its_links_lead_somewhere() -> None:
    text = "\n".join(cell.source for cell in _stored().cells if cell.cell_type == "markdown")
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    assert targets
    assert [target for target in targets if not (NOTEBOOK.parent / target.split("#")[0]).exists()] == []


@pytest.mark.slow
def test_executed_anew_it_shows_the_same(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERAINBENCH_CACHE", str(tmp_path / "cache"))
    name = parse_name("prenet@rain100l")
    add_weights(discover().get(name.base), name, shared / "weights" / "prenet" / "Rain100L_PReNet6.pth", False)
    stored, anew = _stored(), _executed(_stored(), tmp_path, monkeypatch)
    assert [_shown(cell) for cell in anew] == [_shown(cell) for cell in stored.cells if cell.cell_type == "code"]


@pytest.mark.slow
def test_without_weights_it_says_so_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERAINBENCH_CACHE", str(tmp_path / "cache"))
    notebook = _stored()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    notebook.cells = [*code[:2], *(cell for cell in code if NEEDS_WEIGHTS in _tags(cell))]
    load, score, picture = _executed(notebook, tmp_path, monkeypatch)[2:]
    ((_, told),) = _shown(load)
    assert told.startswith("skipped: ")
    assert "derainbench weights add" in told
    assert score.outputs == picture.outputs == []


COLAB = ROOT / "docs" / "colab.ipynb"


def test_the_notebook_for_colab_names_our_repository_and_stores_nothing() -> None:
    notebook = nbformat.read(COLAB, as_version=4)  # type: ignore[no-untyped-call]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert f'"{project["urls"]["Source"]}"' in code[0].source
    assert [cell.source for cell in code if cell.outputs or cell.execution_count] == []
    address = f"https://colab.research.google.com/github/{project['urls']['Source'].partition('github.com/')[2]}"
    assert f"{address}/blob/main/docs/colab.ipynb" in (ROOT / "docs" / "install.md").read_text()
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    assert [target for target in targets if not (COLAB.parent / target.split("#")[0]).exists()] == []


@pytest.mark.slow
def test_the_notebook_for_colab_installs_runs_and_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an environment of its own, which has the packages of this one, so that only derainbench is installed."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    python = venv / "bin" / "python"
    (site,) = (venv / "lib").glob("python*/site-packages")
    (site / "packages.pth").write_text(sysconfig.get_path("purelib"))
    for name, value in (
        ("DERAINBENCH_SOURCE", str(ROOT)),
        ("DERAINBENCH_CACHE", str(tmp_path / "cache")),
        ("PIP_NO_BUILD_ISOLATION", "0"),  # which means none: setuptools is there
        ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "executable", str(python))
    notebook = nbformat.read(COLAB, as_version=4)  # type: ignore[no-untyped-call]
    work = tmp_path / "work"
    work.mkdir()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    code[1].source = code[1].source.replace("--out", "--methods 'prenet[stages=2,shared=true]' --out")  # half the time
    install, run, report, table, page = _executed(notebook, work, monkeypatch)
    assert (site / "derainbench" / "methods" / "prenet.py").is_file(), install.outputs
    assert "3 done, 0 kept, 0 failed" in _text(run)
    assert "Demo streaks" in _text(report)
    assert "prenet[stages=2,shared=true]" in table.outputs[0].data["text/plain"]
    assert "srcdoc=" in page.outputs[0].data["text/html"]
    assert "Demo streaks" in page.outputs[0].data["text/html"]


def _text(cell: Any) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")
