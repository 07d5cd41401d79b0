"""One's own photographs: size, orientation, alpha and colour profile; and which weights to use."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from torch import Tensor

from derainbench.engine.photo import derain_photo
from derainbench.plugins.method import Derainer, Method, Weights
from derainbench.plugins.names import parse_name
from derainbench.plugins.recipe import Recipe
from derainbench.plugins.variant import Variant, resolve
from derainbench.run.trained_weights import find_weights

Refused = Callable[..., AbstractContextManager[None]]

RGB = np.random.default_rng(0).integers(0, 256, (11, 17, 3), dtype=np.uint8)
ALPHA = np.random.default_rng(1).integers(0, 256, (11, 17), dtype=np.uint8)


def inverted(rainy: Tensor) -> Tensor:
    """A restoration that is told from its input."""
    return 1 - rainy


def derained(photo: Path, restore: Callable[[Tensor], Tensor] = torch.clone) -> Image.Image:
    """What becomes of a photograph."""
    target = photo.parent / "out" / "restored.png"
    derain_photo(photo, target, restore)
    assert [path.name for path in target.parent.iterdir()] == ["restored.png"]
    with Image.open(target) as image:
        image.load()
        assert image.format == "PNG"
        return image


def test_a_photograph_keeps_its_size_and_is_restored_everywhere(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "a.png")
    restored = derained(tmp_path / "a.png", inverted)
    assert restored.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(restored), 255 - RGB)


def test_one_pixel(tmp_path: Path) -> None:
    Image.fromarray(RGB[:1, :1]).save(tmp_path / "a.png")
    np.testing.assert_array_equal(np.asarray(derained(tmp_path / "a.png")), RGB[:1, :1])


def test_transparency_stays_as_it_was(tmp_path: Path) -> None:
    Image.fromarray(np.dstack([RGB, ALPHA])).save(tmp_path / "a.png")
    restored = np.asarray(derained(tmp_path / "a.png", inverted))
    np.testing.assert_array_equal(restored, np.dstack([255 - RGB, ALPHA]))


def test_grey_with_transparency(tmp_path: Path) -> None:
    Image.merge("LA", [Image.fromarray(RGB[..., 0]), Image.fromarray(ALPHA)]).save(tmp_path / "a.png")
    restored = np.asarray(derained(tmp_path / "a.png"))
    np.testing.assert_array_equal(restored, np.dstack([RGB[..., :1]] * 3 + [ALPHA]))


@pytest.mark.parametrize("transparency", [2, bytes(range(0, 256, 16))])
def test_transparent_palettes(tmp_path: Path, transparency: int | bytes) -> None:
    image = Image.fromarray(RGB).quantize(16)
    image.save(tmp_path / "a.png", transparency=transparency)
    restored = np.asarray(derained(tmp_path / "a.png"))
    index = np.asarray(image)
    alpha = np.where(index == 2, 0, 255) if isinstance(transparency, int) else index * 16
    np.testing.assert_array_equal(restored[..., :3], np.asarray(image.convert("RGB")))
    np.testing.assert_array_equal(restored[..., 3], alpha)


def test_a_colour_that_stands_for_transparent(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "a.png", transparency=tuple(RGB[2, 3].tolist()))
    restored = np.asarray(derained(tmp_path / "a.png"))
    np.testing.assert_array_equal(restored[..., :3], RGB)
    np.testing.assert_array_equal(restored[..., 3] == 0, (RGB[2, 3] == RGB).all(-1))


@pytest.mark.parametrize(
    ("orientation", "turned"), [(3, RGB[::-1, ::-1]), (6, np.rot90(RGB, -1)), (8, np.rot90(RGB, 1))]
)
def test_a_photograph_comes_out_upright_once(tmp_path: Path, orientation: int, turned: np.ndarray) -> None:
    image = Image.fromarray(RGB)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.png", exif=exif)
    restored = derained(tmp_path / "a.png")
    np.testing.assert_array_equal(np.asarray(restored), turned)
    assert restored.getexif().get(0x0112, 1) == 1, "or a viewer would turn it again"


def test_grey_and_sixteen_bits_become_rgb(tmp_path: Path) -> None:
    for name, grey in (("8.png", RGB[..., 0]), ("16.png", RGB[..., 0].astype(np.uint16) * 257)):
        Image.fromarray(grey).save(tmp_path / name)
        restored = derained(tmp_path / name)
        assert restored.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(restored), np.stack([RGB[..., 0]] * 3, axis=-1))


def test_a_colour_profile_is_copied_where_it_still_holds(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(RGB).save(tmp_path / "rgb.png", icc_profile=profile)
    Image.fromarray(RGB[..., 0]).save(tmp_path / "grey.png", icc_profile=profile)
    assert derained(tmp_path / "rgb.png").info["icc_profile"] == profile
    assert "icc_profile" not in derained(tmp_path / "grey.png").info


def test_what_is_no_photograph(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "a.png").write_text("rain")
    with refused(str(tmp_path / "a.png"), "cannot be read as an image"):
        derained(tmp_path / "a.png")
    with refused(str(tmp_path / "b.png"), "no such image"):
        derained(tmp_path / "b.png")
    assert not (tmp_path / "out").exists()


class Net(Derainer):
    """A network with an option."""

    def __init__(self, stages: int = 1) -> None:
        super().__init__()


NET = Method(
    name="net",
    title="Net",
    network=Net,
    recipe=Recipe(lr=1, steps=1, batch=1, patch=8, loss="l1"),
    weights=(Weights("t", "rain100l", "https://rain.example", "ab" * 32, "none"),),
)
FIXED = Method(name="fixed", title="Fixed", network=Net)


def variant(name: str, method: Method = NET) -> Variant:
    """A variant by name."""
    return resolve(method, parse_name(name))


def training(run: Path, *places: str) -> Path:
    """A run folder with finished trainings."""
    for place in places:
        (run / "train" / place).mkdir(parents=True)
        (run / "train" / place / "weights.safetensors").touch()
    return run


def test_a_file_is_taken_as_given(tmp_path: Path) -> None:
    assert find_weights(variant("net"), tmp_path / "w.pth", None) == tmp_path / "w.pth"


def test_a_tag_and_another_file_contradict_each_other(tmp_path: Path, refused: Refused) -> None:
    """The result would carry the tag's name."""
    for given, trained_on in ((tmp_path / "w.pth", None), (None, "rain")):
        with refused("net@t names its weights", "--weights"):
            find_weights(variant("net@t"), given, trained_on)


def test_what_does_not_train_needs_no_weights() -> None:
    assert find_weights(variant("fixed", FIXED), None, None) is None


def test_a_run_with_one_training(tmp_path: Path) -> None:
    run = training(tmp_path, "net/rain/seed1", "net/rain/seed0", "net[stages=2]/rain/seed0", "net/other/seed0")
    (run / "train/net/other/seed0/weights.safetensors").unlink()  # it has begun, and is not finished
    assert find_weights(variant("net"), run, None) == run / "train/net/rain/seed0/weights.safetensors"
    deeper = find_weights(variant("net[stages=2]"), run, None)
    assert deeper == run / "train/net[stages=2]/rain/seed0/weights.safetensors"


def test_a_run_with_several_trainings(tmp_path: Path, refused: Refused) -> None:
    run = training(tmp_path, "net/rain/seed0", "net/mist/seed0")
    assert find_weights(variant("net"), run, "mist") == run / "train/net/mist/seed0/weights.safetensors"
    with refused(str(run), "net on mist, rain", "choose with --trained-on"):
        find_weights(variant("net"), run, None)
    with refused(str(run), "did not train net on 'snow'", "it has mist, rain"):
        find_weights(variant("net"), run, "snow")


def test_a_run_without_the_training(tmp_path: Path, refused: Refused) -> None:
    run = training(tmp_path, "net/rain/seed0")
    with refused(str(run), "no finished training of net[stages=2]"):
        find_weights(variant("net[stages=2]"), run, None)
    with refused(str(run), "no finished training of fixed"):
        find_weights(variant("fixed", FIXED), run, None)


def test_no_weights_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    monkeypatch.setenv("DERAINBENCH_CACHE", str(tmp_path))
    with refused("net needs weights", "--weights FILE", "NAME@TAG"):
        find_weights(variant("net"), None, None)
    with refused("net@t", "not here", "https://rain.example"):
        find_weights(variant("net@t"), None, None)
