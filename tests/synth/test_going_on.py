"""Going on with a set whose clean images, or own files, are not what they were: nothing finished is lost."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from derainbench.catalogue.cards import read_card
from derainbench.catalogue.locate import locate
from derainbench.metrics import scores as metrics
from derainbench.metrics.scores import Scores
from derainbench.synth.request import Request
from derainbench.synth.synthesize import synthesize

FilesOf = Callable[[Path], dict[str, bytes]]
Refused = Callable[..., AbstractContextManager[None]]
SaveImage = Callable[[Path, np.ndarray], Path]


@pytest.fixture
def request_(photos: Path, tmp_path: Path) -> Request:
    return Request("rain100l", photos, tmp_path / "out", name="mine")


def images_of(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if name.endswith(".png")}


def test_added_and_removed_images(request_: Request, files_of: FilesOf, save_image: SaveImage) -> None:
    synthesize(request_, workers=1)
    before = files_of(request_.out)
    save_image(request_.clean / "new.png", np.full((24, 40, 3), 34, np.uint8))
    (request_.clean / "c.png").unlink()
    outcome = synthesize(request_, workers=1)
    assert (outcome.made, outcome.kept, outcome.gone, outcome.dropped) == (1, 5, ("c",), ())
    after = files_of(request_.out)
    assert {name for name in before if after[name] != before[name]} == {"card.toml", "synth.json"}
    assert set(after) - set(before) == {"test/clean/new.png", "test/layers/S/new-0.png", "test/rainy/new-0.png"}
    assert read_card(request_.out / "card.toml").counts.test == 6
    assert synthesize(request_, workers=1).gone == ("c",)


@pytest.mark.parametrize("complete", [True, False])
def test_other_images_of_the_same_names_are_refused(
    request_: Request, tmp_path: Path, files_of: FilesOf, refused: Refused, save_image: SaveImage, complete: bool
) -> None:
    """Also where pairs are lacking besides; the first set stays as it is."""
    synthesize(request_, workers=1)
    if not complete:
        (request_.out / "test" / "rainy" / "c-0.png").unlink()
    before = files_of(request_.out)
    other = tmp_path / "other"
    shutil.copytree(request_.clean, other)
    for name in ("b", "more/a"):
        save_image(other / f"{name}.png", np.full((24, 32, 3), 33, np.uint8))
    with refused("2 clean images are not", str(other / "b.png"), "another --out", "delete those pairs"):
        synthesize(replace(request_, clean=other), workers=1)
    assert files_of(request_.out) == before


def test_pairs_that_were_deleted_are_made_of_the_other_image(request_: Request, save_image: SaveImage) -> None:
    synthesize(request_, workers=1)
    save_image(request_.clean / "b.png", np.full((24, 40, 3), 33, np.uint8))
    (request_.out / "test" / "rainy" / "b-0.png").unlink()
    outcome = synthesize(request_, workers=1)
    assert (outcome.made, outcome.kept) == (1, 4)
    for folder in ("rainy", "layers/S"):
        with Image.open(request_.out / "test" / folder / "b-0.png") as image:
            assert image.size == (40, 24)
    with Image.open(request_.out / "test" / "clean" / "b.png") as image:
        assert image.getpixel((0, 0)) == (33, 33, 33)


def test_a_touched_or_converted_image_is_the_same_image(request_: Request, files_of: FilesOf) -> None:
    first = synthesize(request_, workers=1)
    before = images_of(files_of(request_.out))
    os.utime(request_.clean / "a.png", ns=(1, 1))
    with Image.open(request_.clean / "b.png") as image:
        image.save(request_.clean / "b.bmp")
    (request_.clean / "b.png").unlink()
    steps: list[tuple[str, int, int]] = []
    again = synthesize(request_, 1, lambda *step: steps.append(step))
    assert (again.made, again.kept, again.measured) == (0, 5, first.measured)
    assert {what for what, _, _ in steps} == {"comparing"}
    assert images_of(files_of(request_.out)) == before
    steps.clear()
    synthesize(request_, 1, lambda *step: steps.append(step))
    assert steps == []  # the new times are written down


def test_depth_maps_count_as_well(request_: Request, tmp_path: Path, files_of: FilesOf, refused: Refused) -> None:
    ramp = np.tile(np.linspace(0, 100, 32), (24, 1)).astype(np.uint8)
    depths = tmp_path / "depths"
    for path in request_.clean.rglob("*.png"):
        target = depths / path.relative_to(request_.clean)
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(ramp).save(target)
    mist = replace(request_, preset="mist", depth=depths)
    synthesize(mist, workers=1)
    before = images_of(files_of(mist.out))
    os.utime(depths / "a.png", ns=(1, 1))
    assert synthesize(mist, workers=1).kept == 5
    Image.fromarray(ramp[:, ::-1]).save(depths / "b.png")
    with refused("1 clean image is not", str(request_.clean / "b.png")):
        synthesize(mist, workers=1)
    assert images_of(files_of(mist.out)) == before


def test_another_version_adds_nothing_to_recorded_pairs(
    request_: Request, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where none of them is left to be kept."""
    synthesize(request_, workers=1)
    shutil.rmtree(request_.out / "test" / "rainy")
    monkeypatch.setattr("derainbench.synth.request.__version__", "99.0")
    with refused("99.0", "begun by derainbench"):
        synthesize(request_, workers=1)


def test_finished_pairs_stay_where_one_cannot_be_made_again(
    request_: Request, files_of: FilesOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scene without its clean image and without one of its three rains: that one goes, and is named."""
    request = replace(request_, per_image=3)
    synthesize(request, workers=1)
    before = images_of(files_of(request.out))
    (request.clean / "c.png").unlink()
    (request.out / "test" / "rainy" / "c-1.png").unlink()
    outcome = synthesize(request, workers=1)
    assert (outcome.made, outcome.kept, outcome.gone, outcome.dropped) == (0, 14, ("c",), ("c-1",))
    after = images_of(files_of(request.out))
    assert set(before) - set(after) == {"test/rainy/c-1.png", "test/layers/S/c-1.png"}
    assert {name: before[name] for name in after} == after
    card = read_card(request.out / "card.toml")
    assert card.counts.test == 14
    dataset = locate(card, None)
    assert dataset is not None
    assert [pair.image for pair in dataset.pairs("test") if pair.scene == "c"] == ["c-0", "c-2"]
    monkeypatch.setattr("derainbench.synth.request.__version__", "99.0")  # which nobody made anything by
    again = synthesize(request, workers=1)
    assert (again.gone, again.dropped, again.measured) == (("c",), (), outcome.measured)
    assert json.loads((request.out / "synth.json").read_text())["splits"]["test"]["version"] != "99.0"


def test_a_scene_without_a_finished_pair_is_forgotten(request_: Request, files_of: FilesOf) -> None:
    synthesize(request_, workers=1)
    (request_.clean / "c.png").unlink()
    (request_.out / "test" / "rainy" / "c-0.png").unlink()
    outcome = synthesize(request_, workers=1)
    assert (outcome.kept, outcome.gone, outcome.dropped) == (4, (), ("c-0",))
    assert [name for name in files_of(request_.out) if Path(name).stem in ("c", "c-0")] == []


@pytest.mark.parametrize(("folder", "scene"), [("rainy", "b-0"), ("layers/S", "b-0"), ("clean", "b")])
def test_an_empty_file_is_made_again(request_: Request, files_of: FilesOf, folder: str, scene: str) -> None:
    synthesize(request_, workers=1)
    before = files_of(request_.out)
    (request_.out / "test" / folder / f"{scene}.png").write_bytes(b"")
    outcome = synthesize(request_, workers=1)
    assert (outcome.made, outcome.kept) == (1, 4)
    assert files_of(request_.out) == before


@pytest.mark.parametrize(
    ("preset", "damaged"), [("rain100l", "rainy/b-0"), ("drops", "layers/M/b-0"), ("mist", "layers/A/b-0")]
)
def test_a_damaged_file_says_how_to_have_it_made_again(
    request_: Request, files_of: FilesOf, refused: Refused, preset: str, damaged: str
) -> None:
    request = replace(request_, preset=preset)
    synthesize(request, workers=1)
    before = files_of(request.out)
    path = request.out / "test" / f"{damaged}.png"
    path.write_bytes(path.read_bytes()[:60])
    (request.out / "test" / "rainy" / "a-0.png").unlink()
    with refused(str(path), "damaged", "delete it and run the same command again"):
        synthesize(request, workers=1)
    path.unlink()
    assert synthesize(request, workers=1).made == 1
    assert files_of(request.out) == before


def test_the_record_does_not_hold_the_last_bits_of_a_sum(
    request_: Request, tmp_path: Path, files_of: FilesOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They depend on how many threads share it."""
    synthesize(request_, workers=1)
    exact = metrics.score

    def otherwise(*arguments: Any) -> Scores:
        scores = exact(*arguments)
        return scores._replace(psnr=scores.psnr + 1e-11, ssim=scores.ssim - 1e-13)

    monkeypatch.setattr(metrics, "score", otherwise)
    other = replace(request_, out=tmp_path / "other")
    measured = synthesize(other, workers=1).measured
    assert files_of(other.out) == files_of(request_.out)
    assert all(value == round(value, 6) for row in measured for value in row.values())
    assert any(value != round(value, 5) for row in measured for value in row.values())
