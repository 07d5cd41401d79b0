"""What the rain of real benchmark sets measures: the numbers that synthetic rain is held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Spread:
    """Mean over a set's images, and the least and the greatest value; None where not known."""

    mean: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class RealSet:
    """Measurements of one published set, by the names of `StreakStatistics`' fields and `psnr`, `ssim`.

    `psnr` and `ssim` are the unprocessed input's, protocol `y`. `direction` is the 5th, 50th and 95th percentile over
    the images, in degrees.
    """

    title: str
    pairs: int
    source: str
    spreads: Mapping[str, Spread]
    direction: tuple[float, float, float] | None = None
    differs: tuple[str, ...] = field(default=())
    """Quantities that the source defines otherwise than `streak_statistics`: not to be compared digit by digit."""


#: The old (2017) test set, all 100 pairs, by `streak_statistics` and `metrics.score` of this project.
RAIN100L = RealSet(
    title="Rain100L",
    pairs=100,
    source="all 100 test pairs (2017), measured by this program's streak_statistics and protocol y",
    spreads={
        "coverage": Spread(0.213, 0.089, 0.403),
        "mean_on_rain": Spread(25.1, 14.6, 44.1),
        "percentile_95": Spread(35.4, 11.0, 76.0),
        "mean": Spread(5.89, 1.67, 16.2),
        "newly_saturated": Spread(0.0055, 0.0, 0.0405),
        "length": Spread(17.5, 7.4, 35.2),
        "width": Spread(1.31, 0.91, 1.76),
        "psnr": Spread(26.90, 20.24, 34.53),
        "ssim": Spread(0.8384, 0.6433, 0.9581),
    },
    direction=(67.0, 90.1, 113.1),
)

#: The same files in an earlier study of ours, whose code estimated direction and length in other ways.
RAIN100L_STUDY = RealSet(
    title="Rain100L, study",
    pairs=100,
    source="the same 100 pairs in the study that the presets were drawn up from, by other code",
    spreads={
        "coverage": Spread(0.21, 0.09, 0.40),
        "mean_on_rain": Spread(25.0, 15.0, 45.0),
        "percentile_95": Spread(35.0, 11.0, 76.0),
        "mean": Spread(5.7, 1.5, 14.0),
        "newly_saturated": Spread(0.005),
        "length": Spread(14.0, 9.0, 29.0),
        "psnr": Spread(26.90),
        "ssim": Spread(0.838),
    },
    direction=(69.0, 90.0, 111.0),
    differs=("direction", "length"),
)

#: No Rain100H files were at hand to measure again.
RAIN100H_STUDY = RealSet(
    title="Rain100H, study",
    pairs=10,
    source="the first 10 test pairs (2017) in the same study; not measured again",
    spreads={
        "coverage": Spread(0.85, 0.51, 0.96),
        "mean_on_rain": Spread(64.0, 42.0, 90.0),
        "percentile_95": Spread(122.0, 85.0, 174.0),
        "mean": Spread(53.0, 28.0, 82.0),
        "newly_saturated": Spread(0.07),
        "psnr": Spread(13.60),
        "ssim": Spread(0.357),
    },
)

#: What is known of drops and of mist is what generators in the literature draw, not measurements of real rain.
DROPS_LITERATURE = RealSet(
    title="generators",
    pairs=0,
    source="what published drop generators aim at; no real set has masks to measure",
    spreads={"coverage": Spread(None, 0.03, 0.15)},
    differs=("coverage",),
)

MIST_LITERATURE = RealSet(
    title="RESIDE",
    pairs=0,
    source="the ranges that RESIDE (Li et al., 2019) draws its haze from",
    spreads={"light": Spread(None, 0.7, 1.0), "thickness": Spread(None, 0.6, 1.8)},
    differs=("light", "thickness"),
)

#: What each preset's rain is printed beside.
BESIDE: Mapping[str, tuple[RealSet, ...]] = {
    "rain100l": (RAIN100L, RAIN100L_STUDY, RAIN100H_STUDY),
    "rain100h": (RAIN100H_STUDY, RAIN100L, RAIN100L_STUDY),
    "drops": (DROPS_LITERATURE,),
    "mist": (MIST_LITERATURE,),
}
