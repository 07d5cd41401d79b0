"""The same scene is known again though cropped, compressed or rained on; others are not taken for it."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from derainbench.images.decode import read_rgb
from derainbench.overlap import fingerprint as module
from derainbench.overlap.fingerprint import NEAR, Fingerprint, Fingerprints, find_matches, fingerprint
from derainbench.overlap.frame import inside_frame
from derainbench.rain import preset
from derainbench.rain.photographs import PHOTOGRAPHS, photograph

Array = np.ndarray
Pairs = list[tuple[int, int]]


def pairs(first: Fingerprints, second: Fingerprints | None = None) -> Pairs:
    """The matches as pairs of places."""
    found = find_matches(first, second)
    return list(zip(found.first.tolist(), found.second.tolist(), strict=True))


def of(*images: Array) -> Fingerprints:
    """Fingerprints of images."""
    return Fingerprints.of([fingerprint(image) for image in images])


def jpeg(image: Array, quality: int = 75) -> Array:
    """Saved and read again."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def similarity(one: Array, other: Array) -> float:
    """Whatever the threshold says."""
    first, second = (fingerprint(image).coefficients.astype(np.float64) for image in (one, other))
    return float(first @ second)


@pytest.fixture(scope="session")
def scenes() -> list[Array]:
    """The photographs that every installation has, shrunk to about 300x400 pixels."""
    found = []
    for name in PHOTOGRAPHS:
        image = Image.fromarray(photograph(name))
        image.thumbnail((400, 400))
        found.append(np.asarray(image))
    return found


@pytest.fixture(scope="session")
def wave() -> Array:
    """An image that is computed, so that its fingerprint is the same everywhere."""
    rows, columns = np.mgrid[0:120, 0:160].astype(np.float64)
    grey = 127 + 60 * np.sin(rows / 5 + columns**2 / 900) + 40 * np.cos(columns / 7)
    return np.repeat(grey.astype(np.uint8)[..., np.newaxis], 3, axis=2)


CHANGES: dict[str, Callable[[Array, int], Array]] = {
    "light rain": lambda image, seed: preset("rain100l")(image, None, seed).rainy,
    "heavy rain": lambda image, seed: preset("rain100h")(image, None, seed).rainy,
    "drops": lambda image, seed: preset("drops")(image, None, seed).rainy,
    "mist": lambda image, seed: preset("mist")(image, None, seed).rainy,
    "crop by 1, light rain, JPEG 75": lambda image, seed: jpeg(preset("rain100l")(image[1:-1, 1:-1], None, seed).rainy),
    "crop by 2, JPEG 20": lambda image, seed: jpeg(image[2:-2, 2:-2], 20),
    "4 px off two sides": lambda image, seed: image[4:, 4:],
    "darker": lambda image, seed: (image * 0.6).astype(np.uint8),
    "half the size": lambda image, seed: np.asarray(
        Image.fromarray(image).resize((image.shape[1] // 2, image.shape[0] // 2))
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_is_known_again_and_no_other_scene_taken_for_it(scenes: list[Array], change: str) -> None:
    copies = of(*(CHANGES[change](scene, seed) for seed, scene in enumerate(scenes)))
    found = find_matches(of(*scenes), copies)
    # Heavy rain hides what little there is on the night sky behind the rocket.
    expected = range(len(scenes) - 1) if change == "heavy rain" else range(len(scenes))
    assert list(zip(found.first, found.second, strict=True)) == [(n, n) for n in expected]
    assert not found.exact.any()
    assert (found.similarity >= NEAR).all()
    assert (found.similarity <= 1).all()


@pytest.mark.slow
def test_photographs_are_found_as_the_docstring_says(shared: Path) -> None:
    """JPEG 75 of Rain100L's clean images cropped by a pixel and rained on, against them and unrelated photographs."""
    cleans = [read_rgb(shared / f"data/Rain100L/norain-{n:03d}.png") for n in range(1, 101)]
    rainy = [read_rgb(shared / f"data/Rain100L/rainy/rain-{n:03d}.png") for n in range(1, 101)]
    others = [read_rgb(path) for path in sorted((shared / "data/photographs").iterdir())]
    assert len(others) >= 100
    copies = of(*(CHANGES["crop by 1, light rain, JPEG 75"](clean, 500 + seed) for seed, clean in enumerate(cleans)))
    everything = of(*cleans, *others)
    # What shows the same background, by the pixels themselves.
    first = {n: next(m for m in range(100) if np.array_equal(cleans[m], cleans[n])) for n in range(100)}
    assert len(set(first.values())) == 91
    for several in (copies, of(*rainy)):
        found = pairs(several, everything)
        assert [pair for pair in found if first.get(pair[1]) != first[pair[0]]] == []  # no false pair
        assert len({copy for copy, _ in found}) >= 98
        table = several.coefficients.astype(np.float32) @ everything.coefficients.astype(np.float32).T
        same = np.array([[first.get(j) == first[i] for j in range(len(everything))] for i in range(100)])
        shapes = [each.sides[:, 0] > each.sides[:, 1] for each in (several, everything)]
        unrelated = ~same & (shapes[0][:, np.newaxis] == shapes[1][np.newaxis])
        assert table[same].min() > 0.8  # the gap that the threshold is in the middle of
        assert table[unrelated].max() < 0.27
    assert pairs(of(*others)) == []


def framed(image: Array, pixels: int, grey: int = 0, sides: bool = True) -> Array:
    """Bars so wide above and below, and on the sides too."""
    image = image.copy()
    image[:pixels] = image[-pixels:] = grey
    if sides:
        image[:, :pixels] = image[:, -pixels:] = grey
    return image


@pytest.mark.parametrize(
    "frame",
    [
        lambda image: framed(image, 16),
        lambda image: framed(image, 16, 255),
        lambda image: framed(image, 40, sides=False),
        lambda image: jpeg(framed(image, 16), 30),
        lambda image: framed(image // 4, 40, sides=False),
    ],
)
def test_frames_do_not_make_unrelated_photographs_alike(shared: Path, frame: Callable[[Array], Array]) -> None:
    photographs = [read_rgb(path) for path in sorted((shared / "data/photographs").iterdir())]
    wide = [image for image in photographs if image.shape[1] > image.shape[0]]
    assert len(wide) > 60
    assert pairs(of(*(frame(image) for image in wide))) == []


@pytest.mark.parametrize("grey", [0, 255])
def test_a_framed_picture_is_known_again(scenes: list[Array], grey: int) -> None:
    """By its content, with other frames and without."""
    for scene in scenes:
        bars = framed(scene, 12, grey)
        height, width = scene.shape[:2]
        made = fingerprint(bars)
        assert abs(made.height - (height - 24)) <= 4  # a dark picture begins a little inside its black frame
        assert abs(made.width - (width - 24)) <= 4
        assert pairs(of(bars), of(jpeg(bars), np.ascontiguousarray(scene[12:-12, 12:-12]))) == [(0, 0), (0, 1)]


def test_rain_on_a_frame_hides_it_unless_the_clean_image_tells_it(scenes: list[Array]) -> None:
    """As the two images of a pair, which are compared by what is inside the frame of the clean one."""
    bars = framed(scenes[0], 20, sides=False)
    rainy = preset("rain100h")(bars, None, 1).rainy
    inside = inside_frame(bars)
    made = fingerprint(rainy, inside)
    assert (made.height, made.width) == (inside.bottom - inside.top, inside.right - inside.left)
    aided = float(made.coefficients.astype(np.float64) @ fingerprint(bars).coefficients.astype(np.float64))
    assert similarity(rainy, bars) < aided - 0.1
    assert aided > 0.8


def test_a_smooth_sky_is_no_frame() -> None:
    """Its colour changes gently into the picture; nor is an image of one colour all frame."""
    picture = np.random.default_rng(0).integers(0, 256, (80, 100, 3), dtype=np.uint8)
    sky = np.linspace(200, 212, 40)[:, np.newaxis, np.newaxis] + np.zeros((40, 100, 3))
    haze = np.linspace(212, 200, 20)[:, np.newaxis, np.newaxis] + np.random.default_rng(0).normal(0, 8, (20, 100, 3))
    image = np.concatenate([sky, haze, picture]).astype(np.uint8)
    assert inside_frame(image) == (0, 140, 0, 100)
    assert inside_frame(np.full((40, 60, 3), 9, np.uint8)) == (0, 40, 0, 60)
    assert inside_frame(framed(picture, 36)) == (0, 80, 0, 100)  # what is left is too small to be the picture
    assert inside_frame(framed(picture, 9)) == (9, 71, 9, 91)


def test_exact_copies_are_told_from_near_ones(scenes: list[Array]) -> None:
    one = scenes[0]
    other = one.copy()
    other[0, 0, 0] ^= 1
    found = find_matches(of(one, one.copy(), other))
    assert list(zip(found.first, found.second, found.exact, strict=True)) == [
        (0, 1, True), (0, 2, False), (1, 2, False),
    ]  # fmt: skip
    assert found.similarity[0] == 1


def test_shape_counts(scenes: list[Array]) -> None:
    """481x321 is 480x320, and is neither 321x481 nor 4:3."""
    scene = Image.fromarray(scenes[0])
    wide = of(np.asarray(scene.resize((481, 321))))
    assert pairs(wide, of(np.asarray(scene.resize((480, 320))))) == [(0, 0)]
    for size in ((321, 481), (428, 321)):
        resized = np.asarray(scene.resize(size))
        assert similarity(np.asarray(scene.resize((481, 321))), resized) > NEAR
        assert pairs(wide, of(resized)) == []


def test_neighbouring_windows_of_a_photograph_are_not_one_image() -> None:
    """Windows that overlap by nine tenths are apart; by a hundredth of a side, as frames of a video, they are one."""
    image = photograph("astronaut")
    window = image[100:356, 100:356]
    assert pairs(of(window), of(image[100:356, 126:382], image[126:382, 100:356])) == []
    assert pairs(of(window), of(image[102:358, 102:358])) == [(0, 0)]


def test_plain_images_match_nothing_but_their_exact_copies() -> None:
    """Skies and walls: smooth, with noise and blocks of compression. What says nothing is not guessed at."""
    random = np.random.default_rng(0)
    ramps = [np.linspace(start, start + 25, 96)[:, np.newaxis, np.newaxis] for start in (40, 150, 151)]
    skies = [(ramp + random.normal(0, 1.5, (96, 144, 3))).round().astype(np.uint8) for ramp in ramps]
    several = of(*skies, *(jpeg(sky, 50) for sky in skies))
    assert several.plain.all()
    assert pairs(several) == []
    found = find_matches(several, of(skies[1]))
    assert (found.first.tolist(), found.second.tolist(), found.exact.tolist()) == ([1], [0], [True])


@pytest.mark.parametrize("level", [0, 128, 255])
def test_images_of_one_colour_are_no_copies_of_each_other(level: int) -> None:
    """Two white patches have the same pixels and show any two scenes."""
    flat = np.full((20, 30, 3), level, np.uint8)
    assert pairs(of(flat, flat.copy())) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (3, 2), (31, 33)])
def test_any_size_has_a_fingerprint(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    made = fingerprint(image)
    assert np.isfinite(made.coefficients).all()
    assert (made.height, made.width) == shape
    assert pairs(of(image), of(image.copy())) == ([] if shape == (1, 1) else [(0, 0)])


def test_a_fingerprint_stays_what_it_was(wave: Array) -> None:
    """Kept fingerprints are compared with new ones: where this changes, REVISION goes up."""
    made = fingerprint(wave)
    assert module.REVISION == 2
    assert made.pixels == "608a55d8373829437b35fb7b7bc51384"
    assert made.detail == pytest.approx(0.8599, abs=1e-4)
    np.testing.assert_allclose(
        made.coefficients[[0, 50, 100, 200, 300]], [-0.0584, 0.2133, -0.0430, -0.0054, -0.0016], atol=1e-3
    )


vectors = st.integers(0, 2**32 - 1).map(np.random.default_rng)


@given(random=vectors, count=st.integers(0, 40), spread=st.floats(0.2, 2))
def test_nothing_is_missed_for_the_sake_of_speed(random: np.random.Generator, count: int, spread: float) -> None:
    """The matcher gives what comparing all pairs in full gives, whatever the size of its blocks."""
    centres = random.normal(size=(4, 400))
    points = centres[random.integers(0, 4, count)] + spread * random.normal(size=(count, 400))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    prints = [
        Fingerprint(f"{n // 2:032x}" if random.random() < 0.3 else f"{n + 99:032x}", 30 + n % 2, 40, 1.0, p)
        for n, p in enumerate(points.astype(np.float16))
    ]
    several = Fingerprints.of(prints)
    exact = several.coefficients.astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    table = exact @ exact.T
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", 7)
        patch.setattr(module, "_PAIRS", 5)
        inside, across = pairs(several), pairs(several, several)
    clear = np.abs(table - NEAR) > 1e-5
    wanted = {(i, j) for i in range(count) for j in range(count) if clear[i, j] and table[i, j] > NEAR}
    assert {pair for pair in across if clear[pair]} == wanted
    assert inside == [(i, j) for i, j in across if i < j]
    assert {(j, i) for i, j in across if clear[i, j]} == wanted


def test_no_images_have_no_matches(wave: Array) -> None:
    nothing = Fingerprints.of([])
    assert pairs(nothing) == pairs(nothing, of(wave)) == pairs(of(wave), nothing) == pairs(of(wave)) == []
