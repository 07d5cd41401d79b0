"""Made-up runs whose keys, hashes and manifests are right, as if they had been measured."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from benchmarks.synthetic_run import Size, write_run

#: Of 24 images in 12 scenes.
SMALL = Size(images=24, methods=4, datasets=1, seeds=2, protocols=("y", "rgb"))


def sound_run(folder: Path, size: Size = SMALL) -> Path:
    """The run of :func:`benchmarks.synthetic_run.write_run`, of test images that have a manifest."""
    write_run(folder, size)
    info = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    info["manifests"] = {}
    for dataset in info["datasets"]:
        name = dataset["name"]
        rows = [
            [pair["image"], pair["scene"], *(word for role in ("rainy", "clean") for word in _file(name, role, pair))]
            for pair in dataset["test"]
        ]
        dataset["root"] = "/home/somebody/data"
        dataset["test_digest"] = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
        place = f"manifests/{name}-test.json"
        info["manifests"][f"{name} test"] = {"pairs": len(rows), "digest": dataset["test_digest"], "file": place}
        write(folder / place, rows)
    info["command"] = "derainbench run --data-root /home/somebody/data --out ../runs/x --card=C:\\cards\\my.toml"
    info["machine"] = {"device": "cpu", "name": "x86_64", "node": "secret-host", "system": "Linux-secret"}
    write(folder / "run.json", info)
    digests = {dataset["name"]: dataset["test_digest"] for dataset in info["datasets"]}
    for cell in info["cells"]:
        done = json.loads((folder / cell["folder"] / "done.json").read_text(encoding="utf-8"))
        inputs = {**done["inputs"], "data": digests[cell["dataset"]], "method": cell["method"], "seed": cell["seed"]}
        finish(folder / cell["folder"], inputs)
    return folder


def finish(place: Path, inputs: dict[str, Any]) -> None:
    """Write ``done.json`` beside the scores of a cell, with the key and the hash that belong to them."""
    key = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
    sha256 = hashlib.sha256((place / "scores.parquet").read_bytes()).hexdigest()
    write(place / "done.json", {"key": key, "inputs": inputs, "sha256": sha256, "made_on": {"system": "Linux-secret"}})


def write(path: Path, value: Any) -> None:
    """A JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def _file(dataset: str, role: str, pair: dict[str, str]) -> tuple[str, str, str]:
    """A file as a manifest's digest has it."""
    return role, pair[role], hashlib.sha256(f"{dataset}/{pair[role]}".encode()).hexdigest()
