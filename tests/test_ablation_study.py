"""The study of NASNet's ablations at reduced size: what its scores are found to say, and that its files are a plan."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from derainbench.stats import OverSeeds, Paired

STUDY = Path(__file__).parents[1] / "studies" / "ablations-at-reduced-size"
SIZE = "blocks=2,width=16"


@pytest.fixture(scope="module")
def study() -> ModuleType:
    """The module that finds what the study's scores support."""
    spec = importlib.util.spec_from_file_location("findings", STUDY / "findings.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["findings"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def scores(of_seed: dict[str, list[float]], scenes: int = 30) -> SimpleNamespace:
    """Results whose images score the same in all networks but for what a seed adds, and a little noise."""
    random = np.random.default_rng(0)
    base, rows = 28 + random.normal(0, 3, scenes), []
    for method, added in of_seed.items():
        for seed, more in enumerate(added):
            for image, psnr in enumerate(base + more + random.normal(0, 0.01, scenes)):
                rows.append((method, "synth-streak", seed, "synth-streak", f"{image:02}", f"{image:02}", psnr))
    columns = ["method", "trained_on", "seed", "dataset", "image", "scene", "value"]
    return SimpleNamespace(scores=pd.DataFrame(rows, columns=columns).assign(protocol="y", metric="psnr"))


def test_a_difference_is_told_only_beyond_both_spreads(study: ModuleType) -> None:
    base, none, se = (study.network(words, SIZE) for words in ("", "attention=none", "attention=se"))
    assert base == "nasnet[blocks=2,width=16]"
    results = scores({base: [0.30, 0.31, 0.29], none: [0.0, 0.01, 0.0], se: [0.0, 0.9, -0.3]})
    against_none, against_se = study.findings(results, SIZE)
    assert against_none.change.title == "neuron attention instead of none"
    assert against_none.difference == pytest.approx(0.297, abs=0.01)
    assert against_none.holds
    assert against_none.as_printed
    assert isinstance(against_se.scenes, Paired)
    assert against_se.beyond_scenes  # all images but one seed's are better: what a single training would have shown
    assert isinstance(against_se.seeds, OverSeeds)
    assert against_se.seeds.low < 0 < against_se.seeds.high
    assert not against_se.holds


def test_what_the_paper_prints_is_read_from_its_tables(study: ModuleType) -> None:
    printed = [round(change.printed(), 4) for change in study.CHANGES]
    assert printed == [0.2873, 0.2073, 0.7968, 0.5991, 0.0834, 0.1860]


def test_an_unfinished_run_is_refused(study: ModuleType) -> None:
    from derainbench.errors import UserError

    base, none = (study.network(words, SIZE) for words in ("", "attention=none"))
    with pytest.raises(UserError, match="other images or seeds; finish the run first"):
        study.findings(scores({base: [0.1, 0.2], none: [0.0, 0.1, 0.2]}), SIZE)


@pytest.mark.slow
def test_the_plan(tmp_path: Path) -> None:
    """All of it, on any machine: seven networks, three sets and seeds, and Rain100L for those that learnt streaks."""
    from PIL import Image

    cards = []
    for name, preset in {"streak": "rain100l", "drop": "drops", "mist": "mist"}.items():
        for split in ("train", "test"):
            photographs = tmp_path / split
            photographs.mkdir(exist_ok=True)
            Image.new("RGB", (48, 40), "grey").save(photographs / f"{split}.png")
            made = ["--preset", preset, "--clean", str(photographs), "--split", split, "--name", f"synth-{name}"]
            derainbench("datasets", "synth", *made, "--out", str(tmp_path / name))
        cards += ["--card", str(tmp_path / name / "card.toml")]
    asked = ["--config", str(STUDY / "run.toml"), "--suite", str(STUDY / "suite.toml"), *cards, "--dry-run"]
    assert "151 cells, 151 to do" in derainbench("run", *asked, "--out", str(tmp_path / "run"))


def derainbench(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "derainbench", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
