"""How a method is trained, as plain validated data."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Augmentation = Literal["hflip", "vflip", "rot90"]

#: The most pixels of a batch's patches: with rainy and clean ones in float32 they take 6 GiB, without any network.
MOST_PIXELS = 2**28

_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Decay = Annotated[float, Field(ge=0, lt=1)]
_Times = Annotated[int, Field(ge=1, le=10**9)]
_Side = Annotated[int, Field(ge=1, le=2**14)]


#: Fields that only some methods have a use for, and what they are for all others.
OF_SOME_METHODS = {"perceptual": "none", "pretrained": "none", "adversarial": False}


class Recipe(BaseModel):
    """A training recipe. Its length is given in ``steps``, or in ``epochs`` over a grid of patches (``stride``).

    * ``schedule``: ``cosine`` is lr(t) = lr (1 + cos(pi t / T)) / 2; ``multistep`` multiplies by ``gamma`` at each of
      the ``milestones`` (fractions of the whole length); ``linear`` is lr (1 - t / T), ``poly`` lr (1 - t / T)^0.9;
      ``constant``.
    * ``betas`` and ``eps``: Adam's, at least 0 and below 1, and above 0.
    * ``patch``: side of the square crops in pixels. Crops are drawn at random, or, with a ``stride``, from the grid of
      positions that many pixels apart, each visited once an epoch.
    * ``augment``: ``hflip`` and ``vflip`` with probability 1/2 each, ``rot90`` one of the four quarter turns.
    * ``loss``: a name of :data:`derainbench.metrics.losses.LOSSES`.
    * ``perceptual``: whose features a loss of the method's own compares beside ``loss``: ``none``, or those of
      ``vgg16``, from a file that the user adds (docs/weights.md).
    * ``pretrained``: what the network begins with where its authors did not begin at random: ``none``, or as
      ``perceptual``, from the same file.
    * ``adversarial``: whether a discriminator of the method's own is trained, too, and its verdict part of the loss.
    * ``clip``: the largest gradient norm, or None.
    * ``validation``: the share of training scenes held out to watch the training (never the test split); a paper that
      trains on everything has 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    optimiser: Literal["adam", "adamw", "radam", "sgd"] = "adam"
    lr: _Positive
    betas: tuple[_Decay, _Decay] = (0.9, 0.999)
    eps: _Positive = 1e-8
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    schedule: Literal["cosine", "multistep", "linear", "poly", "constant"] = "constant"
    milestones: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = ()
    gamma: _Positive = 0.1
    steps: _Times | None = None
    epochs: _Times | None = None
    batch: Annotated[int, Field(ge=1, le=2**16)]
    patch: _Side
    stride: _Side | None = None
    augment: tuple[Augmentation, ...] = ()
    loss: str
    perceptual: Literal["none", "vgg16"] = "none"
    pretrained: Literal["none", "vgg16"] = "none"
    adversarial: bool = False
    clip: _Positive | None = None
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.0
    validate_every: _Times = 1000
    checkpoint_every: _Times = 1000

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give either steps or epochs")
        if self.epochs is not None and self.stride is None:
            raise ValueError("epochs need a stride: without a grid of patches an epoch has no length")
        return self

    @model_validator(mode="after")
    def _batch_fits_in_memory(self) -> Self:
        pixels = self.batch * self.patch**2
        if pixels > MOST_PIXELS:
            raise ValueError(
                f"batch {self.batch} of patch {self.patch} is {pixels:,} pixels a step, over {MOST_PIXELS:,}; lower one"
            )
        return self

    @property
    def asks(self) -> frozenset[str]:
        """Which of ``OF_SOME_METHODS`` it asks for."""
        return frozenset(name for name, usual in OF_SOME_METHODS.items() if getattr(self, name) != usual)

    @property
    def needs_vgg16(self) -> bool:
        """Whether a training by it needs the file that ``perceptual`` keeps."""
        return "vgg16" in (self.perceptual, self.pretrained)

    def changed(self, overrides: dict[str, Any]) -> Recipe:
        """This recipe with some fields replaced. Asking for ``steps`` drops ``epochs``, and the other way round."""
        fields = self.model_dump()
        if "steps" in overrides:
            fields["epochs"] = None
        elif "epochs" in overrides:
            fields["steps"] = None
        return Recipe.model_validate({**fields, **overrides})
