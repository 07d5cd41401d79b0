"""Synthetic datasets: the same bytes however they are made, true to their equations, and ordinary paired datasets."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from derainbench.catalogue.cards import read_card
from derainbench.catalogue.locate import Dataset, locate
from derainbench.errors import UserError
from derainbench.images.decode import read_layer, read_rgb
from derainbench.rain import drop_equation, mist_equation, streak_equation
from derainbench.rain.image import Equation
from derainbench.synth.measured import Quantities, measure
from derainbench.synth.request import Request, choose_preset
from derainbench.synth.synthesize import synthesize

FilesOf = Callable[[Path], dict[str, bytes]]
Refused = Callable[..., AbstractContextManager[None]]
SaveImage = Callable[[Path, np.ndarray], Path]


def open_dataset(out: Path) -> Dataset:
    dataset = locate(read_card(out / "card.toml"), None)
    assert dataset is not None
    return dataset


@pytest.mark.slow
def test_the_same_bytes_with_one_and_four_workers_and_among_other_images(
    photos: Path, tmp_path: Path, files_of: FilesOf
) -> None:
    request = Request("rain100l", photos, tmp_path / "one", per_image=2, seed=4, name="mine")
    outcome = synthesize(request, workers=1)
    assert (outcome.made, outcome.kept, outcome.failures) == (10, 0, ())
    one = files_of(tmp_path / "one")
    assert len(one) == 10 + 10 + 5 + 2  # rainy, S, clean; the card and the record

    synthesize(replace(request, out=tmp_path / "four"), workers=4)
    assert files_of(tmp_path / "four") == one

    synthesize(replace(request, out=tmp_path / "other", seed=5), workers=1)
    other = files_of(tmp_path / "other")
    assert [name for name in one if "/rainy/" in name and other[name] == one[name]] == []
    assert [name for name in one if "/clean/" in name and other[name] != one[name]] == []

    (photos / "b.png").unlink()
    synthesize(replace(request, out=tmp_path / "fewer"), workers=1)
    fewer = {name: data for name, data in files_of(tmp_path / "fewer").items() if name.endswith(".png")}
    assert fewer == {name: data for name, data in one.items() if name.endswith(".png") and Path(name).stem[0] != "b"}


@pytest.mark.parametrize("preset", ["rain100l", "mist"])
def test_goes_on_after_an_interrupt(photos: Path, tmp_path: Path, files_of: FilesOf, preset: str) -> None:
    whole = Request(preset, photos, tmp_path / "whole", per_image=2, name="mine")
    synthesize(whole, workers=1)
    request = replace(whole, out=tmp_path / "out")

    def stop(what: str, more: int, total: int) -> None:
        if what == "making":
            raise KeyboardInterrupt

    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            synthesize(request, 1, stop)
    assert not (request.out / "card.toml").exists()
    rainy = sorted((request.out / "test" / "rainy").glob("[!.]*"))
    assert 1 <= len(rainy) < 10
    # As a kill would leave it: files half written, and of one rain some missing.
    (request.out / "test" / "rainy" / ".a-0.png.0123.part").write_bytes(b"half")
    (request.out / ".card.toml.4567.part").write_bytes(b"half")
    rainy[0].unlink()

    outcome = synthesize(request, workers=1)
    assert (outcome.made, outcome.kept) == (10 - (len(rainy) - 1), len(rainy) - 1)
    assert files_of(request.out) == files_of(whole.out)
    assert not list(request.out.rglob("*.part"))


def test_a_finished_set_is_not_touched(photos: Path, tmp_path: Path) -> None:
    request = Request("drops", photos, tmp_path / "out")
    first = synthesize(request, workers=1)

    def facts() -> dict[str, tuple[int, int]]:
        paths = [path for path in request.out.rglob("*") if path.name != ".lock"]
        return {str(path): (path.stat().st_mtime_ns, path.stat().st_ino) for path in paths if path.is_file()}

    before, steps = facts(), []
    again = synthesize(request, 1, lambda *step: steps.append(step))
    assert facts() == before
    assert steps == []
    assert (again.made, again.kept, again.measured) == (0, 5, first.measured)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"preset": "rain100h"}, ("--preset rain100l, not rain100h",)),
        ({"seed": 1, "per_image": 2}, ("--seed 0, not 1", "--per-image 1, not 2")),
        ({"preset": "mist"}, ("--model streak, not mist",)),
        ({"name": "other"}, ("--name out, not other",)),
    ],
)
def test_other_parameters_are_refused(
    photos: Path, tmp_path: Path, files_of: FilesOf, refused: Refused, change: dict[str, Any], words: tuple[str, ...]
) -> None:
    request = Request("rain100l", photos, tmp_path / "out")
    synthesize(request, workers=1)
    before = files_of(request.out)
    with refused(str(request.out), *words, "another --out"):
        synthesize(replace(request, **change), workers=1)
    assert files_of(request.out) == before


def test_another_version_finishes_nothing(
    photos: Path, tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = Request("rain100l", photos, tmp_path / "out")
    synthesize(request, workers=1)
    monkeypatch.setattr("derainbench.synth.request.__version__", "99.0")
    assert synthesize(request, workers=1).kept == 5  # nothing to do: whatever the version
    (request.out / "test" / "rainy" / "a-0.png").unlink()
    with refused("99.0", "begun by derainbench"):
        synthesize(request, workers=1)


def test_is_a_dataset_of_two_splits(photos: Path, tmp_path: Path, save_image: SaveImage) -> None:
    out = tmp_path / "out"
    first = synthesize(Request("rain100l", photos, out, name="mine"), workers=1)
    card = read_card(out / "card.toml")
    assert (card.name, card.rain_model, card.kind, card.counts.test, card.counts.train) == (
        "mine",
        "streak",
        "synthetic",
        5,
        None,
    )
    assert card.additive
    assert card.input_score is not None
    assert card.input_score.psnr == pytest.approx(np.mean([row["psnr"] for row in first.measured]), abs=6e-4)

    others = tmp_path / "others"
    for name in ("a", "z"):
        save_image(others / f"{name}.png", np.full((24, 32, 3), 60, np.uint8))
    synthesize(Request("rain100h", others, out, split="train", per_image=3, seed=0), workers=1)
    dataset = open_dataset(out)
    assert (dataset.card.counts.train, dataset.card.counts.test, dataset.name) == (6, 5, "mine")
    assert "rain100l" in dataset.card.source
    assert "rain100h" in dataset.card.source
    assert [pair.image for pair in dataset.pairs("train")] == ["a-0", "a-1", "a-2", "z-0", "z-1", "z-2"]
    assert [(pair.image, pair.scene) for pair in dataset.pairs("test")][-1] == ("more-d-0", "more-d")
    for pair in [*dataset.pairs("train"), *dataset.pairs("test")]:
        assert isinstance(pair.clean, Path)
        assert (pair.clean.stem, set(pair.layers)) == (pair.scene, {"S"})
        assert pair.clean.parent.parent == pair.rainy.parent.parent


def test_train_and_test_share_no_rain(photos: Path, tmp_path: Path) -> None:
    """Also where scenes of the two are called the same."""
    out = tmp_path / "out"
    for split in ("test", "train"):
        synthesize(Request("rain100l", photos, out, split=split), workers=1)
    layers = [read_layer(out / split / "layers" / "S" / "a-0.png") for split in ("test", "train")]
    assert np.abs(layers[0] - layers[1]).max() > 0.02


@pytest.mark.parametrize(
    ("preset", "equation", "grey"),
    [("rain100h", streak_equation, "S"), ("drops", drop_equation, "M"), ("mist", mist_equation, "tAS")],
)
def test_stored_layers_recompose_the_rainy_image(
    photos: Path, tmp_path: Path, preset: str, equation: Equation, grey: str
) -> None:
    out = tmp_path / "out"
    synthesize(Request(preset, photos, out, per_image=2), workers=1)
    dataset = open_dataset(out)
    assert len(dataset.pairs("test")) == 10
    for pair in dataset.pairs("test"):
        assert isinstance(pair.rainy, Path)
        layers = {name: read_layer(pair.layers[name])[..., np.newaxis] for name in grey}
        if preset == "drops":
            layers["D"] = (read_rgb(out / "test" / "layers" / "D" / pair.rainy.name) / 255.0).astype(np.float32)
        else:
            with Image.open(pair.layers["S"]) as image:
                assert image.mode.startswith("I;16")
        recomposed = 255.0 * equation(read_rgb(pair.clean), layers)
        assert np.abs(recomposed - read_rgb(pair.rainy)).max() <= (1.0 if preset == "drops" else 0.51)
        assert (read_rgb(pair.rainy) != read_rgb(pair.clean)).any()


def test_presets_and_models() -> None:
    assert choose_preset(None, "rain100h") == "rain100h"
    assert choose_preset("mist", None) == "mist"
    for model, name, words in [
        ("drop", "rain100h", "rain100h is rain model streak, not drop; take drops"),
        ("streak", None, "give one of rain100h, rain100l"),
        (None, None, "give one of drops, mist, rain100h, rain100l"),
        ("snow", None, "--model snow does not exist; give one of streak, drop, mist"),
        (None, "rain100", "did you mean 'rain100l'"),
    ]:
        with pytest.raises(UserError, match=words):
            choose_preset(model, name)


@pytest.mark.parametrize(("given", "name"), [(None, "my rain"), ("mist", "out"), ("demo-mist", "out"), ("é", "out")])
def test_names_that_cannot_be(photos: Path, tmp_path: Path, refused: Refused, given: str | None, name: str) -> None:
    with refused(given or name, "--name"):
        synthesize(Request("rain100l", photos, tmp_path / name, name=given), workers=1)
    assert not (tmp_path / name).exists()


def test_folders_that_are_taken(photos: Path, tmp_path: Path, refused: Refused, save_image: SaveImage) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years of work")
    with refused("full", "datasets synth did not make"):
        synthesize(Request("rain100l", photos, tmp_path / "full"), workers=1)
    assert sorted(path.name for path in (tmp_path / "full").iterdir()) == ["thesis.tex"]
    for out in (photos / "rainy", tmp_path):
        with refused("lie in each other"):
            synthesize(Request("rain100l", photos, out), workers=1)
    synthesize(Request("rain100l", photos, tmp_path / "out"), workers=1)
    save_image(tmp_path / "out" / "train" / "rainy" / "a-0.png", np.zeros((9, 9, 3), np.uint8))
    with refused("train", "datasets synth did not make"):
        synthesize(Request("rain100l", photos, tmp_path / "out", split="train"), workers=1)


def test_the_card_is_there_before_the_images_are_measured(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which may take longer than making them."""
    from derainbench.synth import synthesize as synth

    seen: list[list[str]] = []

    def watched(*arguments: Any) -> list[Quantities]:
        seen.append([pair.image for pair in open_dataset(tmp_path / "mine").pairs("test")])
        return measure(*arguments)

    monkeypatch.setattr(synth, "measure", watched)
    steps: list[tuple[str, int, int]] = []
    synthesize(Request("rain100l", photos, tmp_path / "mine"), 1, lambda *step: steps.append(step))
    assert [len(images) for images in seen] == [5]
    measured = [(more, total) for what, more, total in steps if what == "measuring"]
    assert sum(more for more, _ in measured) == 10, "each image counts for its layers and for its score"
    assert {total for _, total in measured} == {10}
    assert len(measured) >= 7, "and is told as it is done"


def test_one_photograph_in_both_splits_is_said(photos: Path, tmp_path: Path, save_image: SaveImage) -> None:
    request = Request("rain100l", photos, tmp_path / "mine", split="train")
    assert synthesize(request, 1).twice == ()
    save_image(tmp_path / "others" / "of-its-own.png", np.full((24, 32, 3), 90, np.uint8))
    (tmp_path / "others" / "renamed.png").write_bytes((photos / "b.png").read_bytes())
    outcome = synthesize(replace(request, clean=tmp_path / "others", split="test"), 1)
    assert outcome.twice == ("renamed",)
