"""What a method is: a network, how it is trained, where it comes from, and the weights that were published."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from torch import Tensor, nn

from derainbench.recipe import Recipe

if TYPE_CHECKING:
    from derainbench.trainer import Trainer

#: A training loss: (restored, clean), both (B, 3, H, W), to a scalar. See :mod:`derainbench.losses`.
Loss = Callable[[Tensor, Tensor], Tensor]


class Batch(NamedTuple):
    """Training patches: ``rainy`` and ``clean`` are (B, 3, H, W), RGB in [0, 1].

    ``layers`` holds whatever else the dataset's card offers for a rainy image, such as ``depth``: (B, 1, H, W) in
    [0, 1], cropped, flipped and turned along with it.
    """

    rainy: Tensor
    clean: Tensor
    layers: Mapping[str, Tensor] = {}  # noqa: RUF012 - a NamedTuple's defaults are never mutated here


class Derainer(nn.Module):
    """A network that takes rain out of an image. The keyword arguments of ``__init__`` are the method's options.

    Override ``forward``; the rest has defaults. The harness promises RGB in [0, 1] and an image padded to
    ``size_multiple``; it clamps and crops what comes back.
    """

    #: Height and width must be multiples of this; the harness pads by reflection and crops.
    size_multiple: ClassVar[int] = 1

    def forward(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] to the restored image: same shape, not clamped."""
        raise TypeError(f"{type(self).__name__} does not define forward(rainy)")

    def training_loss(self, batch: Batch, loss: Loss) -> Tensor:
        """The scalar to minimise. Override it to supervise more than the output (earlier stages, a mask, depth)."""
        return loss(self(batch.rainy), batch.clean)

    def on_training_data(self, mean: Tensor, std: Tensor) -> None:  # noqa: B027
        """Called once before training with the statistics of the rainy training images: (3,) RGB each, in [0, 1].

        For networks that normalise their input by them; keep them in buffers, so that they are part of the weights.
        """


@dataclass(frozen=True)
class Paper:
    """Where a method was published. ``bibtex`` is a whole entry; its key is what LaTeX tables cite."""

    title: str
    authors: str
    venue: str
    year: int
    url: str
    bibtex: str


@dataclass(frozen=True)
class Weights:
    """Trained weights that somebody published, fetched by the user and never shipped with derainbench.

    ``options`` are the network's options they were trained with; ``convert`` turns the published state dict into ours.
    ``trained_on`` names the dataset's card.
    """

    tag: str
    trained_on: str
    source: str
    sha256: str
    licence: str
    options: Mapping[str, Any] = field(default_factory=dict)
    convert: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]] = dict


def _default_trainer() -> type[Trainer]:
    from derainbench.trainer import Trainer

    return Trainer


@dataclass(frozen=True)
class Method:
    """A method under its registered name.

    ``recipe`` is the published one, or None where there is nothing to train. ``quick`` says which of its fields change
    for a laptop. ``variants`` are the options under which the paper gives the network another name, by that name.
    ``trainer`` returns the class that trains it.
    """

    name: str
    title: str
    network: type[Derainer]
    recipe: Recipe | None = None
    quick: Mapping[str, Any] = field(default_factory=dict)
    paper: Paper | None = None
    weights: tuple[Weights, ...] = ()
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    trainer: Callable[[], type[Trainer]] = _default_trainer
