"""derainbench: train, evaluate and compare single-image deraining methods under named metric protocols.

What authors of methods and scripts need is here, each imported when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from derainbench.download.remote import Address, RemoteFile, in_repository
    from derainbench.engine.on_arrays import restore
    from derainbench.errors import UserError
    from derainbench.metrics.image_metric import ImageMetric
    from derainbench.metrics.losses import Loss
    from derainbench.metrics.on_arrays import psnr, score, ssim
    from derainbench.metrics.protocols import PROTOCOLS
    from derainbench.plugins.method import Batch, Derainer, Method, Paper, PublishedScore, Training, Weights
    from derainbench.plugins.recipe import Recipe
    from derainbench.results.load import load_run
    from derainbench.run.trained_weights import load_method

__version__ = "0.1.0"

__all__ = [
    "PROTOCOLS",
    "Address",
    "Batch",
    "Derainer",
    "ImageMetric",
    "Loss",
    "Method",
    "Paper",
    "PublishedScore",
    "Recipe",
    "RemoteFile",
    "Training",
    "UserError",
    "Weights",
    "in_repository",
    "load_method",
    "load_run",
    "psnr",
    "restore",
    "score",
    "ssim",
]

#: Where each name comes from; the command line must not wait for torch before it can print its help.
_HOMES = {
    "PROTOCOLS": "derainbench.metrics.protocols",
    "Address": "derainbench.download.remote",
    "Batch": "derainbench.plugins.method",
    "Derainer": "derainbench.plugins.method",
    "ImageMetric": "derainbench.metrics.image_metric",
    "Loss": "derainbench.metrics.losses",
    "Method": "derainbench.plugins.method",
    "Paper": "derainbench.plugins.method",
    "PublishedScore": "derainbench.plugins.method",
    "Recipe": "derainbench.plugins.recipe",
    "RemoteFile": "derainbench.download.remote",
    "Training": "derainbench.plugins.method",
    "UserError": "derainbench.errors",
    "Weights": "derainbench.plugins.method",
    "in_repository": "derainbench.download.remote",
    "load_method": "derainbench.run.trained_weights",
    "load_run": "derainbench.results.load",
    "psnr": "derainbench.metrics.on_arrays",
    "restore": "derainbench.engine.on_arrays",
    "score": "derainbench.metrics.on_arrays",
    "ssim": "derainbench.metrics.on_arrays",
}


if not TYPE_CHECKING:  # a type checker would take every name for one that is here

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
