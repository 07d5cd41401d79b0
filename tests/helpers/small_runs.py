"""Run folders that nobody ran, for what reads several of them: exact scores, and what they depended on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from derainbench.metrics.protocols import PROTOCOLS
from derainbench.plugins.names import UNTRAINED
from derainbench.results.results import HARNESS_REVISION
from derainbench.support.run_folder import evaluation_folder, training_folder


@dataclass(frozen=True)
class Score:
    """An evaluation: a PSNR for each image; SSIM follows from it. ``error`` is why it failed instead."""

    method: str
    dataset: str
    psnr: Sequence[float] = ()
    seed: int = 0
    trained_on: str = ""
    error: str = ""

    @property
    def source(self) -> str:
        """What it was trained on: the dataset itself unless said otherwise."""
        return UNTRAINED if self.method == "identity" else self.trained_on or self.dataset


@dataclass(frozen=True)
class Run:
    """How the scores of a run were made, as ``run.json`` and each ``done.json`` say it; scenes have two images."""

    scores: Sequence[Score]
    steps: int = 200
    source: str = "a" * 8
    precision: str = "fp32"
    protocols: Sequence[str] = ("y", "rgb")
    images: int = 4
    digests: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=lambda: {"device": "cpu", "cores": 2})
    changes: Mapping[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        """Make the folder and return it."""
        cells = [cell for score in self.scores for cell in self._score(folder, score)]
        methods = dict.fromkeys(score.method for score in self.scores)
        datasets = dict.fromkeys(score.dataset for score in self.scores)
        info = {
            "schema": 1,
            "derainbench": "0.1.0",
            "created": "2026-01-02T03:04:05+00:00",
            "command": f"derainbench run --out {folder.name}",
            "recipe": {
                "name": "quick",
                "comparable": False,
                "changes": [
                    {"method": "tiny", "field": "length", "paper": "1,000 steps", "here": f"{self.steps} steps"}
                ],
            },
            "recipes": {"tiny": self.recipe},
            "protocols": [*self.protocols],
            "seeds": sorted({score.seed for score in self.scores}),
            "precision": self.precision,
            "machine": dict(self.machine),
            "versions": {"torch": "2.13"},
            "notices": [],
            "methods": [_method(name) for name in methods],
            "datasets": [self._dataset(name) for name in datasets],
            "cells": list({cell["folder"]: cell for cell in cells}.values()),
        }
        _write(folder / "run.json", info | dict(self.changes))
        return folder

    @property
    def recipe(self) -> dict[str, Any]:
        """The recipe of every training."""
        return {"lr": 0.001, "steps": self.steps, "augment": ["hflip"]}

    def _score(self, folder: Path, score: Score) -> list[dict[str, Any]]:
        place = (score.method, score.source, score.seed)
        common = {"method": score.method, "seed": score.seed}
        here, cells = evaluation_folder(folder, *place, score.dataset), []
        inputs = {"harness": HARNESS_REVISION, "source": self.source, "precision": self.precision}
        if score.source != UNTRAINED:
            training = training_folder(folder, *place)
            trained = {"recipe": self.recipe, "data": f"train {score.source}", "seed": score.seed}
            _write(training / "done.json", {"key": "k", "inputs": inputs | trained, "seconds": 1.0})
            at = training.relative_to(folder).as_posix()
            cells.append({"kind": "train", "folder": at, **common, "dataset": score.source, "recipe": self.recipe})
        cells.append(
            {
                "kind": "eval",
                "folder": here.relative_to(folder).as_posix(),
                **common,
                "dataset": score.dataset,
                "trained_on": score.source,
            }
        )
        if score.error:
            _write(here / "failed.json", {"error": score.error})
            return cells
        revisions = {name: PROTOCOLS[name].revision for name in self.protocols}
        tested = {"data": self._digest(score.dataset), "weights": None, "protocols": revisions}
        _write(here / "done.json", {"key": "k", "inputs": inputs | tested, "made_on": dict(self.machine)})
        rows = [
            (f"photo-{n}", f"scene-{n // 2}", 96, 128, 0, protocol, psnr - shift, 1 - 1 / (psnr - shift))
            for n, psnr in enumerate(score.psnr)
            for shift, protocol in enumerate(self.protocols)
        ]
        columns = ["image", "scene", "height", "width", "tile", "protocol", "psnr", "ssim"]
        pd.DataFrame(rows, columns=columns).to_parquet(here / "scores.parquet")
        return cells

    def _digest(self, dataset: str) -> str:
        return self.digests.get(dataset, f"test {dataset}")

    def _dataset(self, name: str) -> dict[str, Any]:
        images = [(f"photo-{n}", f"scene-{n // 2}") for n in range(self.images)]
        return {
            "name": name,
            "title": name.title(),
            "rain_model": "streak",
            "kind": "synthetic",
            "root": "nowhere",
            "test_digest": self._digest(name),
            "test": [
                {"image": image, "scene": scene, "rainy": f"rainy/{image}.png", "clean": f"clean/{image}.png"}
                for image, scene in images
            ],
        }


def _method(name: str) -> dict[str, Any]:
    parameters = 0 if name == "identity" else 1000
    base = name.partition("[")[0]
    return {"name": name, "base": base, "title": base.title(), "parameters": parameters, "paper": None}


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
