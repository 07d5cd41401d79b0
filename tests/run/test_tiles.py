"""Tiles as a whole run records them."""

from __future__ import annotations

import subprocess

import numpy as np
import pandas as pd
from PIL import Image

from .conftest import Workshop

WIDE = """
from torch import nn
from derainbench.plugins.method import Derainer, Method

class Blur(Derainer):
    reach = 1
    def forward(self, rainy):
        return nn.functional.avg_pool2d(rainy, 3, 1, 1, count_include_pad=False)

class Mean(Derainer):
    def forward(self, rainy):
        return rainy - rainy.mean((2, 3), keepdim=True)

BLUR, MEAN = (Method(name=cls.__name__.lower(), title=cls.__name__, network=cls) for cls in (Blur, Mean))
"""


def test_tiles_are_recorded_and_named_where_they_change_scores(workshop: Workshop) -> None:
    """A network with a reach gives the same in tiles, and is not done again for them; another is."""
    (workshop.folder / "wide.py").write_text(WIDE)
    rng = np.random.default_rng(0)
    for role in ("rainy", "clean"):
        Image.fromarray(rng.integers(0, 255, (16, 300, 3), dtype=np.uint8)).save(
            workshop.folder / f"data/test/{role}/z.png"
        )

    def table(method: str, out: str) -> pd.DataFrame:
        cell = workshop.folder / out / f"eval/{method}/untrained/seed0/tiny"
        return pd.read_parquet(cell / "scores.parquet").query("protocol == 'rgb'").set_index("image")

    def run(tile: str, out: str) -> subprocess.CompletedProcess[str]:
        arguments = workshop.arguments("blur,mean", tile=tile, out=out)
        result = workshop([*arguments, "--plugin", "wide.py"])
        assert result.returncode == 0, result.stderr
        return result

    whole = run("off", "run")
    assert "tiles" not in whole.stdout
    tiled = run("100", "tiled")
    assert "mean on tiny: restored in tiles of 100 pixels (1 image); restored whole, it would score" in tiled.stdout
    assert "blur on tiny: restored in tiles" not in tiled.stdout
    differences = {}
    for method in ("blur", "mean"):
        assert table(method, "run").loc[["x", "y", "z"], "tile"].tolist() == [0, 0, 0]
        assert table(method, "tiled").loc[["x", "y", "z"], "tile"].tolist() == [0, 0, 100]
        whole_psnr, tiled_psnr = (table(method, out)["psnr"]["z"] for out in ("run", "tiled"))
        differences[method] = abs(float(whole_psnr) - float(tiled_psnr))
    assert differences["blur"] < 1e-6
    assert differences["mean"] > 1e-6
    again = run("100", "run")
    assert "eval/mean/untrained/seed0/tiny: done again, because tile None -> 100" in again.stderr
    assert "eval/blur" not in again.stderr
