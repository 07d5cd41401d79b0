"""What a method is: a network, how it is trained, where it comes from, and the weights that were published."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from torch import Tensor, nn

from derainbench.download.remote import RemoteFile
from derainbench.errors import UserError
from derainbench.images.quantisation import Quantisation
from derainbench.metrics.losses import Loss, check_own_losses, get_loss
from derainbench.plugins.layers import Rule, Thirds
from derainbench.plugins.recipe import Recipe
from derainbench.support.words import plain_text

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Batch(NamedTuple):
    """Training patches: ``rainy`` and ``clean`` are (B, 3, H, W), RGB in [0, 1].

    ``layers`` has what :attr:`Derainer.needed_layers` names, such as ``depth``: (B, 1, H, W) in [0, 1], cropped,
    flipped and turned along with the images; ``density`` is (B, 1, 1, 1), 0 heavy, 1 medium, 2 light, of whole images.
    """

    rainy: Tensor
    clean: Tensor
    layers: Mapping[str, Tensor] = {}


class Derainer(nn.Module):
    """A network that takes rain out of an image. The keyword arguments of ``__init__`` are the method's options.

    Override ``forward``; the rest has defaults. The harness promises RGB in [0, 1] and an image padded to
    ``size_multiple``; it clamps and crops what comes back.
    """

    #: Height and width must be multiples of this; the harness pads by reflection and crops.
    size_multiple: ClassVar[int] = 1

    #: Why ``torch.export`` cannot take the network; empty where it can.
    not_exportable: ClassVar[str] = ""

    #: Losses that recipes may name beside those of derainbench, by name: functions of (restored, clean), both
    #: (B, 3, H, W) and at least float32, to a scalar to minimise.
    own_losses: ClassVar[Mapping[str, Loss]] = {}

    @property
    def reach(self) -> int | None:
        """How far an output pixel can see, in pixels of the input: the radius of the receptive field, or a bound of it.

        None, the default, is the whole image (global pooling, recurrences over rows), or unknown. Tiles of a large
        image overlap by it.
        """
        return None

    @property
    def proposal(self) -> str:
        """What of the network, or of how it is trained here, is not its authors', since they published it nowhere: a
        clause that stands under every table with its scores. Empty where all is theirs.
        """
        return ""

    @property
    def needed_layers(self) -> Mapping[str, Rule | Thirds | None]:
        """What training needs beside the images, by name: ``mask``, ``streak``, ``density``, ``depth``, or what a
        dataset's card calls it. How to work it out where a dataset does not have it; None: then it cannot be trained.
        """
        return {}

    def forward(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] to the restored image: same shape, not clamped."""
        raise TypeError(f"{type(self).__name__} does not define forward(rainy)")

    def training_loss(self, batch: Batch, loss: Loss) -> Tensor:
        """The scalar to minimise. Override it to supervise more than the output (earlier stages, a mask, depth)."""
        return loss(self(batch.rainy), batch.clean)

    def on_training_data(self, mean: Tensor, std: Tensor) -> None:
        """Called once before training with the statistics of the rainy training images: (3,) RGB each, in [0, 1].

        For networks that normalise their input by them; keep them in buffers, so that they are part of the weights.
        """


@dataclass(frozen=True)
class Paper:
    """Where a method was published. ``bibtex`` is a whole entry."""

    title: str
    authors: str
    venue: str
    year: int
    url: str
    bibtex: str


class PublishedScore(NamedTuple):
    """Mean scores over a dataset's test images that somebody printed: dB, SSIM, under which protocol, and where."""

    dataset: str
    protocol: str
    psnr: float
    ssim: float
    source: str


@dataclass(frozen=True)
class Weights:
    """Trained weights in a file: published by somebody and fetched by the user, or the user's own; never shipped.

    ``options`` are the network's options they were trained with. ``trained_on`` names the dataset's card.
    ``verified`` is False for a file that the user added with --trust-unknown: nobody vouches for it.
    ``quantisation`` is how the authors' code made the 8-bit files on which their published scores were measured.
    ``published`` are those scores; reports show them beside what was measured.
    ``files`` are where it can be fetched: the file itself, whose hash is ``sha256``, then those that lie beside it.
    ``tag`` is empty where an option names the file and the network itself reads it (``opens`` of :class:`Method`);
    ``network`` is then what the network in the file is called.
    """

    tag: str
    trained_on: str
    source: str
    sha256: str
    licence: str
    options: Mapping[str, Any] = field(default_factory=dict)
    verified: bool = True
    quantisation: Quantisation = "round"
    published: tuple[PublishedScore, ...] = ()
    files: tuple[RemoteFile, ...] = ()
    network: str = ""


def same_name(name: str) -> tuple[str, ...]:
    """The authors' code calls the parameter as we do."""
    return (name,)


def never_transposed(name: str) -> bool:
    """The authors' code has images as we have them: rows of pixels."""
    return False


class Training(Protocol):
    """What the training loop asks of a trainer; :class:`derainbench.engine.trainer.Trainer` is the usual one.

    Made as ``Trainer(fabric, network, recipe, steps)`` with the network not yet on its device.
    """

    network: Any

    def __init__(self, fabric: Fabric, network: Derainer, recipe: Recipe, steps: int) -> None: ...

    def step(self, step: int, batch: Batch) -> Tensor:
        """Optimise on one batch; ``step`` counts from 0. Returns the loss to be logged, a detached scalar."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that later steps depend on: tensors and plain data."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` gave."""


@dataclass(frozen=True)
class Method:
    """A method under its registered name.

    ``recipe`` is the published one, or None where there is nothing to train; ``recipe_on`` says which of its fields
    the authors had otherwise on some training sets, by card. ``quick`` says which fields change
    for a laptop. ``variants`` are the options under which the paper gives the network another name, by that name.
    ``trainer`` is the class that trains it, for what one optimiser cannot; None is the usual one.
    ``official_names`` says what the authors' code calls a parameter or buffer of ours: several names where we keep
    theirs merged into one, concatenated along the output channels (dim 0) in that order, each an equal part.
    ``other_names`` say it of other people's code whose weights are known.
    ``official_transposed`` says of which of ours, kernels, rows and columns are exchanged in the authors' files: MATLAB
    hands Caffe images column by column, and what was trained like that sees them turned over.
    ``opens`` is of a method whose networks come out of files that an option names: it gives the weights that the
    options stand for. Such a method is no network by its name alone, and trains none.
    """

    name: str
    title: str
    network: type[Derainer]
    recipe: Recipe | None = None
    recipe_on: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    quick: Mapping[str, Any] = field(default_factory=dict)
    paper: Paper | None = None
    weights: tuple[Weights, ...] = ()
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    trainer: type[Training] | None = None
    official_names: Callable[[str], tuple[str, ...]] = same_name
    other_names: tuple[Callable[[str], tuple[str, ...]], ...] = ()
    official_transposed: Callable[[str], bool] = never_transposed
    opens: Callable[[Mapping[str, Any]], Weights] | None = None

    def __post_init__(self) -> None:
        """:class:`UserError` where the title cannot be printed in a line, or a recipe names a loss that there is not:
        when the plugin is loaded."""
        try:
            plain_text(self.title)
        except ValueError as error:
            raise UserError(f"{self.name}: the title {error}") from error
        own = self.network.own_losses
        check_own_losses(own)
        for recipe in (self.recipe, *map(self.published_recipe, self.recipe_on)):
            if recipe is not None:
                get_loss(recipe.loss, own)
        if "loss" in self.quick:
            get_loss(self.quick["loss"], own)

    @property
    def official_layout(self) -> tuple[Callable[[str], tuple[str, ...]], Callable[[str], bool]]:
        """How weights lie in the authors' files: ``official_names`` and ``official_transposed``."""
        return self.official_names, self.official_transposed

    def published_recipe(self, trained_on: str) -> Recipe | None:
        """How the authors trained it on that card's dataset; on others as ``recipe`` says."""
        changes = self.recipe_on.get(trained_on, {})
        return self.recipe if self.recipe is None else self.recipe.changed(dict(changes))
