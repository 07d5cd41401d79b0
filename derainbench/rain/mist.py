"""Rain mist: R = B * t + A * (1 - t) + S (Eq. 3), distant rain that veils the scene the more the farther it is."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import scipy  # loads its submodules when they are first used
from pydantic import BaseModel, ConfigDict, Field

from derainbench.errors import UserError
from derainbench.rain.image import Grey, Image, Rain, clean_image, compose, generator, next_seed, require_same_size
from derainbench.rain.measure import RAIN_THRESHOLD
from derainbench.rain.model import Preset, RainModel, ReadLayer, ReadPair
from derainbench.rain.streak import StreakParameters, streak_layer


class MistParameters(BaseModel):
    """How thick the mist of one image is, how bright, and what rain still shows as streaks before it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    beta: float = Field(default=1.2, ge=0.0, le=1000.0)
    """Scattering coefficient, in 1 / (unit of the depth map): for a depth normalised to 1 at the farthest point it is
    the optical thickness there; for metres it is in 1/m."""
    light: float = Field(default=0.8, ge=0.0, le=1.0)
    """Atmospheric light A, the grey that an infinite distance would show, in [0, 1]."""
    streaks: StreakParameters | None = None
    """The streaks S on top; None for S = 0."""


def mist(clean: Image, depth: Image, parameters: MistParameters, seed: int) -> Rain:
    """Veil `clean` by its depth: Eq. 3 of NASNet, R = min(1, B * t + A * (1 - t) + S), with t = exp(-beta * depth).

    `clean` is (H, W, 3) RGB, uint8 or float in [0, 1], at least 8x8; `depth` is (H, W), finite, at least 0, in any
    unit (`beta` is in its inverse). t and S are (H, W, 1) in [0, 1], A is (1, 1, 1). Eq. 3 adds S after the veil,
    unlike HeavyRain (Li et al., 2019), where mist also hides streaks. The same arguments give the same bytes. Raises
    UserError on another input.
    """
    background = clean_image(clean)
    distance = depth_map(depth)
    require_same_size(distance, background, "depth map", "clean image")
    height, width = distance.shape
    rng = generator(seed)
    streaks = np.zeros((height, width), np.float32)
    if parameters.streaks is not None:
        streaks = streak_layer(height, width, parameters.streaks, rng)
    layers: dict[str, Grey] = {
        "t": np.exp(-parameters.beta * distance.astype(np.float64)).astype(np.float32)[..., np.newaxis],
        "A": np.full((1, 1, 1), parameters.light, np.float32),
        "S": streaks[..., np.newaxis],
    }
    return compose(background, layers, mist_equation)


def mist_equation(clean: Image, layers: Mapping[str, Grey]) -> Grey:
    """R = min(1, B * t + A * (1 - t) + S), (H, W, 3) in [0, 1]."""
    t = layers["t"]
    veiled: Grey = clean_image(clean) * t + layers["A"] * (np.float32(1.0) - t) + layers["S"]
    return np.minimum(veiled, 1.0, dtype=np.float32)


def depth_map(depth: Image) -> Grey:
    """Check a depth map and give it as float32. Raises UserError unless it is (H, W), finite and nowhere negative."""
    if depth.ndim != 2:
        raise UserError(f"depth map: shape {depth.shape}, but mist takes (height, width); give one channel")
    result: Grey = depth.astype(np.float32)
    if not (np.isfinite(result).all() and result.min() >= 0.0):
        raise UserError("depth map: negative or not finite values; fill the holes and measure from the camera")
    return result


def plane_depth(height: int, width: int, seed: int) -> Grey:
    """A depth for a photograph that has none: (height, width) float32 in (0, 1], 1 at the farthest point, no unit.

    A ground plane that recedes towards the top, as in a photograph taken upright, with hills: noise of a third of the
    image in size. It knows nothing about the content; use a measured depth where there is one.
    """
    if height < 1 or width < 1:
        raise UserError(f"depth of {height}x{width} pixels: both sides must be at least 1")
    rng = generator(seed)
    ramp = np.linspace(1.0, 0.0, height)[:, np.newaxis] ** rng.uniform(0.8, 1.6)
    noise = scipy.ndimage.gaussian_filter(
        rng.standard_normal((height, width)), max(height, width) / 6.0, mode="reflect"
    )
    hills = (noise - noise.mean()) / (noise.std() + 1e-12)
    depth = np.clip(0.15 + 0.75 * ramp + 0.08 * hills, 0.05, None)
    result: Grey = (depth / depth.max()).astype(np.float32)
    return result


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


def _mist(clean: Image, depth: Grey | None, seed: int) -> Rain:
    rng = generator(seed)
    parameters = mist_parameters(rng)
    if depth is None:
        height, width = clean_image(clean).shape[:2]
        depth = plane_depth(height, width, next_seed(rng))
    return mist(clean, depth, parameters, next_seed(rng))


def _measured(pair: ReadPair, layer: ReadLayer) -> dict[str, float]:
    t, streaks = (layer(name).astype(np.float64) for name in ("t", "S"))
    return {
        "light": float(layer("A").flat[0]),
        "transmission": float(t.mean()),
        "thickness": -math.log(max(float(t.min()), 1.0 / 65535.0)),
        "coverage": float((255.0 * streaks > RAIN_THRESHOLD).mean()),
        "mean": float(255.0 * streaks.mean()),
    }


MIST = RainModel(
    name="mist",
    title="Rain mist",
    presets=(Preset("mist", "Mist that grows with depth, with fine streaks", _mist),),
    grey_layers=("t", "A", "S", "depth"),
    scene_layers=("depth",),
    quantities={
        "light": "atmospheric light A",
        "transmission": "mean t",
        "thickness": "-ln t at the farthest point",
        "coverage": "coverage of streaks, S > 5 of 255",
        "mean": "mean S",
    },
    measure=_measured,
)
