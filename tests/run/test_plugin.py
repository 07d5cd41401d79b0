"""A method in one file outside the project, loaded with ``--plugin``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Workshop

EXAMPLE = Path(__file__).parents[1] / "plugin_method.py"


def test_the_example_is_a_page(project: Path) -> None:
    """About thirty lines are enough, and the documentation shows exactly those."""
    code = EXAMPLE.read_text()
    assert len(code.splitlines()) <= 40
    body = code.split('"""', 2)[2].strip()
    assert body in (project / "docs" / "add-a-method.md").read_text()


def test_trained_evaluated_and_reported_beside_the_others(workshop: Workshop) -> None:
    result = workshop(workshop.arguments("tinycnn,prenet[recurrence=none,shared=true,stages=1]"))
    assert result.returncode == 0, result.stderr
    assert workshop(["report", "run"]).returncode == 0
    tables = (workshop.folder / "run/report/tables.tex").read_text()
    assert "Tiny CNN" in tables
    assert r"PRN\_r (stages=1)" in tables


def test_listed_with_its_file(workshop: Workshop) -> None:
    listed = json.loads(workshop(["methods", "--json", "--plugin", str(EXAMPLE)]).stdout)["methods"]
    (entry,) = [entry for entry in listed if entry["name"] == "tinycnn"]
    assert entry["from"] == f"file {EXAMPLE}"
    assert [option["name"] for option in entry["options"]] == ["width", "dropout"]


def test_checked(workshop: Workshop) -> None:
    result = workshop(["check", str(EXAMPLE), "--json"])
    assert result.returncode == 0, result.stdout
    assert {outcome["problem"] for outcome in json.loads(result.stdout)["tinycnn"].values()} == {""}


def test_each_result_is_there_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    from derainbench.engine import conformance
    from derainbench.plugins.registry import discover
    from derainbench.plugins.variant import Variant

    begun: list[str] = []
    run_check = conformance.run_check

    def watched(name: str, variant: Variant) -> conformance.CheckOutcome:
        begun.append(name)
        return run_check(name, variant)

    monkeypatch.setattr(conformance, "run_check", watched)
    description, outcome = next(conformance.check_variant(discover([EXAMPLE]).variant("tinycnn")))
    assert begun == [description]
    assert outcome.problem == ""


def test_a_bad_network_fails_the_check(workshop: Workshop) -> None:
    (workshop.folder / "bad.py").write_text(EXAMPLE.read_text().replace("rainy - self", "rainy[..., 1:] - self"))
    result = workshop(["check", "bad.py"])
    assert result.returncode == 2
    assert "FAILS" in result.stdout


def test_a_taken_name_raises_naming_both(workshop: Workshop) -> None:
    (workshop.folder / "clash.py").write_text(EXAMPLE.read_text().replace('name="tinycnn"', 'name="prenet"'))
    result = workshop(["methods", "--plugin", "clash.py"])
    assert result.returncode == 2
    assert "two methods are called 'prenet'" in result.stderr
    assert "clash.py" in result.stderr
    assert "derainbench.methods.prenet" in result.stderr
