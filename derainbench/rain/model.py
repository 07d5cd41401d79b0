"""What a rain model is: the presets of its rain, the layers that lie beside an image, and what these measure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from derainbench.rain.image import Grey, Image, Rain

#: Reads the rainy and the clean image, (H, W, 3) uint8 each; and a grey layer by its name, (H, W) in [0, 1].
ReadPair = Callable[[], tuple[Image, Image]]
ReadLayer = Callable[[str], Grey]


@dataclass(frozen=True)
class Preset:
    """A named rain, called as `(clean, depth, seed)`: images differ by their seed as those of one benchmark do."""

    name: str
    title: str
    make: Callable[[Image, Grey | None, int], Rain]
    model: str = ""

    def __call__(self, clean: Image, depth: Grey | None, seed: int) -> Rain:
        """Rain on `clean`, (H, W, 3), with parameters and layers drawn from `seed`.

        `depth` is (H, W), normalised to 1 at the farthest point; only models that have a depth look at it, and make one
        where it is None.
        """
        return self.make(clean, depth, seed)


@dataclass(frozen=True)
class RainModel:
    """A kind of rain, in a file of its own; :data:`derainbench.rain.models.RAIN_MODELS` has them all.

    ``additive`` says that rain makes no pixel darker. ``grey_layers`` are those that a dataset's card can name: one
    value a pixel, a 16-bit grey PNG each; ``colour_layers`` lie beside them for whoever recomposes the image;
    ``scene_layers`` belong to the scene, not to one of its rains. ``quantities`` are what ``measure`` finds of an image
    and its layers, by name, with words for a table.
    """

    name: str
    title: str
    presets: tuple[Preset, ...]
    grey_layers: tuple[str, ...]
    quantities: Mapping[str, str]
    measure: Callable[[ReadPair, ReadLayer], dict[str, float]]
    colour_layers: tuple[str, ...] = ()
    scene_layers: tuple[str, ...] = ()
    additive: bool = False

    @property
    def has_depth(self) -> bool:
        """Whether its rain depends on how far things are."""
        return "depth" in self.scene_layers
