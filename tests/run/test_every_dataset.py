"""``run`` evaluates every dataset that has a card, from one data root that holds all of them."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from derainbench.metrics.protocols import DEFAULT_PROTOCOLS
from tests.datasets.trees import TESTED, shipped

from .conftest import Workshop


@pytest.mark.slow
def test_run_evaluates_every_dataset_there_is_a_card_for(workshop: Workshop) -> None:
    for tree in TESTED.values():
        tree.plant(workshop.folder / "all")
    names = ",".join(TESTED)
    result = workshop(["run", "--methods", "identity", "--datasets", names, "--data-root", "all", "--out", "run"])
    assert result.returncode == 0, result.stderr
    plan = json.loads((workshop.folder / "run/run.json").read_text())
    assert {each["name"]: each["layout"] for each in plan["datasets"]} == {
        name: tree.layout for name, tree in TESTED.items()
    }
    for name, tree in TESTED.items():
        scores = pd.read_parquet(workshop.folder / f"run/eval/identity/untrained/seed0/{name}/scores.parquet")
        assert dict(scores["protocol"].value_counts()) == dict.fromkeys(DEFAULT_PROTOCOLS, len(tree.split("test")))
        assert scores["psnr"].between(10, 45).all(), f"{name}: the input is neither another picture nor the clean one"
        expected = shipped()[name].counts.test
        said = f"{name} has {len(tree.split('test'))} test pairs here; its card says {expected}"
        assert (said in result.stdout.replace("\n", " ")) == (expected is not None)
