"""Verdicts on images that are damaged, exchanged or copied, and none on those that are not."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from derainbench.rain import PRESETS, preset
from derainbench.rain.photographs import PHOTOGRAPHS, photograph

from .conftest import Pictures

Scene = Callable[..., np.ndarray]


@pytest.mark.parametrize("name", ["r-3", "c-3"])
def test_files_that_cannot_be_read(pictures: Pictures, name: str) -> None:
    whole = pictures.path(name).read_bytes()
    file = pictures.path(name).relative_to(pictures.root).as_posix()
    for damaged, reason in ((whole[: len(whole) // 2], "truncated"), (b"", "empty"), (b"no image", "identify")):
        pictures.path(name).write_bytes(damaged)
        problem = pictures.problem()
        assert (problem.kind, problem.files) == ("unreadable", (file,))
        assert problem.message.startswith(file)
        assert reason in problem.message


def test_pairs_of_two_sizes(pictures: Pictures, scene: Scene) -> None:
    pictures.save("r-2", scene(2)[:, :-1])
    problem = pictures.problem()
    assert (problem.kind, problem.files) == ("size", ("rainy/r-2.png", "clean/c-2.png"))
    assert "is 107x72 but its partner clean/c-2.png is 108x72" in problem.message
    assert "turned" not in problem.message
    pictures.save("r-2", np.rot90(pictures.pixels("c-2")))
    assert "turned by 90 degrees?" in pictures.problem().message


def test_layers_are_read_and_measured(pictures: Pictures, scene: Scene) -> None:
    layout: dict[str, Any] = {"name": "with depth", "test": {**pictures.fields["layouts"][0]["test"]}}
    layout["test"]["layers"] = {"depth": "depth/d-{id:d}.png"}
    for number in range(1, 7):
        pictures.save(f"d-{number}", scene(number)[..., 0])
    assert pictures.verdict(layouts=[layout]).usable
    pictures.save("d-2", scene(2)[:-2, :, 0])
    problem = pictures.problem(layouts=[layout])
    assert (problem.kind, problem.files) == ("layer size", ("rainy/r-2.png", "depth/d-2.png"))
    pictures.path("d-2").write_bytes(b"")
    assert pictures.problem(layouts=[layout]).files == ("depth/d-2.png",)


def test_a_file_may_be_an_image_and_a_layer(pictures: Pictures) -> None:
    """A layer is read as grey, an image as RGB: each of both, whichever comes first."""
    test = pictures.fields["layouts"][0]["test"]
    for layers in ({"before": "clean/c-{id:d}.*"}, {"shown": "rainy/r-{id:d}.*"}):
        layout: dict[str, Any] = {"name": "twice", "test": {**test, "layers": layers}}
        assert pictures.verdict(layouts=[layout]).problems == []
    pictures.path("c-3").write_bytes(b"")
    layout["test"]["layers"] = {"before": "clean/c-{id:d}.*"}
    assert pictures.problem(layouts=[layout]).files == ("clean/c-3.png",)


def test_layers_are_not_counted_as_grey_or_deep_images(pictures: Pictures, scene: Scene) -> None:
    """Depth is meant to be so, and is not converted."""
    test = {**pictures.fields["layouts"][0]["test"], "layers": {"depth": "depth/d-{id:d}.png"}}
    for number in range(1, 7):
        pictures.save(f"d-{number}", Image.fromarray(scene(number)[..., 0].astype(np.uint16) * 257))
    assert pictures.verdict(layouts=[{"name": "with depth", "test": test}]).all_notices == []


def test_a_shared_clean_file_that_is_broken_is_one_problem(pictures: Pictures) -> None:
    layout = {"name": "many", "test": {"rainy": "rainy/r-{id:d}-{n:d}.png", "clean": "clean/c-{id:d}.png"}}
    for number in range(1, 7):
        pictures.save(f"r-{number}-1", pictures.pixels(f"r-{number}"))
        darker = pictures.pixels(f"r-{number}") // 2 + pictures.pixels(f"c-{number}") // 2 + 1
        pictures.save(f"r-{number}-2", darker)
    fields = {"layouts": [layout], "counts": {"test": 12}}
    assert pictures.verdict(**fields).usable
    pictures.path("c-4").write_bytes(b"")
    assert pictures.problem(**fields).files == ("clean/c-4.png",)


def test_the_same_rainy_image_twice(pictures: Pictures) -> None:
    pictures.save("c-4", pictures.pixels("c-2"))
    pictures.save("r-4", pictures.pixels("r-2"), compress_level=1)
    problem = pictures.problem()
    assert (problem.kind, problem.files) == ("duplicate", ("rainy/r-2.png", "rainy/r-4.png"))


def test_a_rainy_image_without_rain(pictures: Pictures) -> None:
    pictures.save("r-4", pictures.pixels("c-4"))
    problem = pictures.problem()
    assert (problem.kind, problem.files) == ("no rain", ("rainy/r-4.png", "clean/c-4.png"))


def test_images_of_one_colour_are_no_copies(pictures: Pictures) -> None:
    """An overexposed patch of sky under no visible rain proves nothing."""
    for name in ("r-1", "c-1", "r-2", "c-2"):
        pictures.save(name, np.full((72, 108, 3), 255, np.uint8))
    assert pictures.verdict().usable


def test_backgrounds_that_come_back(pictures: Pictures, scene: Scene) -> None:
    pictures.save("c-5", scene(2))
    pictures.save("r-5", scene(2) + np.uint8(9))
    notice = pictures.notice("repeated background")
    assert notice.files == ("clean/c-2.png", "clean/c-5.png")
    known = {"same_scene": {"test": [["02", "5"]]}}
    verdict = pictures.verdict(**known)
    assert verdict.all_notices == []
    assert verdict.splits[0].repeated == (("2", "5"),)
    assert verdict.splits[0].scenes == 5


def test_a_card_that_calls_different_pictures_one_scene(pictures: Pictures) -> None:
    problem = pictures.problem(same_scene={"test": [["1", "3"]]})
    assert (problem.kind, problem.files) == ("same scene", ("clean/c-1.png", "clean/c-3.png"))


def test_swapped_files(pictures: Pictures) -> None:
    pictures.exchange("r-3", "c-3")
    problem = pictures.problem()
    assert (problem.kind, problem.files) == ("swapped", ("rainy/r-3.png", "clean/c-3.png"))
    assert pictures.verdict(additive=False).usable, "whether other rain makes darker nobody knows"


def test_halves_of_one_file_swapped(pictures: Pictures) -> None:
    for number in range(1, 7):
        pictures.save(f"r-{number}", np.hstack([pictures.pixels(f"r-{number}"), pictures.pixels(f"c-{number}")]))
    layout = {"name": "halves", "test": {"rainy": "rainy/r-{id:d}.png", "side_by_side": "rainy|clean"}}
    assert pictures.verdict(layouts=[layout]).usable
    pictures.save("r-2", np.roll(pictures.pixels("r-2"), 108, axis=1))
    problem = pictures.problem(layouts=[layout])
    assert problem.files == ("rainy/r-2.png (left half)", "rainy/r-2.png (right half)")
    pictures.save("r-2", pictures.pixels("r-2")[:, :-1])
    assert "even width" in pictures.problem(layouts=[layout]).message


@pytest.mark.parametrize("additive", [True, False])
def test_two_rainy_files_exchanged(pictures: Pictures, additive: bool) -> None:
    pictures.exchange("r-2", "r-5")
    problems = pictures.verdict(additive=additive).problems
    assert [each.kind for each in problems] == ["mis-paired", "mis-paired"]
    assert problems[0].message.startswith("rainy/r-2.png shows clean/c-5.png, not clean/c-2.png")
    assert problems[1].message.startswith("rainy/r-5.png shows clean/c-2.png, not clean/c-5.png")


def test_a_rainy_file_that_shows_nothing_of_the_split(pictures: Pictures, scene: Scene) -> None:
    pictures.save("r-2", scene(99))
    assert pictures.problem().message.startswith("rainy/r-2.png does not show clean/c-2.png")
    assert pictures.verdict(additive=False).usable
    for number in range(1, 7):  # large enough to be told for sure
        pictures.save(f"c-{number}", scene(number, (220, 230)))
        pictures.save(f"r-{number}", scene(number, (220, 230)) // 2)
    pictures.save("r-2", scene(99, (220, 230)))
    assert pictures.notice("unlike", additive=False).files == ("rainy/r-2.png", "clean/c-2.png")


def test_rain_that_only_adds_light_makes_nothing_darker(pictures: Pictures) -> None:
    clean = np.maximum(pictures.pixels("c-2"), 10)
    pictures.save("c-2", clean)

    def scratched(rows: int, columns: int, levels: int) -> None:
        image = clean + np.uint8(20)
        image[:rows, :columns] = clean[:rows, :columns] - levels
        pictures.save("r-2", image)

    scratched(3, 54, 3)
    problem = pictures.problem()
    assert problem.kind == "darker"
    assert "2.1% of its values are darker" in problem.message
    scratched(1, 38, 3)  # 0.49%: a scratch
    assert pictures.verdict().usable
    scratched(72, 54, 2)
    assert pictures.verdict().usable


@pytest.mark.parametrize("rain", sorted(PRESETS))
def test_no_rain_is_taken_for_an_exchange(pictures: Pictures, rain: str) -> None:
    """Heavy rain, mist and drops on photographs of three sizes, and the exchange of two is found under the same."""
    crops = [photograph(name)[20 : 20 + side, 30 : 30 + side] for name in PHOTOGRAPHS for side in (16, 48, 240)]
    for number, clean in enumerate(crops):
        pictures.save(f"c-{number}", clean)
        pictures.save(f"r-{number}", preset(rain)(clean, None, number).rainy)
    fields = {"additive": rain.startswith("rain100"), "counts": {"test": len(crops)}}
    assert [each for each in pictures.verdict(**fields).problems if each.kind != "no rain"] == []
    pictures.exchange("r-2", "r-8")
    mispaired = [each.message for each in pictures.verdict(**fields).problems if each.kind == "mis-paired"]
    assert [message.split(";")[0] for message in mispaired] == [
        "rainy/r-2.png shows clean/c-8.png, not clean/c-2.png",
        "rainy/r-8.png shows clean/c-2.png, not clean/c-8.png",
    ]


def test_test_scenes_in_the_training_set(pictures: Pictures) -> None:
    test = pictures.fields["layouts"][0]["test"]
    layout = {"name": "both", "test": test, "train": {key: f"train/{text}" for key, text in test.items()}}
    for number, original in ((1, 4), (2, 90)):
        for name, folder in (("r", "rainy"), ("c", "clean")):
            path = pictures.root / "train" / folder / f"{name}-{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pictures.save("c-9", np.random.default_rng(original).integers(0, 255, (72, 108, 3), np.uint8))
            image = pictures.pixels(f"{name}-4") if original == 4 else pictures.pixels("c-9") // (2 - (name == "r"))
            Image.fromarray(image).save(path)
    pictures.path("c-9").unlink()
    notice = pictures.notice("shared scene", layouts=[layout])
    assert notice.files == ("clean/c-4.png",)
    assert "clean/c-4.png = train/clean/c-1.png" in notice.message


def test_files_that_are_not_plain_rgb_are_counted(pictures: Pictures) -> None:
    image = pictures.pixels("r-1")
    kinds = {
        "grey": Image.fromarray(image).convert("L"),
        "palette": Image.fromarray(image).quantize(64),
        "alpha": Image.fromarray(np.dstack([image, image[..., :1]])),
        "16-bit": Image.fromarray(image[..., 0].astype(np.uint16) * 257),
    }
    for number, each in enumerate(kinds.values(), 1):
        pictures.save(f"r-{number}", each)
    verdict = pictures.verdict(additive=False)
    found = {each.message.split(" (")[0]: each.files for each in verdict.all_notices if each.kind == "pixels"}
    assert found == {
        "1 16-bit files": ("rainy/r-4.png",),
        "1 palette files": ("rainy/r-2.png",),
        "2 grey files": ("rainy/r-1.png", "rainy/r-4.png"),
        "1 alpha files": ("rainy/r-3.png",),
    }


def test_a_suffix_that_says_something_else(pictures: Pictures) -> None:
    exif = Image.Exif()
    exif[274] = 3
    Image.fromarray(pictures.pixels("c-2")[::-1, ::-1]).save(pictures.path("c-2"), format="jpeg", quality=98, exif=exif)
    Image.fromarray(pictures.pixels("r-3")).convert("CMYK").save(pictures.path("r-3"), format="tiff")
    verdict = pictures.verdict(additive=False)
    notices = {each.kind + each.message[:7]: each.files for each in verdict.all_notices}
    assert notices == {
        "pixels1 CMYK ": ("rainy/r-3.png",),
        "pixels1 turne": ("clean/c-2.png",),
        "suffix2 files": ("clean/c-2.png", "rainy/r-3.png"),
    }


def test_a_phones_jpeg_of_several_pictures_is_a_jpeg(pictures: Pictures) -> None:
    layout = {"name": "jpeg", "test": {"rainy": "rainy/r-{id:d}.*", "clean": "clean/c-{id:d}.png"}}
    image = Image.fromarray(pictures.pixels("r-2"))
    pictures.path("r-2").unlink()
    image.save(
        pictures.root / "rainy/r-2.jpg", format="MPO", save_all=True, append_images=[image.convert("L")], quality=98
    )
    with Image.open(pictures.root / "rainy/r-2.jpg") as opened:
        assert opened.format == "MPO"
    assert pictures.verdict(layouts=[layout], additive=False).all_notices == []
    (pictures.root / "rainy/r-2.jpg").rename(pictures.path("r-2"))
    assert pictures.notice("suffix", additive=False).message.endswith("rainy/r-2.png is JPEG")


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_a_link_that_leads_nowhere(pictures: Pictures) -> None:
    pictures.path("r-2").unlink()
    pictures.path("r-2").symlink_to("gone.png")
    assert "link to a file that is not there" in pictures.problem().message
