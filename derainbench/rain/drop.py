"""Raindrops on the glass: R = (1 - M) * B + D (Eq. 2), each drop a small lens that turns the scene upside down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy  # loads its submodules when they are first used
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from derainbench.rain.image import Grey, Image, Rain, clean_image, compose, generator, next_seed
from derainbench.rain.model import Preset, RainModel, ReadLayer, ReadPair

_TRIES = 60  # attempts to place a drop where it touches no other, before it is left out
_REACH = 2.0  # half the window around a drop, in radii; its shape and its soft edge end well within


class DropParameters(BaseModel):
    """What the drops on one pane of glass look like."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int = Field(default=30, ge=0, le=2000)
    """Drops to place; those that find no room are left out."""
    radius_min: float = Field(default=4.0, ge=1.0, le=500.0)
    """Radius of the smallest drop, in pixels."""
    radius_max: float = Field(default=14.0, ge=1.0, le=500.0)
    """Radius of the largest drop, in pixels; radii are log-uniform, small drops being the most frequent."""
    minification: float = Field(default=3.0, ge=1.0, le=20.0)
    """Width of the part of the scene seen through a drop, in widths of the drop."""
    rim: float = Field(default=0.5, ge=0.0, le=1.0)
    """Share of the light that total reflection takes away at the very rim."""
    glow: float = Field(default=0.06, ge=0.0, le=0.5)
    """Ambient light that a drop adds to what it shows, as a share of the image's mean."""
    defocus: float = Field(default=1.0, ge=0.0, le=50.0)
    """Standard deviation of the blur of the drops' outlines, in pixels: the camera focuses on the scene, not on the
    glass."""

    @model_validator(mode="after")
    def _radii_in_order(self) -> DropParameters:
        if self.radius_min > self.radius_max:
            raise ValueError(f"radius_min {self.radius_min} is above radius_max {self.radius_max}; swap them")
        return self


@dataclass(frozen=True)
class _Drop:
    """Where a drop sits, in pixels, and the balls (row, column, radius) that its outline is moulded from."""

    row: float
    column: float
    radius: float
    balls: tuple[tuple[float, float, float], ...]


def drop(clean: Image, parameters: DropParameters, seed: int) -> Rain:
    """Put drops on the glass before `clean`: Eq. 2 of NASNet, R = (1 - M) * B + D.

    `clean` is (H, W, 3) RGB, uint8 or float in [0, 1], at least 8x8. M is (H, W, 1) in [0, 1], 1 inside a drop,
    between at its soft edge (the paper's M is binary; its drops have no edge). D = M * (what the drops show) is (H,
    W, 3) in [0, 1]. What a drop shows is the scene around it, inverted, minified and distorted as by a spherical cap
    of water (Roser and Geiger, 2009; Halimeh and Roser, 2009), reduced to its paraxial form. The same arguments give
    the same bytes. Raises UserError on another input.
    """
    background = clean_image(clean)
    height, width = background.shape[:2]
    drops = _place(height, width, parameters, generator(seed))
    mask, rows, columns, shade = _lens_maps(height, width, drops, parameters)
    content = _refracted(background, rows, columns, mask > 0.0, parameters)
    ambient = np.float32(parameters.glow) * background.mean(axis=(0, 1))
    seen = np.clip(content * shade[..., np.newaxis] + ambient, 0.0, 1.0)
    layers: dict[str, Grey] = {
        "M": mask[..., np.newaxis],
        "D": (mask[..., np.newaxis] * seen).astype(np.float32),
    }
    return compose(background, layers, drop_equation)


def drop_equation(clean: Image, layers: Mapping[str, Grey]) -> Grey:
    """R = (1 - M) * B + D, (H, W, 3) in [0, 1]."""
    composed: Grey = (np.float32(1.0) - layers["M"]) * clean_image(clean) + layers["D"]
    return np.minimum(composed, 1.0, dtype=np.float32)  # 1 + one unit of rounding is possible


def _place(height: int, width: int, parameters: DropParameters, rng: np.random.Generator) -> list[_Drop]:
    """Drops that do not touch, large ones first, so that they find room."""
    low, high = np.log([parameters.radius_min, parameters.radius_max])
    # One draw from each of `count` equal parts of the range: a handful of drops then covers what many would.
    parts = (np.arange(parameters.count) + rng.uniform(size=parameters.count)) / max(1, parameters.count)
    radii = np.exp(low + (high - low) * parts)[::-1]
    placed: list[_Drop] = []
    for radius in radii:
        for _ in range(_TRIES):
            row, column = float(rng.uniform(0, height)), float(rng.uniform(0, width))
            # 1.15: outlines are not quite circles.
            if all(np.hypot(row - d.row, column - d.column) > 1.15 * (radius + d.radius) for d in placed):
                placed.append(_mould(row, column, float(radius), rng))
                break
    return placed


def _mould(row: float, column: float, radius: float, rng: np.random.Generator) -> _Drop:
    """An irregular drop: a main ball and two smaller ones off its centre, mostly below, where gravity pulls."""
    balls = [(row, column, 0.8 * radius)]
    for _ in range(2):
        angle = rng.normal(np.pi / 2.0, 1.2)
        offset, size = radius * rng.uniform(0.4, 0.7), radius * rng.uniform(0.25, 0.5)
        balls.append((row + offset * float(np.sin(angle)), column + offset * float(np.cos(angle)), size))
    return _Drop(row, column, radius, tuple(balls))


def _lens_maps(
    height: int, width: int, drops: list[_Drop], parameters: DropParameters
) -> tuple[Grey, NDArray[np.float64], NDArray[np.float64], Grey]:
    """For each pixel: M, the (row, column) of the scene seen there, and the share of light that passes; all (H, W)."""
    rows, columns = (grid.astype(np.float64) for grid in np.mgrid[0:height, 0:width])
    source_rows, source_columns = rows.copy(), columns.copy()
    mask = np.zeros((height, width))
    shade = np.ones((height, width))
    nearest = np.full((height, width), np.inf)
    for one in drops:
        reach = _REACH * one.radius + 4.0 * parameters.defocus
        window = np.s_[
            max(0, int(one.row - reach)) : int(one.row + reach) + 2,
            max(0, int(one.column - reach)) : int(one.column + reach) + 2,
        ]
        y, x = rows[window], columns[window]
        # Metaballs (Blinn, 1982): the field is 1 on the outline. For one ball, `depth` is distance / radius.
        field = sum(size**2 / ((y - r) ** 2 + (x - c) ** 2 + 1e-6) for r, c, size in one.balls)
        depth = 1.0 / np.sqrt(field)
        mask[window] = np.maximum(mask[window], np.clip((1.0 - depth) * one.radius + 0.5, 0.0, 1.0))
        mine = depth < nearest[window]
        nearest[window][mine] = depth[mine]
        inner = np.minimum(depth, 1.0)
        # The slope of a spherical cap grows faster than the distance from its top: the view is a fish-eye's.
        view = parameters.minification * (0.7 + 0.3 * inner**2)
        half_view = parameters.minification * one.radius
        centre_row, centre_column = _within(one.row, half_view, height), _within(one.column, half_view, width)
        source_rows[window][mine] = (centre_row - view * (y - one.row))[mine]
        source_columns[window][mine] = (centre_column - view * (x - one.column))[mine]
        edge = np.clip((inner - 0.55) / 0.45, 0.0, 1.0)
        shade[window][mine] = (1.0 - parameters.rim * edge * edge * (3.0 - 2.0 * edge))[mine]
    if parameters.defocus > 0.0:
        mask = scipy.ndimage.gaussian_filter(mask, parameters.defocus, mode="nearest")
    return np.clip(mask, 0.0, 1.0).astype(np.float32), source_rows, source_columns, shade.astype(np.float32)


def _within(centre: float, half: float, side: int) -> float:
    """`centre` moved so that a view of half-width `half` stays inside the image: what lies outside it is unknown."""
    return side / 2.0 if 2.0 * half >= side else min(max(centre, half), side - 1.0 - half)


def _refracted(
    background: Grey,
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
    wanted: NDArray[np.bool_],
    parameters: DropParameters,
) -> Grey:
    """`background` at (rows, columns) where `wanted`, zero elsewhere: (H, W, 3)."""
    # A minified view averages over what one of its pixels covers; a drop is also a poor lens, blurring by a tenth of
    # its radius.
    typical = float(np.sqrt(parameters.radius_min * parameters.radius_max))
    sigma = parameters.minification * max(0.4, 0.06 * typical)
    content = np.zeros_like(background)
    coordinates = np.stack([rows[wanted], columns[wanted]])
    for channel in range(3):
        blurred = scipy.ndimage.gaussian_filter(background[..., channel], sigma, mode="mirror")
        content[..., channel][wanted] = scipy.ndimage.map_coordinates(blurred, coordinates, order=1, mode="mirror")
    return np.clip(content, 0.0, 1.0)


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


def _drops(clean: Image, depth: Grey | None, seed: int) -> Rain:
    rng = generator(seed)
    height, width = clean_image(clean).shape[:2]
    return drop(clean, drops_parameters(height, width, rng), next_seed(rng))


def _measured(pair: ReadPair, layer: ReadLayer) -> dict[str, float]:
    mask = layer("M")
    return {"coverage": float((mask > 0.5).mean()), "soft": float(((mask > 0.0) & (mask < 1.0)).mean())}


DROP = RainModel(
    name="drop",
    title="Raindrops",
    presets=(Preset("drops", "Drops on the glass before the lens", _drops),),
    grey_layers=("M",),
    # D shows the scene in colour. It lies beside the others, but a card's layers are read as grey, so that a card that
    # named it would give a method something else than D.
    colour_layers=("D",),
    quantities={"coverage": "coverage, M > 1/2", "soft": "edge, 0 < M < 1"},
    measure=_measured,
)
