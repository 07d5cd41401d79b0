"""Rains with a name: for each, the ranges that one image's parameters are drawn from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from derainbench.errors import UserError, did_you_mean
from derainbench.rain.drop import DropParameters, drop
from derainbench.rain.image import Grey, Image, Rain, clean_image, generator
from derainbench.rain.mist import MistParameters, mist, plane_depth
from derainbench.rain.streak import StreakParameters, streak

RainModel = Literal["streak", "drop", "mist"]


@dataclass(frozen=True)
class Preset:
    """A named rain, called as `(clean, depth, seed)`: images differ by their seed as those of one benchmark do."""

    name: str
    model: RainModel
    title: str
    make: Callable[[Image, Grey | None, int], Rain]

    def __call__(self, clean: Image, depth: Grey | None, seed: int) -> Rain:
        """Rain on `clean`, (H, W, 3), with parameters and layers drawn from `seed`.

        `depth` is (H, W), normalised to 1 at the farthest point; only mist looks at it, and models one where it is
        None.
        """
        return self.make(clean, depth, seed)


def preset(name: str) -> Preset:
    """The preset called `name`. Raises UserError on an unknown name, listing all."""
    if name not in PRESETS:
        hint = did_you_mean(name, list(PRESETS))
        raise UserError(f"rain preset {name!r} does not exist; {hint} (there are {', '.join(sorted(PRESETS))})")
    return PRESETS[name]


def rain100l_parameters(rng: np.random.Generator) -> StreakParameters:
    """One image of Rain100L (Yang et al., 2017): one sheet of streaks, light to moderate. Ranges as measured."""
    # Bright rain is also dense rain there (correlation 0.4), and a few images have much more of it than the others.
    amount = rng.uniform() ** 1.2
    return StreakParameters(
        directions=(rng.uniform(67.0, 113.0),),
        length=rng.uniform(20.0, 75.0),
        width=rng.uniform(0.8, 1.25),
        coverage=0.10 + 0.24 * (0.5 * amount + 0.5 * rng.uniform()),
        brightness=15.5 * 2.7**amount,
    )


def rain100h_parameters(rng: np.random.Generator) -> StreakParameters:
    """One image of Rain100H (Yang et al., 2017): heavy sheets, three to five, that cross. Ranges as measured."""
    mean = rng.uniform(82.0, 98.0)
    sheets = int(rng.integers(3, 6))
    return StreakParameters(
        directions=tuple(float(angle) for angle in np.clip(mean + rng.uniform(-25.0, 25.0, sheets), 55.0, 125.0)),
        length=rng.uniform(20.0, 60.0),
        width=rng.uniform(0.7, 1.3),
        coverage=rng.uniform(0.72, 0.94),
        brightness=rng.uniform(48.0, 76.0),
    )


def drops_parameters(height: int, width: int, rng: np.random.Generator) -> DropParameters:
    """One wet window: drops over 3 to 15 % of the image, their radii in proportion to its shorter side."""
    smallest = max(2.0, rng.uniform(0.020, 0.030) * min(height, width))
    largest = max(smallest, rng.uniform(0.06, 0.10) * min(height, width))
    spread = np.log(largest / smallest)
    mean_square = (largest**2 - smallest**2) / (2.0 * spread) if spread > 0.0 else smallest**2
    coverage = rng.uniform(0.055, 0.125)
    return DropParameters(
        count=max(1, round(coverage * height * width / (np.pi * mean_square))),
        radius_min=smallest,
        radius_max=largest,
        minification=rng.uniform(2.5, 4.5),
        rim=rng.uniform(0.25, 0.5),
        glow=rng.uniform(0.03, 0.08),
        defocus=max(0.5, rng.uniform(0.06, 0.14) * float(np.sqrt(smallest * largest))),
    )


def mist_parameters(rng: np.random.Generator) -> MistParameters:
    """One misty scene: optical thickness as in RESIDE's haze (Li et al., 2019), with fine light streaks."""
    return MistParameters(
        beta=rng.uniform(0.6, 1.8),
        light=rng.uniform(0.65, 0.95),
        streaks=StreakParameters(
            directions=(rng.uniform(75.0, 105.0),),
            length=rng.uniform(12.0, 30.0),
            width=rng.uniform(0.5, 0.8),
            coverage=rng.uniform(0.06, 0.16),
            brightness=rng.uniform(9.0, 16.0),
        ),
    )


def _rain100l(clean: Image, depth: Grey | None, seed: int) -> Rain:
    rng = generator(seed)
    return streak(clean, rain100l_parameters(rng), _next_seed(rng))


def _rain100h(clean: Image, depth: Grey | None, seed: int) -> Rain:
    rng = generator(seed)
    return streak(clean, rain100h_parameters(rng), _next_seed(rng))


def _drops(clean: Image, depth: Grey | None, seed: int) -> Rain:
    rng = generator(seed)
    height, width = clean_image(clean).shape[:2]
    return drop(clean, drops_parameters(height, width, rng), _next_seed(rng))


def _mist(clean: Image, depth: Grey | None, seed: int) -> Rain:
    rng = generator(seed)
    parameters = mist_parameters(rng)
    if depth is None:
        height, width = clean_image(clean).shape[:2]
        depth = plane_depth(height, width, _next_seed(rng))
    return mist(clean, depth, parameters, _next_seed(rng))


def _next_seed(rng: np.random.Generator) -> int:
    """A seed for the next step, so that parameters and layers do not share random numbers."""
    return int(rng.integers(2**63))


#: All presets by name.
PRESETS: dict[str, Preset] = {
    each.name: each
    for each in (
        Preset("rain100l", "streak", "Light to moderate streaks of one direction, like Rain100L", _rain100l),
        Preset("rain100h", "streak", "Heavy streaks of several directions, like Rain100H", _rain100h),
        Preset("drops", "drop", "Drops on the glass before the lens", _drops),
        Preset("mist", "mist", "Mist that grows with depth, with fine streaks", _mist),
    )
}
