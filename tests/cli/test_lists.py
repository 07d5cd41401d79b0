"""The lists of methods, datasets and checks, for a person and for a script."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, Protocol

import pytest

from derainbench.catalogue.cards import all_cards
from derainbench.catalogue.locate import Dataset
from derainbench.cli.dataset_lists import list_datasets
from derainbench.cli.lists import check_line, checks_as_json, list_methods
from derainbench.engine.conformance import CheckOutcome
from derainbench.plugins.names import GROUP
from derainbench.plugins.registry import Registry, discover


class TinyDataset(Protocol):
    """The fixture of tests/conftest.py."""

    card: Path
    root: Path

    def open(self) -> Dataset: ...


@pytest.fixture(scope="module")
def listed() -> dict[str, dict[str, Any]]:
    """The methods that come along, as a script reads them."""
    read = json.loads(list_methods(discover(), as_json=True))
    assert read["broken"] == []
    return {method["name"]: method for method in read["methods"]}


def test_parameters_of_the_published_networks(listed: dict[str, dict[str, Any]]) -> None:
    assert listed["identity"]["parameters"] == 0
    assert listed["nasnet"]["parameters"] == 6_508_931
    assert listed["prenet"]["parameters"] == 168_963
    variants = {v["name"]: v["parameters"] for name in ("nasnet", "prenet") for v in listed[name]["variants"]}
    assert variants["nasnet[attention=none]"] == 6_244_931
    assert [variants[f"nasnet[stages={n}]"] for n in (1, 2, 4)] == [2_202_627, 4_355_779, 8_662_083]
    assert variants["prenet[shared=true]"] == 94_979
    assert variants["prenet[recurrence=none]"] == 95_107
    assert variants["prenet[recurrence=none,shared=true]"] == 21_123
    assert variants["prenet[recurrence=gru]"] == 150_499


def test_what_a_method_says_of_itself(listed: dict[str, dict[str, Any]]) -> None:
    nasnet, prenet = listed["nasnet"], listed["prenet"]
    assert {option["name"]: option["default"] for option in nasnet["options"]}["attention"] == "na"
    types = {option["name"]: option["type"] for option in nasnet["options"] + prenet["options"]}
    assert (types["attention"], types["blocks"], types["shared"]) == ("na | se | none", "int", "bool")
    assert (listed["identity"]["trains"], nasnet["trains"]) == (False, True)
    assert nasnet["paper"]["year"] == 2019
    tags = [weights["name"] for weights in prenet["weights"]]
    assert "prenet@rain100l" in tags
    assert len(set(tags)) == len(tags) == 22
    assert [discover().variant(tag).name for tag in tags] == tags


def test_the_table_of_methods() -> None:
    text = list_methods(discover(), as_json=False)
    (line,) = [line for line in text.splitlines() if line.startswith("nasnet ")]
    assert "6,508,931" in line
    assert "nasnet[attention=none]" in text
    assert "broken" not in text


UNBUILDABLE = """
from derainbench.plugins.method import Derainer, Method

class Net(Derainer):
    def __init__(self{arguments}):
        super().__init__()
        {body}

NET = Method(name="odd", title="Odd", network=Net)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "body", "error"),
    [
        (", stages", "pass", "'stages' needs a type and a default"),
        (", **options", "pass", "takes *options"),
        ("", "raise RuntimeError('two\\nlines')", "RuntimeError: two lines"),
    ],
)
def test_a_broken_method_is_listed_and_breaks_no_other(tmp_path: Path, arguments: str, body: str, error: str) -> None:
    path = tmp_path / "plugin.py"
    path.write_text(UNBUILDABLE.format(arguments=arguments, body=body.replace("\n", "\\n")))
    registry = discover([path])
    registry.add_entry(EntryPoint("gone", "no_such_module_here:NET", GROUP))
    read = json.loads(list_methods(registry, as_json=True))
    assert {"identity", "nasnet", "prenet"} <= {method["name"] for method in read["methods"]}
    broken = {each["name"]: each for each in read["broken"]}
    assert set(broken) == {"odd", "gone"}
    assert broken["odd"]["from"] == f"file {path}"
    assert error in broken["odd"]["error"]
    assert "no_such_module_here" in broken["gone"]["error"]
    lines = [line for line in list_methods(registry, as_json=False).splitlines() if line.startswith("broken: ")]
    assert len(lines) == 2
    assert error in "".join(lines)


def test_an_empty_registry() -> None:
    assert json.loads(list_methods(Registry(), as_json=True)) == {"methods": [], "broken": []}
    assert "parameters" in list_methods(Registry(), as_json=False)


def test_datasets(tiny_dataset: TinyDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERAINBENCH_CACHE", str(tmp_path / "cache"))
    absent = tmp_path / "absent.toml"
    absent.write_text(
        tiny_dataset.card.read_text().replace('"tiny"', '"away"').replace('"data"', '"nowhere"').replace("counts", "#")
        .replace('kind = "synthetic"', 'kind = "synthetic"\nsource = "https://rain.example"')
    )  # fmt: skip
    cards = all_cards([tiny_dataset.card, absent])
    read = {entry["name"]: entry for entry in json.loads(list_datasets(cards, None, as_json=True))["datasets"]}
    assert read["tiny"]["here"] == str(tiny_dataset.root)
    assert (read["tiny"]["train"], read["tiny"]["test"]) == (6, 2)
    assert (read["away"]["here"], read["away"]["train"]) == ("", None)
    assert {read[name]["here"] for name in ("demo-streak", "demo-drop", "demo-mist")} == {"embedded"}
    assert not (tmp_path / "cache").exists(), "listing makes no dataset"
    lines = {line.split()[0]: line for line in list_datasets(cards, None, as_json=False).splitlines() if line}
    assert "no: fetch from https://rain.example" in lines["away"]
    assert "?" in lines["away"]
    assert str(tiny_dataset.root) in lines["tiny"]


def test_checks() -> None:
    found = {
        "any size": CheckOutcome(remark="all of them"),
        "gradients": CheckOutcome("head.weight gets no gradient", remedy="use it"),
    }
    assert json.loads(checks_as_json({"net": found})) == {
        "net": {
            "any size": {"problem": "", "remark": "all of them", "remedy": ""},
            "gradients": {"problem": "head.weight gets no gradient", "remark": "", "remedy": "use it"},
        }
    }
    lines = [check_line(check, outcome, 9) for check, outcome in found.items()]
    assert lines == ["  any size   ok  all of them", "  gradients  FAILS: head.weight gets no gradient; use it"]
