"""Metrics that another library measures where its user installed it: PIQE by pypiqe, and whatever pyiqa knows.

Neither is a dependency. pyiqa is under a non-commercial licence and downloads models.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from derainbench.errors import FOREIGN, UserError, did_you_mean, one_line
from derainbench.metrics.image_metric import ImageMetric

Levels = NDArray[np.uint8]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _imported(package: str, metric: str) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise UserError(
            f"metric {metric} is measured by {package}, which does not import ({one_line(error)}); install it: "
            f"pip install {package}"
        ) from error


def piqe(image: Levels) -> float:
    """PIQE of (H, W, 3) uint8 RGB as pypiqe measures it, from 0 to 100; lower is better.

    It is given RGB, as it asks for, and weighs the channels as if they were BGR: with their order exchanged its values
    differ by up to 1.4.
    """
    return float(_imported("pypiqe", "piqe").piqe(image)[0])


PIQE = ImageMetric(
    name="piqe",
    title="PIQE (unofficial)",
    unit="",
    digits=2,
    higher_is_better=False,
    needs_reference=False,
    measure=piqe,
    implementation="pypiqe",
    version=f"{_version('pypiqe')}, given RGB",
    licence="MIT, as pypiqe says",
    packages=("pypiqe",),
    paper="Venkatanath et al., NCC 2015",
)


def bridged(name: str) -> ImageMetric:
    """The metric that pyiqa calls ``name``, on the CPU. :class:`UserError` where pyiqa is not here or has none such.

    Its model is made, and downloaded by pyiqa, when the first image is measured.
    """
    _imported("pyiqa", f"pyiqa:{name}")
    known: Mapping[str, Any] = importlib.import_module("pyiqa.default_model_configs").DEFAULT_CONFIGS
    if name not in known:
        raise UserError(f"pyiqa {_version('pyiqa')} has no metric {name!r}; {did_you_mean(name, list(known))}")
    compares = known[name].get("metric_mode") == "FR"

    def measure(*images: Levels) -> float:
        import torch

        tensors = [torch.from_numpy(each.copy()).permute(2, 0, 1)[None] / 255 for each in images]
        with torch.no_grad():
            return float(_made(name)(*tensors))

    return ImageMetric(
        name=f"pyiqa:{name}",
        title=f"{name} (pyiqa)",
        unit="",
        digits=4,
        higher_is_better=not known[name].get("lower_better", False),
        needs_reference=compares,
        measure=measure,
        implementation="pyiqa",
        version=_version("pyiqa"),
        licence="PolyForm Noncommercial, and that of its model",
        packages=("pyiqa",),
    )


@lru_cache(maxsize=8)
def _made(name: str) -> Any:
    try:
        return _imported("pyiqa", f"pyiqa:{name}").create_metric(name, device="cpu")
    except FOREIGN as error:  # it downloads models
        raise UserError(
            f"pyiqa does not make its metric {name!r} ({type(error).__name__}: {one_line(error)}); try it in Python: "
            f"pyiqa.create_metric({name!r})"
        ) from error
