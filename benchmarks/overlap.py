"""How well fingerprints know a scene again: recall and the nearest false pair, by what was done to the copy.

    python -m benchmarks.overlap DATA

DATA holds ``Rain100L`` (``norain-001.png``, ``rainy/rain-001.png``, ...) and ``photographs`` (unrelated images). Prints
the tables of docs/overlap.md; about three minutes on one core.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from derainbench.images.decode import Array, read_rgb
from derainbench.overlap.fingerprint import NEAR, Fingerprint, Fingerprints, find_matches, fingerprint
from derainbench.rain import preset

#: Clean images of the Rain100L test set that show the background of an earlier one.
REPEATED = {4: 3, 14: 5, 25: 6, 36: 7, 47: 8, 58: 9, 69: 10, 80: 11, 91: 12}

Change = Callable[[Array, int], Array]


def jpeg(quality: int) -> Change:
    """Saved as JPEG and read again."""

    def change(image: Array, seed: int) -> Array:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, format="JPEG", quality=quality)
        return np.asarray(Image.open(buffer).convert("RGB"))

    return change


def crop(pixels: int) -> Change:
    """So many pixels cut off each side."""
    return lambda image, seed: image[pixels:-pixels, pixels:-pixels]


def rain(name: str) -> Change:
    """A preset of derainbench.rain, another rain for each seed."""
    return lambda image, seed: preset(name)(image, None, seed).rainy


def chain(*changes: Change) -> Change:
    """One after another."""

    def change(image: Array, seed: int) -> Array:
        for each in changes:
            image = each(image, seed)
        return image

    return change


CHANGES: dict[str, Change] = {
    "JPEG 75": jpeg(75),
    "JPEG 50": jpeg(50),
    "JPEG 10": jpeg(10),
    "crop 1": crop(1),
    "crop 2": crop(2),
    "crop 4 above and left": lambda image, seed: image[4:, 4:],
    "two thirds the size": lambda image, seed: np.asarray(
        Image.fromarray(image).resize((image.shape[1] * 2 // 3, image.shape[0] * 2 // 3), Image.Resampling.BICUBIC)
    ),
    **{name: rain(name) for name in ("rain100l", "rain100h", "drops", "mist")},
    **{f"crop 1, {name}, JPEG 75": chain(crop(1), rain(name), jpeg(75)) for name in ("rain100l", "rain100h")},
    **{f"crop 1, {name}, JPEG 75": chain(crop(1), rain(name), jpeg(75)) for name in ("drops", "mist")},
    **{f"crop 2, {name}, JPEG 50": chain(crop(2), rain(name), jpeg(50)) for name in ("rain100l", "rain100h")},
}


def framed(pixels: int, grey: int = 0, sides: bool = True) -> Change:
    """Bars so wide above and below, and on the sides too."""

    def change(image: Array, seed: int) -> Array:
        image = image.copy()
        image[:pixels] = image[-pixels:] = grey
        if sides:
            image[:, :pixels] = image[:, -pixels:] = grey
        return image

    return change


def caption(image: Array, seed: int) -> Array:
    """A white field with a date, as cameras put into a corner."""
    drawn = Image.fromarray(image)
    draw = ImageDraw.Draw(drawn)
    draw.rectangle((10, 10, 120, 40), fill=(255, 255, 255))
    draw.text((14, 16), "2020-01-01 12:00", fill=(0, 0, 0))
    return np.asarray(drawn)


def bonnet(image: Array, seed: int) -> Array:
    """A car's bonnet and its mirror, as dashboard cameras see them."""
    height, width = image.shape[:2]
    drawn = Image.fromarray(image)
    draw = ImageDraw.Draw(drawn)
    draw.ellipse((-width // 10, height * 3 // 4, width * 11 // 10, height * 3 // 2), fill=(20, 20, 20))
    draw.rectangle((width * 2 // 5, 0, width * 3 // 5, height // 8), fill=(10, 10, 10))
    return np.asarray(drawn)


def circle(image: Array, seed: int) -> Array:
    """Black outside a circle, as fisheye lenses leave it."""
    height, width = image.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    inside = (columns - width / 2) ** 2 + (rows - height / 2) ** 2 < (0.48 * min(height, width)) ** 2
    return np.where(inside[..., np.newaxis], image, 0).astype(np.uint8)


#: What makes unrelated pictures alike.
OVERLAYS: dict[str, Change] = {
    "black frame of 16 pixels": framed(16),
    "white frame of 16 pixels": framed(16, 255),
    "black frame of 16 pixels, JPEG 20": chain(framed(16), jpeg(20)),
    "black bars of 40 pixels": framed(40, sides=False),
    "a caption": caption,
    "a bonnet and a mirror": bonnet,
    "black around a circle": circle,
}


def similarities(first: Fingerprints, second: Fingerprints) -> Array:
    """All of them, (N, M), whatever the threshold: 0 where the shapes differ."""
    a, b = (each.coefficients.astype(np.float32) for each in (first, second))
    shape_a, shape_b = (np.log(each.sides[:, 0] / each.sides[:, 1]) for each in (first, second))
    return np.where(np.abs(shape_a[:, None] - shape_b[None]) < 0.04, a @ b.T, 0)


def report(name: str, clean: Fingerprints, copies: Fingerprints, scenes: Array, of: Array) -> None:
    """One row: how many copies are found by the matcher, their similarities, and the nearest unrelated pair."""
    matches = find_matches(copies, clean)
    right = of[matches.first] == scenes[matches.second]
    found = len(set(matches.first[right]))
    table = similarities(copies, clean)
    same = of[:, None] == scenes[None]
    true = np.sort(np.where(same, table, 0).max(axis=1))
    false = np.where(same, 0, table).max()
    print(
        f"| {name} | {found} of {len(copies)} ({found / len(copies):.3f}) | {true[0]:.2f} | "
        f"{true[len(true) // 50]:.2f} | {np.median(true):.2f} | {int((~right).sum())} | {false:.2f} |",
        flush=True,
    )


def overlaid(images: list[Array]) -> None:
    """Rows of how many unrelated pictures are taken for one scene where all have the same put over them."""
    wide = [image if image.shape[1] > image.shape[0] else np.rot90(image) for image in images]
    for name, change in OVERLAYS.items():
        prints = Fingerprints.of([fingerprint(np.ascontiguousarray(change(image, 0))) for image in wide])
        table = similarities(prints, prints)
        np.fill_diagonal(table, 0)
        pairs = len(wide) * (len(wide) - 1) // 2
        print(f"| {name} | {len(find_matches(prints).first)} of {pairs:,} | {table.max():.2f} |", flush=True)


def crops(images: list[Array], height: int, width: int) -> tuple[list[Fingerprint], list[int]]:
    """Crops that do not overlap, of every image, and which image each is of."""
    prints, of = [], []
    for number, image in enumerate(images):
        for top in range(0, image.shape[0] - height + 1, height):
            for left in range(0, image.shape[1] - width + 1, width):
                prints.append(fingerprint(image[top : top + height, left : left + width]))
                of.append(number)
    return prints, of


def main(data: Path) -> None:
    """Print the tables."""
    cleans = [read_rgb(data / "Rain100L" / f"norain-{n:03d}.png") for n in range(1, 101)]
    rainy = [read_rgb(data / "Rain100L" / "rainy" / f"rain-{n:03d}.png") for n in range(1, 101)]
    photographs = [read_rgb(path) for path in sorted((data / "photographs").iterdir())]
    images = cleans + photographs
    scenes = np.array([REPEATED.get(n, n) for n in range(1, 101)] + [1000 + n for n in range(len(photographs))])
    clean = Fingerprints.of([fingerprint(image) for image in images])
    print(f"{len(set(scenes))} scenes, threshold {NEAR}; similarities of true pairs: least, 2 % quantile, median\n")
    print("| copy | found | least | 2 % | median | false pairs | nearest false |\n|---|---|---|---|---|---|---|")
    report("Rain100L's rainy images", clean, Fingerprints.of([fingerprint(i) for i in rainy]), scenes, scenes[:100])
    for name, change in CHANGES.items():
        prints = [fingerprint(change(image, 10_000 + seed)) for seed, image in enumerate(images)]
        report(name, clean, Fingerprints.of(prints), scenes, scenes)
    print("\n| the same on all photographs | false pairs | nearest |\n|---|---|---|")
    overlaid(photographs)
    print("\n| crops that do not overlap | crops | too plain | false pairs | nearest false |\n|---|---|---|---|---|")
    distinct = [image for image, n in zip(images, range(1, 1000), strict=False) if n not in REPEATED]
    for height, width in ((256, 256), (128, 192), (64, 64)):
        prints, of = crops(distinct, height, width)
        columns = Fingerprints.of(prints)
        decided = Fingerprints.of([each for each, plain in zip(prints, columns.plain, strict=True) if not plain])
        other = np.array(of)[~columns.plain]
        table = np.where(other[:, None] == other[None], 0, similarities(decided, decided))
        matches = find_matches(decided)
        unrelated = int((other[matches.first] != other[matches.second]).sum())
        print(
            f"| {height}x{width} | {len(columns)} | {int(columns.plain.sum())} | {unrelated} of unrelated photographs, "
            f"{len(matches.first) - unrelated} of one | {table.max():.2f} |"
        )
    many = Fingerprints.of(like(clean, 30_000))
    start = time.perf_counter()
    find_matches(many)
    print(f"\n30,000 fingerprints among themselves: {time.perf_counter() - start:.0f} s")


def like(real: Fingerprints, count: int) -> list[Fingerprint]:
    """Random ones with the spectrum of real ones, as unrelated photographs have it."""
    random = np.random.default_rng(0)
    spectrum = np.sqrt((real.coefficients.astype(np.float32) ** 2).mean(axis=0))
    vectors = (random.standard_normal((count, len(spectrum)), np.float32) * spectrum).astype(np.float16)
    return [Fingerprint(f"{n:032x}", 321, 481, 1.0, vector) for n, vector in enumerate(vectors)]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
