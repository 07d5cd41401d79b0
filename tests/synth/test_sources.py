"""What rain can be put on: names, broken files, depth maps."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from derainbench.catalogue.cards import read_card
from derainbench.images.decode import read_layer, read_rgb
from derainbench.synth.request import Request
from derainbench.synth.sources import find_scenes
from derainbench.synth.synthesize import synthesize

Refused = Callable[..., AbstractContextManager[None]]
SaveImage = Callable[[Path, np.ndarray], Path]


def test_scenes_are_named_by_their_path(tmp_path: Path, save_image: SaveImage) -> None:
    image = np.full((9, 9, 3), 7, np.uint8)
    decomposed = unicodedata.normalize("NFD", "été")
    for name in ("b.png", "a/b.JPG", f"a/{decomposed} 1.tif", "a/c.d.bmp", ".hidden.png", "._b.png", "a/.thumbs/x.png"):
        save_image(tmp_path / "in" / name, image)
    (tmp_path / "in" / "notes.txt").write_text("not an image")
    (tmp_path / "in" / "png").write_text("nor this")
    (tmp_path / "in" / "a" / "loop").symlink_to(tmp_path / "in")
    save_image(tmp_path / "elsewhere" / "e.png", image)
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "elsewhere")
    assert list(find_scenes(tmp_path / "in", None)) == ["a-b", "a-c.d", "a-été 1", "b", "linked-e"]


@pytest.mark.parametrize("names", [("a.png", "a.jpg"), ("x/y.png", "x-y.png"), ("a.png", "A.png")])
def test_two_files_of_one_name(tmp_path: Path, save_image: SaveImage, refused: Refused, names: tuple[str, str]) -> None:
    for name in names:
        save_image(tmp_path / "in" / name, np.full((9, 9, 3), 7, np.uint8))
    with refused(*(str(tmp_path / "in" / name) for name in names), "rename one"):
        find_scenes(tmp_path / "in", None)


def test_no_images(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "in").mkdir()
    with refused("no image files", "png"):
        synthesize(Request("rain100l", tmp_path / "in", tmp_path / "out"), workers=1)
    with refused("nowhere", "no folder"):
        synthesize(Request("rain100l", tmp_path / "nowhere", tmp_path / "out"), workers=1)
    with refused("name", "rename"):
        (tmp_path / "in" / "line\nbreak.png").write_bytes(b"x")
        find_scenes(tmp_path / "in", None)


def test_files_that_cannot_be_used_are_all_named_before_anything_is_written(
    photos: Path, tmp_path: Path, save_image: SaveImage, refused: Refused
) -> None:
    (photos / "empty.png").touch()
    (photos / "text.jpg").write_text("hello")
    save_image(photos / "tiny.png", np.zeros((7, 20, 3), np.uint8))
    with refused("3 files", "nothing was written", "empty.png", "text.jpg", "tiny.png is 20x7 pixels", "8x8"):
        synthesize(Request("rain100l", photos, tmp_path / "out"), workers=1)
    assert not (tmp_path / "out").exists()


def test_a_file_that_breaks_in_the_middle_is_reported_and_the_rest_is_done(photos: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    Image.fromarray(random.integers(0, 255, (24, 32, 3), dtype=np.uint8)).save(photos / "half.png")
    data = (photos / "half.png").read_bytes()
    (photos / "half.png").write_bytes(data[: len(data) // 2])
    request = Request("rain100l", photos, tmp_path / "out", per_image=2)
    outcome = synthesize(request, workers=1)
    assert outcome.made == 10
    assert len(outcome.failures) == 1
    assert "half.png" in outcome.failures[0]
    assert read_card(tmp_path / "out" / "card.toml").counts.test == 10
    assert not list((tmp_path / "out").rglob("half*.png"))
    (photos / "half.png").write_bytes(data)
    mended = synthesize(request, workers=1)
    assert (mended.made, mended.kept, mended.failures) == (2, 10, ())
    assert read_card(tmp_path / "out" / "card.toml").counts.test == 12


def test_nothing_but_broken_files(tmp_path: Path, save_image: SaveImage) -> None:
    path = save_image(tmp_path / "in" / "a.png", np.random.default_rng(0).integers(0, 255, (24, 32, 3), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:500])
    outcome = synthesize(Request("rain100l", tmp_path / "in", tmp_path / "out"), workers=1)
    assert (outcome.card, outcome.made, len(outcome.failures)) == (None, 0, 1)


def test_clean_images_are_decoded(tmp_path: Path) -> None:
    """Turned as EXIF says, 16-bit grey and palettes as 8-bit RGB."""
    (tmp_path / "in").mkdir()
    image = Image.fromarray(np.random.default_rng(0).integers(0, 200, (16, 24, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "in" / "turned.png", exif=exif)
    image.quantize(16).save(tmp_path / "in" / "palette.png")
    Image.fromarray(np.full((12, 16), 32768, np.uint16)).save(tmp_path / "in" / "deep.png")
    synthesize(Request("rain100l", tmp_path / "in", tmp_path / "out"), workers=1)
    sizes = {}
    for path in (tmp_path / "out" / "test" / "clean").iterdir():
        with Image.open(path) as written:
            assert written.mode == "RGB"
            sizes[path.stem] = written.size
        np.testing.assert_array_equal(read_rgb(path), read_rgb(tmp_path / "in" / path.name))
    assert sizes == {"turned": (16, 24), "palette": (24, 16), "deep": (16, 12)}


@pytest.fixture
def depths(photos: Path, tmp_path: Path) -> Path:
    """A depth map for each photograph, farther to the right, of 8 or 16 bits and never white."""
    for path in photos.rglob("*.png"):
        target = tmp_path / "depths" / path.relative_to(photos)
        target.parent.mkdir(parents=True, exist_ok=True)
        ramp = np.tile(np.linspace(0, 1, 32), (24, 1))
        deep = path.stem == "a"
        Image.fromarray((ramp * 20000).astype(np.uint16) if deep else (ramp * 100).astype(np.uint8)).save(target)
    return tmp_path / "depths"


def test_depth_maps(photos: Path, depths: Path, tmp_path: Path) -> None:
    synthesize(Request("mist", photos, tmp_path / "out", depth=depths), workers=1)
    for scene in ("a", "b", "more-a", "more-d"):
        depth = read_layer(tmp_path / "out" / "test" / "layers" / "depth" / f"{scene}.png")
        np.testing.assert_allclose(depth, np.tile(np.linspace(0, 1, 32), (24, 1)), atol=0.01)
        assert depth.max() == 1.0  # normalised: the farthest point
        t = read_layer(tmp_path / "out" / "test" / "layers" / "t" / f"{scene}-0.png")
        assert t[:, 0].min() == 1.0
        thickness = -np.log(t[:, -1].mean())
        assert 0.6 <= thickness <= 1.8
        np.testing.assert_allclose(t, np.exp(-thickness * depth), atol=2e-3)
        light = read_layer(tmp_path / "out" / "test" / "layers" / "A" / f"{scene}-0.png")
        assert light.min() == light.max() > 0.6
    assert "depth maps as given" in read_card(tmp_path / "out" / "card.toml").defects[0]


def test_without_depth_maps_a_plane_is_modelled_and_the_card_says_so(photos: Path, tmp_path: Path) -> None:
    synthesize(Request("mist", photos, tmp_path / "out", per_image=2), workers=1)
    card = read_card(tmp_path / "out" / "card.toml")
    assert "depth is modelled" in card.defects[0]
    assert card.layouts[0].test is not None
    assert set(card.layouts[0].test.layers) == {"t", "A", "S", "depth"}
    depths = sorted((tmp_path / "out" / "test" / "layers" / "depth").iterdir())
    assert [path.stem for path in depths] == ["a", "b", "c", "more-a", "more-d"]  # one for both rains of a scene
    depth = read_layer(depths[0])
    assert depth[:8].mean() > depth[-8:].mean() + 0.2


def test_given_depth_is_another_dataset_than_modelled_depth(
    photos: Path, depths: Path, tmp_path: Path, refused: Refused
) -> None:
    synthesize(Request("mist", photos, tmp_path / "out"), workers=1)
    with refused("--depth modelled, not given"):
        synthesize(Request("mist", photos, tmp_path / "out", depth=depths), workers=1)


def test_depth_maps_that_do_not_fit(photos: Path, depths: Path, tmp_path: Path, refused: Refused) -> None:
    out = tmp_path / "out"
    with refused("--depth is for mist", "streak"):
        synthesize(Request("rain100l", photos, out, depth=depths), workers=1)
    shutil.move(depths / "b.png", tmp_path / "b.png")
    with refused(str(photos / "b.png"), "no depth map", str(depths)):
        synthesize(Request("mist", photos, out, depth=depths), workers=1)
    Image.new("L", (32, 23), 9).save(depths / "b.png")
    with refused("b.png is 32x23 pixels but", "32x24", "nothing was written"):
        synthesize(Request("mist", photos, out, depth=depths), workers=1)
    assert not out.exists()

    Image.new("RGB", (32, 24)).save(depths / "b.png")
    Image.new("L", (32, 24), 0).save(depths / "c.png")
    outcome = synthesize(Request("mist", photos, out, depth=depths), workers=1)
    assert outcome.made == 3
    assert sorted(line.split(" is ")[1].split(";")[0].split(",")[0] for line in outcome.failures) == ["RGB", "black"]
