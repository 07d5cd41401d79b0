"""Photographs that are in both splits of a synthetic set: never where one folder is divided, and said elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from derainbench.catalogue.cards import SplitName, read_card
from derainbench.errors import UserError
from derainbench.images.decode import read_rgb
from derainbench.rain.photographs import photograph
from derainbench.synth.both_splits import divide
from derainbench.synth.record import read_record
from derainbench.synth.request import Request
from derainbench.synth.sources import find_scenes
from derainbench.synth.synthesize import Synthesized, synthesize, synthesize_both

FilesOf = Callable[[Path], dict[str, bytes]]


def crops(folder: Path, number: int) -> Path:
    """Crops of photographs that show nothing of each other, 208 pixels a side."""
    folder.mkdir(parents=True, exist_ok=True)
    made = 0
    for name in ("astronaut", "chelsea", "coffee", "motorcycle"):
        picture = photograph(name)
        for top in range(0, picture.shape[0] - 207, 208):
            for left in range(0, picture.shape[1] - 207, 208):
                if made < number:
                    Image.fromarray(picture[top : top + 208, left : left + 208]).save(folder / f"{name}{made}.png")
                    made += 1
    assert made == number
    return folder


def scenes_of(out: Path, split: SplitName) -> set[str]:
    record = read_record(out)
    assert record is not None
    return {*record.splits[split].scenes}


def quiet(what: str, more: int, total: int) -> None:
    """Nobody looks."""


@pytest.mark.slow
def test_a_folder_is_divided_by_photograph_and_copies_stay_together(tmp_path: Path, files_of: FilesOf) -> None:
    photos = crops(tmp_path / "photos", 10)
    first = Image.open(photos / "astronaut0.png")
    first.save(photos / "copy-of-astronaut0.jpg", quality=60)
    first.resize((312, 312), Image.Resampling.BICUBIC).save(photos / "larger-astronaut0.png")
    request = Request("rain100l", photos, tmp_path / "mine", per_image=2, seed=1)
    outcomes = synthesize_both(request, 0.25, workers=1)
    train, test = (scenes_of(request.out, split) for split in ("train", "test"))
    assert train | test == {path.stem for path in photos.iterdir()}
    assert not train & test
    assert len(test) == 3  # a quarter of 12
    together = {"astronaut0", "copy-of-astronaut0", "larger-astronaut0"}
    assert together <= train or together <= test
    assert {split: (each.made, each.twice, each.alike) for split, each in outcomes.items()} == {
        "train": (18, (), ()),
        "test": (6, (), ()),
    }
    card = read_card(request.out / "card.toml")
    assert (card.counts.train, card.counts.test) == (18, 6)
    assert card.source.count("--test-share 0.25") == 1
    assert "--split" not in card.source
    before = files_of(request.out)
    again = synthesize_both(request, 0.25, workers=1)
    assert [each.made for each in again.values()] == [0, 0]
    assert files_of(request.out) == before


def test_photographs_that_come_later_move_none(tmp_path: Path) -> None:
    photos = crops(tmp_path / "photos", 5)
    request = Request("rain100l", photos, tmp_path / "mine")
    synthesize_both(request, 0.4, workers=1)
    before = {split: scenes_of(request.out, split) for split in ("train", "test")}
    assert len(before["test"]) == 2
    crops(photos, 12)
    one = sorted(before["test"])[0]
    Image.open(photos / f"{one}.png").save(photos / "again.jpg", quality=70)
    outcomes = synthesize_both(request, 0.4, workers=1)
    after = {split: scenes_of(request.out, split) for split in ("train", "test")}
    assert before["train"] <= after["train"]
    assert before["test"] <= after["test"]
    assert "again" in after["test"]  # where the photograph is that it shows
    assert len(after["test"]) == 5  # 0.4 of 13
    assert [each.kept for each in outcomes.values()] == [3, 2]


def test_what_divides_nothing_is_refused_before_anything_is_written(photos: Path, tmp_path: Path) -> None:
    request = Request("rain100l", photos, tmp_path / "mine")
    for share in (0.0, 1.0, -0.5, float("nan")):
        with pytest.raises(UserError, match="number between 0 and 1"):
            synthesize_both(request, share, workers=1)
    for path in [*photos.rglob("*.png")][1:]:
        path.unlink()
    with pytest.raises(UserError, match="no photograph for train"):
        synthesize_both(request, 0.5, workers=1)
    assert not request.out.exists()


def test_a_broken_file_of_either_split_stops_both(photos: Path, tmp_path: Path) -> None:
    (photos / "z.png").write_bytes(b"no image")
    request = Request("rain100l", photos, tmp_path / "mine")
    with pytest.raises(UserError, match="nothing was written"):
        synthesize_both(request, 0.5, workers=1)
    assert not request.out.exists()


def test_a_set_of_another_share_is_refused(photos: Path, tmp_path: Path, files_of: FilesOf) -> None:
    request = Request("rain100l", photos, tmp_path / "mine")
    synthesize_both(request, 0.4, workers=1)
    before = files_of(request.out)
    with pytest.raises(UserError, match=r"--test-share 0\.4, not 0\.2"):
        synthesize_both(request, 0.2, workers=1)
    with pytest.raises(UserError, match=r"--test-share 0\.4, not none"):
        synthesize(request, workers=1)
    assert files_of(request.out) == before
    synthesize(replace(request, out=tmp_path / "whole"), workers=1)
    assert "test_share" not in (tmp_path / "whole" / "synth.json").read_text()
    with pytest.raises(UserError, match=r"no --test-share, not 0\.4"):
        synthesize_both(replace(request, out=tmp_path / "whole"), 0.4, workers=1)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve images of noise: no two show one scene."""
    folder, random = tmp_path_factory.mktemp("many"), np.random.default_rng(5)
    for number in range(12):
        Image.fromarray(random.integers(0, 256, (64, 64, 3), np.uint8)).save(folder / f"{number}.png")
    return folder


@settings(max_examples=30, deadline=None)
@given(share=st.floats(0.001, 0.999), seed=st.integers(0, 2**63 - 1), number=st.integers(2, 12))
def test_every_photograph_is_in_one_split(many: Path, share: float, seed: int, number: int) -> None:
    scenes = dict([*find_scenes(many, None).items()][:number])
    request = Request("rain100l", many, many.parent / "nowhere", seed=seed)
    parts = divide(request, scenes, share, quiet)
    train, test = parts["train"].only, parts["test"].only
    assert train
    assert test
    assert train | test == {*scenes}
    assert not train & test
    assert len(test) == min(max(round(share * number), 1), number - 1)
    assert divide(request, dict(reversed(scenes.items())), share, quiet) == parts


def both(tmp_path: Path, clean: Path) -> Synthesized:
    """The train split of ``photos`` beside a test split of the images in ``clean``."""
    request = Request("rain100l", tmp_path / "photos", tmp_path / "mine", split="train")
    assert synthesize(request, 1).alike == ()
    return synthesize(replace(request, clean=clean, split="test"), 1)


def test_a_photograph_in_other_pixels_in_both_splits_is_said(tmp_path: Path) -> None:
    crops(tmp_path / "photos", 4)
    others = tmp_path / "others"
    crops(others, 6)
    for path in (tmp_path / "photos").iterdir():
        (others / path.name).unlink()
    first = Image.open(tmp_path / "photos" / "astronaut1.png")
    first.save(others / "compressed.jpg", quality=50)
    first.resize((400, 400), Image.Resampling.BICUBIC).save(others / "larger.png")
    Image.fromarray(read_rgb(tmp_path / "photos" / "astronaut2.png")).save(others / "renamed.bmp")
    outcome = both(tmp_path, others)
    assert outcome.twice == ("renamed",)
    assert outcome.alike == ("compressed", "larger")
