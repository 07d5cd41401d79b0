"""Make data.csv and golden.json anew, with the packages that others trust; they are not among the project's own.

python -m venv /tmp/golden
/tmp/golden/bin/pip install scipy==1.17.1 statsmodels==0.15.0 scikit-posthocs==0.17.1
/tmp/golden/bin/python tests/stats/make_golden.py
"""

from __future__ import annotations

import json
from importlib.metadata import version
from itertools import combinations
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import scikit_posthocs
from scipy import stats
from statsmodels.stats.multitest import multipletests

HERE = Path(__file__).parent
METHODS = ["input", "ours", "close", "twin", "other"]
EXACT = 25


def invented() -> pd.DataFrame:
    """Scores of 90 images of 60 scenes, from a seed: "close" and "twin" differ from "ours" by little."""
    random = np.random.default_rng(20260101)
    scenes = np.concatenate([np.arange(60), random.integers(0, 60, 30)])
    hardness = random.normal(0, 3, 60)[scenes]
    shifts = {"input": -6.0, "ours": 1.0, "close": 0.75, "twin": 0.95, "other": 0.2}
    scores = {name: (30 + hardness + shift + random.normal(0, 0.8, 90)).round(4) for name, shift in shifts.items()}
    names = {"image": [f"image{n}" for n in range(90)], "scene": [f"scene{n:02}" for n in scenes]}
    return pd.DataFrame(names | scores).sort_values(["scene", "image"])


def signed_rank(difference: np.ndarray, method: Literal["approx", "exact"]) -> dict[str, float]:
    """scipy's two-sided p, and the sum of the positive ranks, without the zeros."""
    two = stats.wilcoxon(difference, zero_method="wilcox", correction=False, method=method)
    one = stats.wilcoxon(difference, zero_method="wilcox", correction=False, method=method, alternative="greater")
    return {"p": float(two.pvalue), "positive_ranks": float(one.statistic), "differing": int((difference != 0).sum())}


def main() -> None:
    """Write both files."""
    invented().to_csv(HERE / "data.csv", index=False)
    data = pd.read_csv(HERE / "data.csv")
    by_scene = data.groupby("scene")[METHODS].mean()
    coarse = data[METHODS].round(0)  # many equal differences, many zeros
    pairs = list(combinations(METHODS, 2))
    approximate = {f"{a}-{b}": signed_rank((by_scene[a] - by_scene[b]).to_numpy(), "approx") for a, b in pairs}
    p = [each["p"] for each in approximate.values()]
    friedman = stats.friedmanchisquare(*(by_scene[name] for name in METHODS))
    nemenyi = scikit_posthocs.posthoc_nemenyi_friedman(by_scene.to_numpy())
    golden = {
        "versions": {name: version(name) for name in ("numpy", "scipy", "statsmodels", "scikit-posthocs", "pandas")},
        "wilcoxon, scenes, approx": approximate,
        f"wilcoxon, first {EXACT} scenes, exact": {
            f"{a}-{b}": signed_rank((by_scene[a] - by_scene[b]).to_numpy()[:EXACT], "exact") for a, b in pairs
        },
        "wilcoxon, whole decibels of images, approx": {
            f"{a}-{b}": signed_rank((coarse[a] - coarse[b]).to_numpy(), "approx") for a, b in pairs
        },
        "holm": multipletests(p, method="holm")[1].tolist(),
        "friedman": {"statistic": float(friedman.statistic), "p": float(friedman.pvalue)},
        "friedman, whole decibels": dict(
            zip(("statistic", "p"), map(float, stats.friedmanchisquare(*(coarse[n] for n in METHODS))), strict=True)
        ),
        "nemenyi": nemenyi.to_numpy().tolist(),
    }
    (HERE / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
