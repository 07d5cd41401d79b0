"""A small dataset of made-up pictures that differ as photographs do, to be damaged and verified."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from derainbench.catalogue.cards import Card
from derainbench.catalogue.locate import Dataset
from derainbench.verify.verdict import Finding, Verdict
from derainbench.verify.verify import verify

SIZE = (72, 108)


def picture(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Texture of several scales, unlike that of any other number."""
    random = np.random.default_rng(number)
    image = np.full((*size, 3), 80.0)
    for cells in (3, 8, 20):
        coarse = random.normal(0, 40, (cells, cells))
        image += np.asarray(Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC))[..., None]
    return image.clip(0, 200).astype(np.uint8)


def rained_on(clean: np.ndarray, seed: int) -> np.ndarray:
    """Light added on a tenth of the pixels."""
    random = np.random.default_rng(seed)
    streaks = 50 * (random.random((*clean.shape[:2], 1)) > 0.9)
    rained: np.ndarray = clean + streaks
    return rained.astype(np.uint8)


@dataclass
class Pictures:
    """Six test pairs ``rainy/r-1.png`` with ``clean/c-1.png``, and the fields of a card that fits them."""

    root: Path
    fields: dict[str, Any] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        """``r-1`` or ``c-1``: the rainy or the clean file of a pair."""
        return self.root / {"r": "rainy", "c": "clean", "d": "depth"}[name[0]] / f"{name}.png"

    def save(self, name: str, image: np.ndarray | Image.Image, **more: Any) -> None:
        """Write an image file."""
        self.path(name).parent.mkdir(parents=True, exist_ok=True)
        (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(self.path(name), **more)

    def pixels(self, name: str) -> np.ndarray:
        """An image file's."""
        with Image.open(self.path(name)) as image:
            return np.asarray(image)

    def exchange(self, one: str, other: str) -> None:
        """Two files' contents."""
        between = self.root / "between"
        shutil.move(self.path(one), between)
        shutil.move(self.path(other), self.path(one))
        shutil.move(between, self.path(other))

    def dataset(self, **fields: Any) -> Dataset:
        """What a card says of the files; fields replace those of :attr:`fields`, None takes one away."""
        merged = {**self.fields, **fields}
        card = Card.model_validate({key: value for key, value in merged.items() if value is not None})
        return Dataset(card, self.root, card.layouts[0])

    def verdict(self, **fields: Any) -> Verdict:
        """The files as they are now, under a card with these fields."""
        return verify(self.dataset(**fields))

    def problem(self, **fields: Any) -> Finding:
        """The only one there is."""
        verdict = self.verdict(**fields)
        assert not verdict.usable
        (problem,) = verdict.problems
        return problem

    def notice(self, kind: str, **fields: Any) -> Finding:
        """The only one of its kind; there is no problem."""
        verdict = self.verdict(**fields)
        assert verdict.problems == []
        (notice,) = [each for each in verdict.all_notices if each.kind == kind]
        return notice


LAYOUT = {"name": "folders", "test": {"rainy": "rainy/r-{id:d}.png", "clean": "clean/c-{id:d}.png"}}


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERAINBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    """Undamaged, with a card that calls rain additive and counts six pairs."""
    fields = {"name": "mine", "title": "Mine", "rain_model": "streak", "kind": "synthetic", "layouts": [LAYOUT]}
    made = Pictures(tmp_path / "data", {**fields, "additive": True, "counts": {"test": 6}})
    for number in range(1, 7):
        made.save(f"c-{number}", picture(number))
        made.save(f"r-{number}", rained_on(picture(number), number))
    return made


@pytest.fixture(scope="session")
def scene() -> Callable[..., np.ndarray]:
    """``scene(number, size)``: a picture."""
    return picture
