"""Rain streaks: R = B + S (Eq. 1), with S drawn as benchmarks draw it: noise, grain, motion blur, levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated

import numpy as np
import scipy  # loads its submodules when they are first used
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from derainbench.rain.image import Grey, Image, Rain, clean_image, compose, generator, next_seed
from derainbench.rain.measure import RAIN_THRESHOLD, streak_statistics
from derainbench.rain.model import Preset, RainModel, ReadLayer, ReadPair

_MEAN_OF_NOISE = -1.5  # before its negative part is cut: the lower, the sparser and the more apart the streaks


class StreakParameters(BaseModel):
    """What the streaks of one image look like."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    directions: tuple[Annotated[float, Field(ge=0.0, lt=180.0)], ...] = Field(
        default=(90.0,), min_length=1, max_length=8
    )
    """One sheet of streaks for each: degrees anticlockwise from the horizontal, 90 is vertical."""
    length: float = Field(default=30.0, ge=1.0, le=200.0)
    """Length of the motion blur, in pixels."""
    width: float = Field(default=0.7, ge=0.3, le=10.0)
    """Standard deviation of the grain that is blurred into a streak, in pixels."""
    coverage: float = Field(default=0.2, gt=0.0, lt=1.0)
    """Share of pixels that all sheets together brighten by more than 5 grey levels."""
    brightness: float = Field(default=25.0, gt=RAIN_THRESHOLD, le=200.0)
    """Mean S over those pixels, in grey levels of 255."""


def streak(clean: Image, parameters: StreakParameters, seed: int) -> Rain:
    """Add rain streaks to `clean`: Eq. 1 of NASNet, R = min(1, B + S).

    `clean` is (H, W, 3) RGB, uint8 or float in [0, 1], at least 8x8. The layer S is (H, W, 1): one value for all
    channels, because streaks of the benchmarks are achromatic; 0 <= S <= 1. The same arguments give the same bytes.
    Raises UserError on another input.
    """
    background = clean_image(clean)
    layer = streak_layer(background.shape[0], background.shape[1], parameters, generator(seed))
    return compose(background, {"S": layer[..., np.newaxis]}, streak_equation)


def streak_equation(clean: Image, layers: Mapping[str, Grey]) -> Grey:
    """R = min(1, B + S), (H, W, 3) in [0, 1]."""
    brightened: Grey = clean_image(clean) + layers["S"]
    return np.minimum(brightened, 1.0, dtype=np.float32)


def streak_layer(height: int, width: int, parameters: StreakParameters, rng: np.random.Generator) -> Grey:
    """The layer S alone: (height, width) in [0, 1], one sheet of streaks for each direction, summed."""
    sheets = len(parameters.directions)
    # Sheets fall independently: their uncovered shares multiply, their means add.
    coverage = 1.0 - (1.0 - parameters.coverage) ** (1.0 / sheets)
    brightness = parameters.brightness * parameters.coverage / (sheets * coverage)
    total = np.zeros((height, width))
    for angle in parameters.directions:
        grain = _blurred_grain(height, width, angle, parameters, rng)
        total += _levels(grain, coverage, max(brightness, RAIN_THRESHOLD + 1.0))
    layer: Grey = np.clip(total / 255.0, 0.0, 1.0).astype(np.float32)
    return layer


def _blurred_grain(
    height: int, width: int, angle: float, parameters: StreakParameters, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Sparse noise, softened to grains and drawn out along `angle`, as one product in the Fourier domain."""
    length, grain = parameters.length, parameters.width
    margin = int(np.ceil(length + 4.0 * grain))  # no streak that leaves below may come back in above
    rows, columns = (scipy.fft.next_fast_len(side + margin, real=True) for side in (height, width))
    noise = np.maximum(rng.normal(_MEAN_OF_NOISE, 1.0, (rows, columns)), 0.0)
    fy, fx = scipy.fft.fftfreq(rows)[:, np.newaxis], scipy.fft.rfftfreq(columns)[np.newaxis, :]
    radians = np.radians(angle)
    along = fx * np.cos(radians) - fy * np.sin(radians)  # image rows count downwards
    softening = np.exp(-2.0 * (np.pi * grain) ** 2 * (fx**2 + fy**2))
    blurred = scipy.fft.irfft2(scipy.fft.rfft2(noise) * softening * np.sinc(length * along), s=(rows, columns))
    result: NDArray[np.float64] = blurred[:height, :width]
    return result


def _levels(grain: NDArray[np.float64], coverage: float, brightness: float) -> NDArray[np.float64]:
    """The last step of the recipe, an image editor's levels: shift and stretch `grain`, then cut what is negative.

    In the result, in grey levels, a share `coverage` of pixels lies above the rain threshold, with mean `brightness`.
    """
    threshold = np.quantile(grain, 1.0 - coverage)
    excess = float((grain[grain >= threshold] - threshold).mean())
    gain = (brightness - RAIN_THRESHOLD) / excess if excess > 0.0 else 0.0
    return np.maximum(gain * (grain - threshold) + RAIN_THRESHOLD, 0.0)


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


def _rain100l(clean: Image, depth: Grey | None, seed: int) -> Rain:
    rng = generator(seed)
    return streak(clean, rain100l_parameters(rng), next_seed(rng))


def _rain100h(clean: Image, depth: Grey | None, seed: int) -> Rain:
    rng = generator(seed)
    return streak(clean, rain100h_parameters(rng), next_seed(rng))


def _measured(pair: ReadPair, layer: ReadLayer) -> dict[str, float]:
    return asdict(streak_statistics(*pair()))


STREAK = RainModel(
    name="streak",
    title="Rain streaks",
    presets=(
        Preset("rain100l", "Light to moderate streaks of one direction, like Rain100L", _rain100l),
        Preset("rain100h", "Heavy streaks of several directions, like Rain100H", _rain100h),
    ),
    grey_layers=("S",),
    additive=True,
    quantities={
        "coverage": "coverage, S > 5 of 255",
        "mean_on_rain": "mean S on rain",
        "percentile_95": "95th percentile of S",
        "mean": "mean S",
        "newly_saturated": "newly saturated",
        "direction": "direction 5/50/95 %, degrees",
        "length": "streak length, px",
        "width": "streak width, px",
    },
    measure=_measured,
)
