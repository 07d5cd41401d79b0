"""What runs the project elsewhere (workflows, hooks, forms) says the same as the files that it repeats."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = ROOT / ".github" / "workflows"
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def _read(path: Path) -> dict[Any, Any]:
    loaded = yaml.safe_load(path.read_text())
    assert isinstance(loaded, dict), path
    return loaded


def _steps(workflow: str) -> list[dict[str, Any]]:
    return [step for job in _read(WORKFLOWS / workflow)["jobs"].values() for step in job["steps"]]


def _scripts(workflow: str) -> str:
    return "\n".join(step.get("run", "") for step in _steps(workflow))


def _targets_called(script: str) -> list[str]:
    lines = re.findall(r"^make (?:-j\d+ )?([\w ]+)$", script, flags=re.MULTILINE)
    return [target for line in lines for target in line.split()]


def _apt_packages(script: str) -> list[str]:
    words = re.search(r"--no-install-recommends((?:[^\n>]|\\\n)*)", script)
    assert words is not None
    return words[1].replace("\\\n", " ").split()


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project


def _pin(package: str) -> str:
    found = re.search(rf"^{package}==(\S+)$", (ROOT / "constraints.txt").read_text(), flags=re.MULTILINE)
    assert found is not None, f"constraints.txt does not pin {package}"
    return found[1]


def test_ci_calls_what_the_makefile_has_and_what_ci_run_calls() -> None:
    known = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    called = _targets_called(_scripts("ci.yml"))
    assert set(called) <= set(known)
    assert sorted(called) == sorted(_targets_called((ROOT / ".ci" / "run").read_text()))


def test_ci_installs_what_ci_run_installs() -> None:
    assert _apt_packages(_scripts("ci.yml")) == _apt_packages((ROOT / ".ci" / "run").read_text())


def test_ci_runs_on_every_python_that_is_supported() -> None:
    pythons = _read(WORKFLOWS / "ci.yml")["jobs"]["make"]["strategy"]["matrix"]["python"]
    project = _project()
    prefix = "Programming Language :: Python :: 3."
    told = [line.removeprefix(prefix) for line in project["classifiers"] if line.startswith(prefix)]
    assert pythons == [f"3.{minor}" for minor in told]
    supported = SpecifierSet(project["requires-python"])
    assert all(python in supported for python in pythons)
    first = int(pythons[0].removeprefix("3."))
    assert f"3.{first - 1}" not in supported
    assert pythons == [f"3.{first + n}" for n in range(len(pythons))]


def test_a_release_is_published_by_trust_not_by_a_token() -> None:
    workflow = _read(WORKFLOWS / "release.yml")
    assert workflow[True] == {"push": {"tags": ["v*"]}}  # YAML reads the key "on" as true
    assert workflow["permissions"] == {"contents": "read"}
    publish = workflow["jobs"]["publish"]
    assert publish["permissions"] == {"id-token": "write"}
    assert publish["environment"]["name"] == "pypi"
    assert "secrets." not in (WORKFLOWS / "release.yml").read_text()


@pytest.mark.parametrize("workflow", ["ci.yml", "release.yml"])
def test_actions_are_pinned_to_a_major_version(workflow: str) -> None:
    actions = [step["uses"] for step in _steps(workflow) if "uses" in step]
    assert actions
    assert [action for action in actions if not re.fullmatch(r"[\w-]+/[\w-]+@(v\d+|release/v\d+)", action)] == []


def test_pre_commit_has_the_ruff_of_make_lint() -> None:
    repositories = _read(ROOT / ".pre-commit-config.yaml")["repos"]
    revisions = {each["repo"].rsplit("/", 1)[-1]: each.get("rev") for each in repositories}
    assert revisions["ruff-pre-commit"] == f"v{_pin('ruff')}"
    hooks = {hook["id"] for each in repositories for hook in each["hooks"]}
    assert hooks >= {"ruff-check", "ruff-format", "mypy"}


@pytest.mark.parametrize("form", [form for form in FORMS if form.name != "config.yml"], ids=lambda form: form.stem)
def test_forms_are_forms(form: Path) -> None:
    """The fields that GitHub refuses a form without."""
    read = _read(form)
    assert {"name", "description", "body"} <= set(read)
    for element in read["body"]:
        assert element["type"] in {"markdown", "input", "textarea", "dropdown", "checkboxes"}
        assert element["attributes"]["label"]
    identifiers = [element["id"] for element in read["body"]]
    assert len(identifiers) == len(set(identifiers))


def test_there_are_forms_for_bugs_methods_and_datasets() -> None:
    assert {form.stem for form in FORMS} == {"bug", "method", "dataset", "config"}


def test_everything_that_make_installs_is_pinned() -> None:
    project = _project()
    extras = project["optional-dependencies"]
    names = [re.split(r"[<>=\[ ]", line)[0] for group in ("test", "lint", "docs") for line in extras[group]]
    pinned = re.findall(r"^(\S+)==", (ROOT / "constraints.txt").read_text(), flags=re.MULTILINE)
    assert {name.lower() for name in names} - {name.lower() for name in pinned} - {"setuptools"} == set()


def test_every_package_is_installed(project: Path) -> None:
    """The wheel has what is listed; the links in derainbench/ are for type checkers."""
    listed = tomllib.loads((project / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    roots = {"derainbench": "derainbench", "methods": "derainbench.methods", "reports": "derainbench.reports"}
    found = {"derainbench.datasets"}
    for folder, name in roots.items():
        for path in (project / folder).rglob("__init__.py"):
            found.add(".".join([name, *path.parent.relative_to(project / folder).parts]))
    assert sorted(listed) == sorted(found)
