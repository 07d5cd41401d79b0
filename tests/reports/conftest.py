"""Runs that never ran: results with real small photographs, so that a report has something to show."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from skimage import data

from derainbench.results.results import DatasetInRun, Failure, MethodInRun, Results, TestPair
from derainbench.results.run_info import RunInfo, WeightsInfo
from derainbench.results.score_table import as_long, as_wide, wide_columns
from derainbench.support.run_folder import evaluation_folder, training_folder

PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "rocket")
#: (method, trained_on, seed, dataset, image, protocol, psnr, ssim)
Score = tuple[str, str, int, str, str, str, float, float]


def info(**changes: Any) -> RunInfo:
    """A ``run.json`` such as a quick run writes."""
    said = {
        "schema": 1,
        "derainbench": "0.1.0",
        "created": "2026-01-02T03:04:05+00:00",
        "command": "derainbench run --methods nasnet,prenet --datasets demo",
        "recipe": {
            "name": "quick",
            "comparable": False,
            "changes": [{"method": "nasnet", "field": "steps", "paper": 300000, "here": 200}],
        },
        "protocols": ["y", "rgb"],
        "seeds": [0],
        "machine": {"device": "cpu", "cores": 2},
        "versions": {"torch": "2.13", "python": "3.11"},
        "notices": [],
    }
    return RunInfo.model_validate_json(json.dumps(said | changes))


def method(name: str, title: str | None = None, parameters: int = 0) -> MethodInRun:
    """A method as a run knows it."""
    return MethodInRun(
        name, name if title is None else title, parameters, None, base=name.partition("[")[0].partition("@")[0]
    )


def cell(method: str, dataset: str, seed: int = 0, trained_on: str | None = None, **more: Any) -> dict[str, Any]:
    """A cell of ``run.json``: an evaluation where it says what was ``trained_on``, otherwise a training."""
    here = Path()
    place = (
        training_folder(here, method, dataset, seed)
        if trained_on is None
        else evaluation_folder(here, method, trained_on, seed, dataset)
    )
    kind = {"kind": "train"} if trained_on is None else {"kind": "eval", "trained_on": trained_on}
    return {**kind, "folder": place.as_posix(), "method": method, "seed": seed, "dataset": dataset, **more}


def weights_info(**changes: Any) -> WeightsInfo:
    """Published weights as a run knows them."""
    said = {"tag": "w", "trained_on": "a", "source": "s", "sha256": "0"}
    return WeightsInfo.model_validate_json(json.dumps(said | changes))


def dataset(name: str, *images: str, folder: Path = Path("nowhere"), title: str | None = None) -> DatasetInRun:
    """A synthetic streak dataset whose pictures lie at ``folder/NUMBER-rainy.png`` and ``-clean.png``."""
    pairs = (
        TestPair(image, image, folder / f"{number}-rainy.png", folder / f"{number}-clean.png")
        for number, image in enumerate(images)
    )
    return DatasetInRun(name, name if title is None else title, "streak", "synthetic", tuple(pairs))


def results(
    scores: list[Score],
    methods: list[MethodInRun],
    datasets: list[DatasetInRun],
    failures: tuple[Failure, ...] = (),
    folder: Path = Path("runs/quick"),
    **changes: Any,
) -> Results:
    """Results with these scores; ``changes`` replace entries of ``run.json``."""
    names = ["method", "trained_on", "seed", "dataset", "image", "protocol", "psnr", "ssim"]
    table = pd.DataFrame(scores, columns=names).assign(scene="scene", height=96, width=128, tile=0)
    return Results(
        folder,
        info(**changes),
        tuple(methods),
        tuple(datasets),
        as_long(table[[*wide_columns()]].astype(wide_columns())),
        failures,
    )


def rescored(run: Results, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Results:
    """A run whose scores were changed, given and taken with a column for each metric."""
    return replace(run, scores=as_long(change(as_wide(run.scores))))


def draw(folder: Path, photograph: str, number: int, strength: float) -> None:
    """Write ``NUMBER-clean.png`` and a streaky ``NUMBER-rainy.png`` of 96 x 128 pixels."""
    clean = getattr(data, photograph)()[40:136, 60:188]
    rain = np.random.default_rng(number).random(clean.shape[:2]) > 0.96
    streaks = sum(np.roll(rain, shift, axis=0) for shift in range(8))[..., None] * strength
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(clean).save(folder / f"{number}-clean.png")
    Image.fromarray(np.clip(clean + streaks, 0, 255).astype(np.uint8)).save(folder / f"{number}-rainy.png")


def with_pictures(folder: Path, names: Callable[[str], str] = str) -> Results:
    """A run of two methods on two datasets of two images each; ``names`` changes every name a user could choose."""
    methods = [method(names("identity"), parameters=0), method(names("prenet"), names("PReNet"), 168963)]
    datasets = []
    scores: list[Score] = []
    for number, name in enumerate(("streaks", "drops")):
        images = [names(f"photo-{each}") for each in range(2)]
        datasets.append(dataset(names(name), *images, folder=folder / name, title=names(name.title())))
        for each, image in enumerate(images):
            draw(folder / name, PHOTOGRAPHS[2 * number + each], each, 60.0)
            for protocol, shift in (("y", 1.25), ("rgb", 0.0)):
                scores.append(
                    (methods[0].name, "untrained", 0, names(name), image, protocol, 25.5 + each + shift, 0.8125)
                )
                scores.append(
                    (methods[1].name, names(name), 0, names(name), image, protocol, 30.5 + each + shift, 0.9375)
                )
    run = results(scores, methods, datasets, folder=folder / "run")
    for tested in datasets:
        for pair in tested.test:
            for name, source in ((methods[0].name, "untrained"), (methods[1].name, tested.name)):
                path = run.restored(name, source, 0, tested.name, pair.image)
                path.parent.mkdir(parents=True, exist_ok=True)
                shown = pair.rainy if source == "untrained" else pair.clean
                assert isinstance(shown, Path)
                path.write_bytes(shown.read_bytes())
    return run


@pytest.fixture(scope="session")
def run_with_pictures(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The small run that most rendering tests look at."""
    return with_pictures(tmp_path_factory.mktemp("run"))
