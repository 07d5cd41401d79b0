"""The wheel in an environment of its own, away from the clone, with third parties' packages beside it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]

PLUGIN_PACKAGE = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "{name}"
version = "1.0"
[project.entry-points."derainbench.methods"]
{method} = "{module}:TINY"
[tool.setuptools]
py-modules = ["{module}"]
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, project: Path) -> Command:
    """A new virtual environment with the wheel and two plugin packages, one of them broken.

    The dependencies come from the environment that runs the tests: installing torch again would take minutes.
    """
    place = tmp_path_factory.mktemp("installed")
    clone = place / "clone"
    shutil.copytree(project, clone, ignore=shutil.ignore_patterns(".*", "runs", "build", "*.egg-info", "__pycache__"))
    _packages(place)
    python = _virtual_environment(place / "venv")
    for source in (clone, place / "good", place / "bad"):
        wheel = [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "-q",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            str(place / "wheels"),
        ]
        subprocess.run([*wheel, str(source)], check=True, cwd=place)
    wheels = sorted((place / "wheels").glob("*.whl"))
    assert len(wheels) == 3
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*install, *wheels], check=True, cwd=place)

    def command(*arguments: str, cwd: Path = place) -> subprocess.CompletedProcess[str]:
        clean = _clean_environment(place)
        derainbench = place / "venv" / "bin" / "derainbench"
        return subprocess.run(
            [derainbench, *arguments], cwd=cwd, env=clean, capture_output=True, text=True, check=False
        )

    return command


def _virtual_environment(folder: Path) -> Path:
    """Its Python, which finds the dependencies of the environment that runs the tests, and derainbench nowhere."""
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    where = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.run(where, capture_output=True, text=True, check=True).stdout.strip())
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def _clean_environment(place: Path) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return clean | {"OMP_NUM_THREADS": "1", "DERAINBENCH_CACHE": str(place / "cache")}


def _packages(place: Path) -> None:
    example = "".join((Path(__file__).parents[1] / f"plugin_{kind}.py").read_text() for kind in ("method", "metric"))
    for name, method, module, code in (
        ("good", "tinycnn", "their_method", example),
        ("bad", "unlucky", "their_broken_method", "import a_package_that_is_not_there\n"),
    ):
        (place / name).mkdir()
        text = PLUGIN_PACKAGE.format(name=f"derainbench-{name}", method=method, module=module)
        if name == "good":
            text += '[project.entry-points."derainbench.metrics"]\nmean-error = "their_method:MEAN_ERROR"\n'
        (place / name / "pyproject.toml").write_text(text)
        (place / name / f"{module}.py").write_text(code)


@pytest.mark.slow
def test_methods_and_datasets(environment: Command) -> None:
    result = environment("methods", "--json")
    assert result.returncode == 0, result.stderr
    listed = json.loads(result.stdout)
    parameters = {entry["name"]: entry["parameters"] for entry in listed["methods"]}
    for entry in listed["methods"]:
        parameters |= {variant["name"]: variant["parameters"] for variant in entry["variants"]}
    assert parameters["nasnet"] == 6_508_931
    assert parameters["prenet[recurrence=none,shared=true]"] == 21_123
    assert parameters["tinycnn"] > 0
    assert [broken["name"] for broken in listed["broken"]] == ["unlucky"]
    assert "a_package_that_is_not_there" in listed["broken"][0]["error"]
    cards = json.loads(environment("datasets", "--json").stdout)["datasets"]
    assert {"demo-streak", "demo-drop", "demo-mist"} <= {card["name"] for card in cards}


@pytest.mark.slow
def test_metrics(environment: Command) -> None:
    """Those of packages beside those that come along, whose parameters are in the wheel."""
    listed = json.loads(environment("metrics", "--json").stdout)
    known = {entry["name"]: entry["from"] for entry in listed["metrics"]}
    assert known["niqe"] == "derainbench"
    assert known["mean-error"] == "package derainbench-good (their_method:MEAN_ERROR)"
    for name in ("niqe", "brisque", "brisque-opencv", "mean-error"):
        checked = environment("check", name)
        assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.slow
def test_run_and_report(environment: Command, tmp_path: Path) -> None:
    """The installed plugin is trained, evaluated and reported beside PReNet on an embedded dataset."""
    (tmp_path / "short.toml").write_text('base = "quick"\nsteps = 2\nbatch = 1\npatch = 16\n')
    methods = "tinycnn,prenet[recurrence=none,shared=true,stages=1]"
    arguments = ["--methods", methods, "--datasets", "demo-streak", "--recipe", "short.toml", "--out", "run"]
    result = environment("run", *arguments, "--device", "cpu", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "tinycnn" in result.stdout
    assert environment("report", "run", cwd=tmp_path).returncode == 0
    assert "Tiny CNN" in (tmp_path / "run/report/index.html").read_text()
    unlucky = environment("run", "--methods", "unlucky", "--datasets", "demo", cwd=tmp_path)
    assert unlucky.returncode == 2
    assert "does not import" in unlucky.stderr


@pytest.mark.slow
def test_an_editable_install_needs_no_links(tmp_path: Path, project: Path) -> None:
    """A clone on a system without links has a file with a path in it where derainbench/ has links for type checkers."""
    clone = tmp_path / "clone"
    left_out = shutil.ignore_patterns(".*", "runs", "build", "*.egg-info", "__pycache__")
    shutil.copytree(project, clone, ignore=left_out, symlinks=True)
    for name in ("methods", "datasets", "reports"):
        link = clone / "derainbench" / name
        target = str(link.readlink())
        link.unlink()
        link.write_text(target, encoding="utf-8")
    python = _virtual_environment(tmp_path / "venv")
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*install, "--no-build-isolation", "-e", str(clone)], check=True, cwd=tmp_path)
    program = (
        "import derainbench.methods.nasnet as nasnet, derainbench.reports.content as content;"
        "from derainbench.catalogue.cards import all_cards;"
        "print(nasnet.__file__, content.__file__, len(all_cards(())))"
    )
    done = subprocess.run(
        [python, "-c", program],
        cwd=tmp_path,
        env=_clean_environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [
        str(clone / "methods/nasnet.py"),
        str(clone / "reports/content.py"),
        str(len(list((project / "datasets").glob("*.toml")))),
    ]
