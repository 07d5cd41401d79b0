"""Embedded datasets: whole or absent, the same bytes each time, their files true to the equation they come from."""

from __future__ import annotations

import hashlib
import multiprocessing
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow
from pydantic import ValidationError

from derainbench.errors import StorageError, UserError
from derainbench.rain.embedded import Generation, crop_positions, generate
from derainbench.rain.photographs import measured_depth

SMALL: dict[str, Any] = {
    "model": "streak",
    "preset": "rain100l",
    "train": ["coffee", "rocket"],
    "test": ["chelsea"],
    "size": [48, 64],
    "crops": {"train": 2, "test": 1},
    "per_crop": 2,
    "seed": 5,
}


def read(path: Path) -> NDArray[Any]:
    with Pillow.open(path) as image:
        return np.asarray(image)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def digest(folder: Path) -> str:
    """One hash over the names and the bytes of all files."""
    total = hashlib.sha256()
    for name in names(folder):
        total.update(name.encode() + b"\0" + (folder / name).read_bytes())
    return total.hexdigest()


def generate_small(folder: str) -> None:
    """What a second process runs."""
    generate(Generation.model_validate(SMALL), Path(folder))


def card(name: str) -> Generation:
    text = (resources.files("derainbench.datasets") / f"{name}.toml").read_text(encoding="utf-8")
    return Generation.model_validate(tomllib.loads(text)["generate"])


def test_files_and_bytes(tmp_path: Path) -> None:
    spec = Generation.model_validate(SMALL)
    generate(spec, tmp_path / "one")
    assert names(tmp_path / "one") == sorted(
        ["test/clean/chelsea-0.png", "test/rainy/chelsea-0.png"]
        + [f"train/clean/{scene}-{crop}.png" for scene in ("coffee", "rocket") for crop in (0, 1)]
        + [f"train/rainy/{scene}-{crop}-{n}.png" for scene in ("coffee", "rocket") for crop in (0, 1) for n in (0, 1)]
    )
    generate(spec, tmp_path / "two")
    assert digest(tmp_path / "one") == digest(tmp_path / "two")
    generate(spec.model_copy(update={"seed": 6}), tmp_path / "other")
    assert digest(tmp_path / "one") != digest(tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "other", "two"]  # no left-overs


def test_pairs_are_rain_on_clean(tmp_path: Path) -> None:
    generate(Generation.model_validate(SMALL), tmp_path / "set")
    for rainy in sorted((tmp_path / "set" / "train" / "rainy").iterdir()):
        scene, crop, _ = rainy.stem.split("-")
        added = read(rainy).astype(int) - read(rainy.parent.parent / "clean" / f"{scene}-{crop}.png")
        assert added.shape == (48, 64, 3)
        assert added.min() >= 0
        assert 1.0 < added.mean() < 20.0
    first, second = (read(tmp_path / "set" / "train" / "rainy" / f"coffee-0-{n}.png") for n in (0, 1))
    assert (first != second).mean() > 0.1


def test_another_photograph_changes_no_other_image(tmp_path: Path) -> None:
    spec = Generation.model_validate(SMALL)
    generate(spec, tmp_path / "less")
    generate(spec.model_copy(update={"train": ("astronaut", *spec.train)}), tmp_path / "more")
    for name in names(tmp_path / "less"):
        assert (tmp_path / "less" / name).read_bytes() == (tmp_path / "more" / name).read_bytes(), name


def test_two_processes_at_once_leave_one_whole_folder(tmp_path: Path) -> None:
    generate(Generation.model_validate(SMALL), tmp_path / "alone")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=generate_small, args=(str(tmp_path / "shared"),)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    assert digest(tmp_path / "shared") == digest(tmp_path / "alone")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone", "shared"]


def test_losing_the_race_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, folder = Generation.model_validate(SMALL), tmp_path / "set"
    replace = Path.replace

    def other_process_was_faster(self: Path, target: Path) -> Path:
        (target / "train").mkdir(parents=True)
        (target / "train" / "theirs").write_text("x")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", other_process_was_faster)
    generate(spec, folder)
    assert names(folder) == ["train/theirs"]
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    generate(Generation.model_validate(SMALL), folder)
    assert names(folder) == ["mine.txt"]


def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("derainbench.rain.embedded.os.fsync", full_disk)
    with pytest.raises(StorageError, match="No space left on device") as caught:
        generate(Generation.model_validate(SMALL), tmp_path / "set")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_too_many_or_too_large_crops(tmp_path: Path) -> None:
    many = Generation.model_validate({**SMALL, "span": 1.0, "crops": {"train": 100, "test": 1}})
    with pytest.raises(UserError, match="at most"):
        generate(many, tmp_path / "many")
    large = Generation.model_validate({**SMALL, "size": [500, 700]})
    with pytest.raises(UserError, match="choose smaller ones"):
        generate(large, tmp_path / "large")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"test": ["rocket"]}, "twice.*rocket"),
        ({"train": ["coffee", "coffee"]}, "twice.*coffee"),
        ({"test": ["lena"]}, "no photograph lena.*astronaut"),
        ({"preset": "drops"}, "'drops'.*streak.*rain100h, rain100l"),
        ({"model": "snow"}, "model"),
        ({"size": [4, 64]}, "size"),
        ({"seed": -1}, "seed"),
        ({"wind": 3}, "wind"),
    ],
)
def test_a_wrong_table_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=rf"(?s){said}"):
        Generation.model_validate({**SMALL, **change})


def test_crops_are_spread_and_not_empty() -> None:
    image = np.full((200, 300, 3), 128, np.uint8)
    image[:, 150:] = np.random.default_rng(0).integers(0, 256, (200, 150, 3))  # the left half is empty
    corners = crop_positions(image, 60, 80, 4)
    assert corners == crop_positions(image, 60, 80, 4)
    assert len(set(corners)) == 4
    for top, left in corners:
        assert image[top : top + 60, left : left + 80].std() > 15.0
    assert max(top for top, _ in corners) - min(top for top, _ in corners) >= 100


@pytest.mark.slow
@pytest.mark.parametrize(("name", "model"), [("demo-streak", "streak"), ("demo-drop", "drop"), ("demo-mist", "mist")])
def test_cards_generate(name: str, model: str, tmp_path: Path) -> None:
    spec = card(name)
    assert spec.model == model
    generate(spec, tmp_path / name)
    count = {
        kind: len(list((tmp_path / name / kind).iterdir()))
        for kind in ("train/rainy", "train/clean", "test/rainy", "test/clean")
    }
    assert count == {"train/rainy": 36, "train/clean": 12, "test/rainy": 6, "test/clean": 6}
    for path in (tmp_path / name).rglob("rainy/*.png"):
        assert read(path).shape == (128, 192, 3)
    assert (tmp_path / name / "test" / "depth").exists() == (model == "mist")


def test_mist_is_tested_on_a_measured_depth(tmp_path: Path) -> None:
    spec = card("demo-mist")
    assert "motorcycle" in spec.test
    generate(spec, tmp_path / "set")
    true = measured_depth("motorcycle")
    assert true is not None
    for stored in sorted((tmp_path / "set" / "test" / "depth").glob("motorcycle-*.png")):
        depth = read(stored)
        assert depth.dtype in (np.uint16, np.int32)
        normalised = depth / 65535.0
        assert normalised.max() <= 1.0
        assert normalised.min() >= 0.95 * true.min() / true.max()
        clean, rainy = (read(stored.parent.parent / kind / stored.name).astype(float) for kind in ("clean", "rainy"))
        # Far pixels lose more contrast: regress rainy on clean in the nearer and the farther half.
        far = normalised > np.median(normalised)
        slopes = [np.polyfit(clean[part].ravel(), rainy[part].ravel(), 1)[0] for part in (~far, far)]
        assert 0.1 < slopes[1] < slopes[0] < 1.0
