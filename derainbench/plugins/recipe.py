"""How a method is trained, as plain validated data."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator

from derainbench.metrics.loss_sum import read_sum, spell_sum

Augmentation = Literal["hflip", "vflip", "rot90", "mprnet"]

#: The most pixels of a batch's patches: with rainy and clean ones in float32 they take 6 GiB, without any network.
MOST_PIXELS = 2**28

_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Decay = Annotated[float, Field(ge=0, lt=1)]
_Times = Annotated[int, Field(ge=1, le=10**9)]
_Side = Annotated[int, Field(ge=1, le=2**14)]
_Batch = Annotated[int, Field(ge=1, le=2**16)]
_Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Stage(NamedTuple):
    """Part of a training with patches of its own: a length in proportion to those of the others, side, and batch."""

    length: _Positive
    patch: _Side
    batch: _Batch


_STAGES = TypeAdapter(tuple[Stage, ...])

#: Fields that only some methods have a use for, and what they are for all others.
OF_SOME_METHODS = {"perceptual": "none", "pretrained": "none", "adversarial": False}

#: Fields of every method's that came when there were trainings already. They change nothing unless they are said.
LATER = (
    "lr_min",
    "warmup",
    "warmup_within",
    "periods",
    "period_weights",
    "period_minima",
    "rate_by",
    "rate_lag",
    "progressive",
    "mixup",
    "mixup_identity",
    "ema",
    "initial",
)


#: Which fields one takes the place of, where it is given and they are not.
INSTEAD = {
    "steps": ("epochs",),
    "epochs": ("steps", "progressive"),
    "patch": ("progressive",),
    "batch": ("progressive",),
    "progressive": ("patch", "batch"),
}


class Recipe(BaseModel):
    """A training recipe. Its length is given in ``steps``, or in ``epochs``: over a grid of patches (``stride``), or,
    without one, over images, of each of which an epoch has one patch.

    * ``schedule``: ``cosine`` is lr(t) = m + (lr - m) (1 + cos(pi t / T)) / 2 with m = ``lr_min``; ``multistep``
      multiplies by ``gamma`` at each of the ``milestones`` (fractions of the whole length), and never goes below m;
      ``linear`` is m + (lr - m) (1 - t / T), ``poly`` m + (lr - m) (1 - t / T)^0.9; ``constant``.
    * ``periods``: ``cosine`` starts anew in each of so many, whose lengths are in proportion to these numbers; in the
      i-th, lr - m is multiplied by ``period_weights[i]`` (1), and m is ``period_minima[i]`` (``lr_min``). As BasicSR's
      code has it a period has its own end: the next begins a step later (Restormer, DRSformer).
    * ``warmup``: the share of the whole length in which the rate rises in equal parts to ``lr``, rounded to whole
      steps. The schedule is over what comes after it (as GradualWarmup), or with ``warmup_within`` over all, and the
      warm-up stands in the place of its beginning (as BasicSR; a ``cosine`` goes on from the warm-up's last rate by
      torch's recursion, and so a little above its own formula: by .14 % in HINet's).
    * ``rate_by``: ``epoch`` holds the rate for an epoch, where the length is in epochs, and counts ``warmup``,
      ``periods`` and ``rate_lag`` in them. ``rate_lag``: by how many steps (epochs) all of it is late; till then the
      rate is 0, as NeRD-Rain's was in its first epoch.
    * ``betas`` and ``eps``: Adam's, at least 0 and below 1, and above 0.
    * ``patch``: side of the square crops in pixels. Crops are drawn at random, or, with a ``stride``, from the grid of
      positions that many pixels apart, each visited once an epoch.
    * ``progressive``: stages of (length, patch, batch), lengths in proportion; ``patch`` and ``batch`` are the first's.
    * ``augment``: ``hflip`` and ``vflip`` with probability 1/2 each, ``rot90`` one of the four quarter turns: ``hflip``
      and ``rot90`` are the eight symmetries of a square, equally likely. ``mprnet`` is one of those, none of them being
      twice as likely as each of the seven others.
    * ``mixup``: alpha; images are mixed with others of their batch, by one share drawn from Beta(alpha, alpha) for all.
      With ``mixup_identity`` every second batch, on average, stays as it is.
    * ``loss``: a name of :data:`derainbench.metrics.losses.LOSSES` or of the method's own, or a weighted sum of them.
    * ``perceptual``: whose features a loss of the method's own compares beside ``loss``: ``none``, or those of
      ``vgg16``, from a file that the user adds (docs/weights.md).
    * ``pretrained``: what the network begins with where its authors did not begin at random: ``none``, or as
      ``perceptual``, from the same file.
    * ``initial``: weights from which the training starts, ``METHOD@TAG``.
    * ``adversarial``: whether a discriminator of the method's own is trained, too, and its verdict part of the loss.
    * ``clip``: the largest gradient norm, or None.
    * ``ema``: the decay of a moving average of the weights, which is then what is scored and kept.
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
    lr_min: _Rate = 0.0
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0
    warmup_within: bool = False
    periods: tuple[_Positive, ...] = ()
    period_weights: tuple[_Rate, ...] = ()
    period_minima: tuple[_Rate, ...] = ()
    rate_by: Literal["step", "epoch"] = "step"
    rate_lag: Annotated[int, Field(ge=0, le=10**9)] = 0
    steps: _Times | None = None
    epochs: _Times | None = None
    batch: _Batch
    patch: _Side
    stride: _Side | None = None
    progressive: tuple[Stage, ...] = ()
    augment: tuple[Augmentation, ...] = ()
    mixup: _Positive | None = None
    mixup_identity: bool = False
    loss: str
    perceptual: Literal["none", "vgg16"] = "none"
    pretrained: Literal["none", "vgg16"] = "none"
    initial: str | None = None
    adversarial: bool = False
    clip: _Positive | None = None
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.0
    validate_every: _Times = 1000
    checkpoint_every: _Times = 1000

    @field_validator("stride", "clip", "ema", "mixup", "initial", mode="before")
    @classmethod
    def _none_in_words(cls, value: Any) -> Any:
        """TOML has no other way to take away what a published recipe has."""
        return None if value == "none" else value

    @model_validator(mode="before")
    @classmethod
    def _first_stage_is_the_beginning(cls, fields: Any) -> Any:
        """``patch`` and ``batch`` need not be said beside ``progressive`` stages."""
        if not isinstance(fields, dict) or not fields.get("progressive"):
            return fields
        try:
            stages = _STAGES.validate_python(fields["progressive"])
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise ValueError(f"progressive: {reason}; give stages of [length, patch, batch]") from error
        return {"patch": stages[0].patch, "batch": stages[0].batch, **fields}

    @field_validator("loss")
    @classmethod
    def _a_sum_of_losses(cls, text: str) -> str:
        """In one spelling. Which names there are depends on the method, too."""
        return spell_sum(read_sum(text))

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give either steps or epochs")
        return self

    @model_validator(mode="after")
    def _rates_fit_together(self) -> Self:
        if max(self.lr_min, *self.period_minima, 0.0) > self.lr:
            raise ValueError(f"lr_min and period_minima must not be above lr, {self.lr:g}")
        if self.periods and self.schedule != "cosine":
            raise ValueError(f"only a cosine schedule starts anew in periods, and this one is {self.schedule}")
        for name in ("period_weights", "period_minima"):
            if getattr(self, name) and len(getattr(self, name)) != len(self.periods):
                raise ValueError(f"{name} has {len(getattr(self, name))} numbers for {len(self.periods)} periods")
        if self.warmup_within and not self.warmup:
            raise ValueError("warmup_within says how a warm-up goes, and there is none: give warmup")
        length = self.epochs if self.rate_by == "epoch" and self.epochs is not None else self.steps
        if length is not None and self.rate_lag >= length:
            raise ValueError(f"rate_lag {self.rate_lag} leaves nothing of a length of {length}")
        return self

    @model_validator(mode="after")
    def _stages_fit_together(self) -> Self:
        if self.progressive and self.steps is None:
            raise ValueError("progressive stages need a length in steps")
        if self.progressive and self.stride is not None:
            raise ValueError("progressive stages have patches at random places, not on a grid; leave stride out")
        if self.progressive and (self.patch, self.batch) != self.progressive[0][1:]:
            raise ValueError(
                f"patch {self.patch} and batch {self.batch} must be those of the first progressive stage, "
                f"{self.progressive[0].patch} and {self.progressive[0].batch}"
            )
        if self.initial is not None and self.pretrained != "none":
            raise ValueError(f"the network begins with initial {self.initial!r} or with {self.pretrained}: give one")
        if self.mixup_identity and self.mixup is None:
            raise ValueError("mixup_identity leaves batches out of the mixing, and there is none: give mixup")
        if "mprnet" in self.augment and len(self.augment) > 1:
            raise ValueError("augment: mprnet has all flips and turns already; give it alone")
        return self

    @model_validator(mode="after")
    def _batch_fits_in_memory(self) -> Self:
        for stage in self.stages:
            pixels, where = stage.batch * stage.patch**2, "progressive: " if self.progressive else ""
            if pixels > MOST_PIXELS:
                raise ValueError(
                    f"{where}batch {stage.batch} of patch {stage.patch} is {pixels:,} pixels a step, over "
                    f"{MOST_PIXELS:,}; lower one"
                )
        return self

    @property
    def asks(self) -> frozenset[str]:
        """Which of ``OF_SOME_METHODS`` it asks for."""
        return frozenset(name for name, usual in OF_SOME_METHODS.items() if getattr(self, name) != usual)

    @property
    def unsaid(self) -> frozenset[str]:
        """Which of ``OF_SOME_METHODS`` and ``LATER`` are what they are where nobody says anything."""
        usual = {name: field.default for name, field in type(self).model_fields.items()}
        return frozenset(name for name in (*OF_SOME_METHODS, *LATER) if getattr(self, name) == usual[name])

    @property
    def needs_vgg16(self) -> bool:
        """Whether a training by it needs the file that ``perceptual`` keeps."""
        return "vgg16" in (self.perceptual, self.pretrained)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The ``progressive`` ones; without any, one of ``patch`` and ``batch``."""
        return self.progressive or (Stage(1.0, self.patch, self.batch),)

    @property
    def pixels_a_step(self) -> float:
        """How many pixels of patches a step has on average."""
        return sum(s.length * s.batch * s.patch**2 for s in self.stages) / sum(s.length for s in self.stages)

    def changed(self, overrides: dict[str, Any]) -> Recipe:
        """This recipe with some fields replaced, and without those that one of them takes the place of."""
        replaced = {other for name, others in INSTEAD.items() if overrides.get(name) for other in others}
        fields = {name: value for name, value in self.model_dump().items() if name not in replaced}
        return Recipe.model_validate({**fields, **overrides})
