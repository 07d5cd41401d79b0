"""Writes a run folder that never ran: made-up scores in any number, for what reports cost at the size of a large study.

``python -m benchmarks.synthetic_run FOLDER`` writes 1,000 images x 9 methods x 7 datasets x 3 seeds x 3 protocols.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from derainbench.metrics.protocols import PROTOCOLS
from derainbench.plugins.names import UNTRAINED
from derainbench.results.results import HARNESS_REVISION
from derainbench.support.run_folder import evaluation_folder

#: Decibels that each protocol lies above the first, roughly as luma lies above RGB.
SHIFT = (0.0, -1.4, -1.3)
IMAGES_A_SCENE = 2


@dataclass(frozen=True)
class Size:
    """How large a made-up run is."""

    images: int = 1000
    methods: int = 9
    datasets: int = 7
    seeds: int = 3
    protocols: tuple[str, ...] = ("y", "rgb", "rgb-float-u7")

    @property
    def rows(self) -> int:
        """The rows of the score table; the unprocessed input has one seed."""
        return self.images * self.datasets * len(self.protocols) * ((self.methods - 1) * self.seeds + 1)


def write_run(folder: Path, size: Size) -> Path:
    """Write the run into ``folder`` and return it. No image exists. The same size gives the same scores."""
    methods = ["identity", *(f"method{number}" for number in range(1, size.methods))]
    datasets = [f"set{number}" for number in range(1, size.datasets + 1)]
    names = [f"image-{number:04d}" for number in range(size.images)]
    inputs = {
        "data": "0" * 64,
        "harness": HARNESS_REVISION,
        "protocols": {name: PROTOCOLS[name].revision for name in size.protocols},
    }
    cells = []
    for place, dataset in enumerate(datasets):
        random = np.random.default_rng(place)
        difficulty = random.normal(26, 3, size.images)
        for number, method in enumerate(methods):
            liking = random.normal(0, 0.6, size.images)  # what suits a method lasts over seeds
            trained_on = dataset if number else UNTRAINED
            for seed in range(size.seeds if number else 1):
                here = evaluation_folder(folder, method, trained_on, seed, dataset)
                here.mkdir(parents=True)
                psnr = difficulty + number * 0.7 + (liking + random.normal(0, 0.1, size.images) if number else 0.0)
                _scores(names, psnr, size.protocols).to_parquet(here / "scores.parquet")
                (here / "done.json").write_text(json.dumps({"key": "k", "inputs": inputs}), encoding="utf-8")
                cells.append(
                    {
                        "kind": "eval",
                        "folder": here.relative_to(folder).as_posix(),
                        "method": method,
                        "seed": seed,
                        "dataset": dataset,
                        "trained_on": trained_on,
                    }
                )
    info = _info(size, methods, datasets, names, cells)
    (folder / "run.json").write_text(json.dumps(info), encoding="utf-8")
    return folder


def _scores(names: list[str], psnr: np.ndarray, protocols: tuple[str, ...]) -> pd.DataFrame:
    """One evaluation as the harness stores it, a row an image and protocol."""
    shifts = np.resize(SHIFT, len(protocols))
    values = (psnr[:, None] + shifts).ravel()
    times = len(protocols)
    return pd.DataFrame(
        {
            "image": np.repeat(names, times),
            "scene": np.repeat(_scenes(names), times),
            "height": 321,
            "width": 481,
            "tile": 0,
            "protocol": list(protocols) * len(names),
            "psnr": values,
            "ssim": 1 - np.exp(-values / 12),
        }
    )


def _scenes(names: list[str]) -> list[str]:
    return [f"scene-{number // IMAGES_A_SCENE:04d}" for number in range(len(names))]


def _info(
    size: Size, methods: list[str], datasets: list[str], names: list[str], cells: list[dict[str, Any]]
) -> dict[str, Any]:
    test = [
        {"image": name, "scene": scene, "rainy": f"rainy/{name}.png", "clean": f"clean/{name}.png"}
        for name, scene in zip(names, _scenes(names), strict=True)
    ]
    return {
        "schema": 1,
        "derainbench": "synthetic",
        "created": "2026-01-02T03:04:05+00:00",
        "command": "python -m benchmarks.synthetic_run",
        "recipe": {"name": "paper", "comparable": True, "changes": []},
        "recipes": {},
        "protocols": list(size.protocols),
        "seeds": list(range(size.seeds)),
        "precision": "fp32",
        "machine": {},
        "versions": {},
        "notices": ["Every number here is made up."],
        "methods": [
            {"name": name, "base": name, "title": name.title(), "parameters": 10_000 * number, "paper": None}
            for number, name in enumerate(methods)
        ],
        "datasets": [
            {
                "name": name,
                "title": name.title(),
                "rain_model": "streak",
                "kind": "synthetic",
                "root": "nowhere",
                "test_digest": "0" * 64,
                "test": test,
            }
            for name in datasets
        ],
        "cells": cells,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="a new folder")
    print(write_run(parser.parse_args().folder, Size()))


if __name__ == "__main__":
    main()
