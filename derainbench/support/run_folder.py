"""Where things lie in a run folder."""

from __future__ import annotations

import hashlib
from pathlib import Path

#: Bytes of a file's name, as most disks have it.
_LONGEST_NAME = 255


def training_place(method: str, dataset: str, seed: int) -> str:
    """``train/METHOD/DATASET/seedN``, below a run's folder."""
    return f"train/{method}/{dataset}/seed{seed}"


def evaluation_place(method: str, trained_on: str, seed: int, dataset: str) -> str:
    """``eval/METHOD/TRAINED-ON/seedN/DATASET``, below a run's folder."""
    return f"eval/{method}/{trained_on}/seed{seed}/{dataset}"


def training_folder(run: Path, method: str, dataset: str, seed: int) -> Path:
    """Where a training lies."""
    return run / training_place(method, dataset, seed)


def evaluation_folder(run: Path, method: str, trained_on: str, seed: int, dataset: str) -> Path:
    """Where an evaluation lies."""
    return run / evaluation_place(method, trained_on, seed, dataset)


def image_file(evaluation: Path, image: str) -> Path:
    """Where an evaluation keeps a restored image: ``images/IMAGE.png``, a hash in place of an overlong name's rest."""
    name = f"{image}.png"
    if len(name.encode()) > _LONGEST_NAME:
        start = image.encode()[: _LONGEST_NAME - 21].decode(errors="ignore")  # whole letters
        name = f"{start}~{hashlib.sha256(image.encode()).hexdigest()[:16]}.png"
    return evaluation / "images" / name
