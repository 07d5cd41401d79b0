"""What a dataset is: the card's schema, and the cards there are."""

from __future__ import annotations

import logging
import os
import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from derainbench.catalogue.patterns import Pattern, leads_out
from derainbench.download.remote import RemoteFile
from derainbench.errors import UserError, did_you_mean, printable
from derainbench.metrics.protocols import PROTOCOLS
from derainbench.rain.embedded import Generation
from derainbench.rain.models import RAIN_MODELS
from derainbench.support.cache import cache_folder
from derainbench.support.toml import complaints, read_toml
from derainbench.support.words import listed, plain_text


def checked_path(text: str) -> str:
    """A path without control characters or overlong names; ValueError otherwise."""
    if any(len(part.encode()) > 255 for part in PurePosixPath(plain_text(text)).parts):
        raise ValueError("a name in it is longer than 255 bytes, which no disk takes; shorten it")
    return text


#: A pattern of :mod:`.patterns`.
PatternText = Annotated[str, AfterValidator(plain_text)]


def files_of(pattern: str) -> str:
    """A pattern without the kinds of its fields: two that differ in them alone mean the same files."""
    return re.sub(r"\{(\w+)[^}]*\}", r"{\1}", pattern)


def _below_the_root(folder: str) -> str:
    if leads_out(checked_path(folder)):
        raise ValueError(f"folder {folder!r} leaves the data root; folders are relative to it, with /")
    return folder


#: The name of a folder below the data root.
Folder = Annotated[str, AfterValidator(_below_the_root)]


def _below_the_dataset(file: str) -> str:
    if leads_out(checked_path(file)):
        raise ValueError(f"list {file!r} leaves the dataset's folder; it lies below it, with /")
    return file


#: The name of a text file below the dataset's folder.
ListFile = Annotated[str, AfterValidator(_below_the_dataset)]


SplitName = Literal["train", "test"]

#: Both, in the order in which they are shown.
SPLITS: tuple[SplitName, ...] = ("train", "test")

#: What is removed from images of sets that are none of the rain models': falling snow, and several weathers in one set.
OTHER_WEATHER = ("snow", "mixed")

#: Words that ``--datasets`` reads as something other than a card's name.
RESERVED = ("all", "demo", *RAIN_MODELS, *OTHER_WEATHER)


def _known_weather(name: str) -> str:
    known = [*RAIN_MODELS, *OTHER_WEATHER]
    if name not in known:
        raise ValueError(f"there is no such rain model; {did_you_mean(name, known)}")
    return name


#: A rain model's name, or one of :data:`OTHER_WEATHER`.
Weather = Annotated[str, AfterValidator(_known_weather)]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


#: A number of pairs or images.
Number = Annotated[int, Field(ge=0, le=10**9)]


class SplitPatterns(_Data):
    """Where a split's files lie below the dataset's folder; fields in braces do the pairing (:mod:`.patterns`).

    The clean image is a file of its own (``clean``), or half of the file that ``rainy`` names (``side_by_side``, from
    left to right). ``layers`` are further images for each rainy one, such as ``depth``. ``listed_in`` is a text file
    below the dataset's folder that says which of the images are the split's (:mod:`.list_file`); none: all of them.
    """

    rainy: PatternText
    clean: PatternText = ""
    side_by_side: Literal["rainy|clean", "clean|rainy", ""] = ""
    layers: dict[Annotated[str, Field(pattern=r"^[A-Za-z]\w*$")], PatternText] = {}
    listed_in: ListFile = ""

    @property
    def partners(self) -> dict[str, str]:
        """The patterns of the files that belong to a rainy one, by what they are: ``clean`` and the layers."""
        return {"clean": self.clean, **self.layers} if self.clean else self.layers

    @model_validator(mode="after")
    def _one_clean_image(self) -> Self:
        if bool(self.clean) == bool(self.side_by_side):
            raise ValueError('a split has either a clean pattern, or side_by_side = "rainy|clean" or "clean|rainy"')
        if reserved := {"rainy", "clean"} & set(self.layers):
            raise ValueError(f"a layer cannot be called {reserved.pop()!r}; choose another name")
        return self

    @model_validator(mode="after")
    def _patterns_pair(self) -> Self:
        rainy = Pattern(self.rainy)
        known: dict[str, str] = {files_of(self.rainy): "rainy"}
        for name, text in self.partners.items():
            pattern = Pattern(text)
            if (twin := known.setdefault(files_of(text), name)) != name:
                raise ValueError(f"the {name} pattern {text!r} means the files of the {twin} pattern; mend one")
            shared = set(pattern.fields) & set(rainy.fields)
            if not shared:
                raise ValueError(
                    f"the {name} pattern {text!r} shares no {{field}} with the rainy pattern {self.rainy!r}"
                )
            mixed = sorted(shared & (pattern.numbers ^ rainy.numbers))
            if mixed:
                raise ValueError(f"field {mixed[0]!r} is a number (:d) in only one of {self.rainy!r} and {text!r}")
        return self


class Layout(_Data):
    """One packaging of the dataset. Several circulate; a card lists them, the preferred one first.

    ``folders`` are what this packaging's folder is called below the data root, where that is not what the card says;
    ``.`` is the data root itself, for packagings that keep their splits in folders beside each other. ``files`` are
    what it is fetched as, and from where, as far as that is known. ``unconfirmed`` says what about it nobody has seen
    in the files.
    """

    name: str
    folders: tuple[Folder, ...] = ()
    train: SplitPatterns | None = None
    test: SplitPatterns | None = None
    files: tuple[RemoteFile, ...] = ()
    unconfirmed: str = ""

    @model_validator(mode="after")
    def _has_a_split(self) -> Self:
        if self.train is None and self.test is None:
            raise ValueError(f"layout {self.name!r} says where neither train nor test images are; give one of them")
        if len({file.name.casefold() for file in self.files}) < len(self.files):
            raise ValueError(f"two files of layout {self.name!r} have one name; call one otherwise")
        return self


class Counts(_Data):
    """How many pairs each split should have, or None where that is not settled."""

    train: Number | None = None
    test: Number | None = None


class OtherCount(_Data):
    """Another number of pairs that circulates under the same name, and what those files are."""

    split: SplitName
    pairs: Annotated[Number, Field(ge=1)]
    means: str


class SameScenes(_Data):
    """Groups of a split's scenes that show one and the same, under different names; leading zeros do not matter."""

    train: tuple[tuple[str, ...], ...] = ()
    test: tuple[tuple[str, ...], ...] = ()

    @model_validator(mode="after")
    def _groups_are_apart(self) -> Self:
        for groups in (self.train, self.test):
            names = Counter(without_zeros(name) for group in groups for name in group)
            repeated = [name for name, times in names.items() if times > 1]
            if repeated:
                raise ValueError(f"scene {repeated[0]!r} is named twice; put all that are the same into one group")
            if any(len(group) < 2 for group in groups):
                raise ValueError("a group names two scenes or more")
        return self


class InputScore(_Data):
    """The mean scores of the unprocessed test inputs under a named protocol, by which the files are recognised.

    ``psnr`` in dB, to 0.005; ``ssim`` to 0.0002. ``unconfirmed``: measured on other files than the original ones, so
    that a difference proves nothing.
    """

    protocol: str
    psnr: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    ssim: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    unconfirmed: bool = False

    @field_validator("protocol")
    @classmethod
    def _known(cls, protocol: str) -> str:
        if protocol not in PROTOCOLS:
            raise ValueError(f"no protocol is called {protocol!r}; known: {', '.join(PROTOCOLS)}")
        return protocol


class Union(_Data):
    """The cards that a set is made of, to be trained on as one; their tests stay with them.

    ``shares`` are the parts of the training samples that each gives, in any unit; without them every pair is as
    frequent as any other.
    """

    members: Annotated[tuple[str, ...], Field(min_length=2)]
    shares: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = {}
    #: The members' cards, as far as they are known: :func:`all_cards` looks them up.
    _cards: dict[str, Card] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _members_differ(self) -> Self:
        repeated = [name for name, times in Counter(self.members).items() if times > 1]
        if repeated:
            raise ValueError(f"member {repeated[0]!r} is named twice; give it a larger share instead")
        if self.shares and (unlike := set(self.shares) ^ set(self.members)):
            raise ValueError(f"shares are of every member and of nothing else; mend {sorted(unlike)[0]!r}")
        return self

    @property
    def cards(self) -> dict[str, Card]:
        """The members' cards by name, those that exist."""
        return self._cards

    @property
    def plain(self) -> tuple[Card | None, ...]:
        """The members' cards in their order; None for one that does not exist, or is itself a union."""
        cards = [self._cards.get(name) for name in self.members]
        return tuple(None if card is None or card.union is not None else card for card in cards)

    def fractions(self) -> tuple[float, ...]:
        """The shares in the order of the members, 1 together; none where every pair is as frequent as any other."""
        total = sum(self.shares.values())
        return tuple(self.shares[name] / total for name in self.members) if self.shares else ()

    def told(self) -> str:
        """``a (50 %), b (25 %) and c (25 %)``, or without numbers where there are no shares."""
        shares = self.fractions() or (None,) * len(self.members)
        words = [n if s is None else f"{n} ({100 * s:.3g} %)" for n, s in zip(self.members, shares, strict=True)]
        return listed(words)


def without_zeros(name: str) -> str:
    """A name with its numbers by value: packagings of one dataset write 3, 03 and 003."""
    return re.sub(r"\d+", lambda digits: str(int(digits[0])), name)


class Card(_Data):
    """A dataset's description.

    ``folders`` are the names its folder goes by below the data root (its own name is always tried); ``root`` fixes the
    folder instead, relative to the card's file. ``generate`` makes it an embedded dataset, synthesised on first use.
    ``note`` is the one thing to know before the set is used.
    ``revision`` goes up when the files behind the name change, so that old scores are not mistaken for new ones.
    ``test_sizes``: how many test images there are of each size, WIDTHxHEIGHT in pixels; none where that is not known.
    ``mean_of``: a score is the mean over all test images, or the mean of the means over each scene's.
    ``additive``: rain only adds light, no pixel is darker than in the clean image by more than 2 levels.
    ``unconfirmed``: what the card says that nobody has checked against the files.
    ``union`` makes it a set of other cards instead of one with ``layouts`` of its own.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
    title: str
    rain_model: Weather
    kind: Literal["real", "synthetic"]
    note: str = ""
    revision: Annotated[int, Field(ge=1, le=10**9)] = 1
    additive: bool = False
    mean_of: Literal["images", "scenes"] = "images"
    counts: Counts = Counts()
    other_counts: tuple[OtherCount, ...] = ()
    test_sizes: dict[
        Annotated[str, Field(pattern=r"^[1-9][0-9]{0,5}x[1-9][0-9]{0,5}$")], Annotated[Number, Field(ge=1)]
    ] = {}
    layouts: tuple[Layout, ...] = ()
    union: Union | None = None
    folders: tuple[Folder, ...] = ()
    root: Path | None = None
    source: str = ""
    licence: str = ""
    bibtex: str = ""
    defects: tuple[str, ...] = ()
    unconfirmed: tuple[str, ...] = ()
    same_scene: SameScenes = SameScenes()
    input_score: InputScore | None = None
    generate: Generation | None = None

    @field_validator("name")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        if name in RESERVED:
            raise ValueError(f"a dataset cannot be called {name!r}: --datasets gives that word another meaning")
        return name

    @field_validator("root")
    @classmethod
    def _root_can_be_a_folder(cls, root: Path | None) -> Path | None:
        return root if root is None else Path(checked_path(str(root)))

    @model_validator(mode="after")
    def _numbers_agree(self) -> Self:
        images = sum(self.test_sizes.values())
        if self.test_sizes and self.counts.test not in (None, images):
            raise ValueError(f"test_sizes are of {images} images, counts.test says {self.counts.test}; mend one")
        return self

    @model_validator(mode="after")
    def _has_files_or_members(self) -> Self:
        if self.union is None and not self.layouts:
            raise ValueError("a card has one [[layouts]] or more, or a [union]; give where its files lie")
        if self.union is not None and (self.layouts or self.generate is not None or self.root is not None):
            raise ValueError("a union has the files of its members; leave out layouts, root and generate, or the union")
        if self.union is not None and self.name in self.union.members:
            raise ValueError(f"a union cannot be its own member; take {self.name!r} out")
        return self

    @property
    def embedded(self) -> bool:
        """Whether derainbench makes the files itself."""
        return self.generate is not None

    @property
    def fetchable(self) -> tuple[Layout, ...]:
        """The packagings whose addresses are known."""
        return tuple(layout for layout in self.layouts if layout.files)

    def pairs(self, split: SplitName) -> int | None:
        """How many pairs a split should have: of a union as many as its members' together, where all are settled."""
        if self.union is None or split == "test":
            count: int | None = getattr(self.counts, split) if self.union is None else 0
            return count
        parts = [None if card is None else card.counts.train for card in self.union.plain]
        return None if None in parts else sum(part or 0 for part in parts)


def read_card(path: Path) -> Card:
    """The card in a TOML file. :class:`UserError` says all that is wrong with it, in the file's own words."""
    table = read_toml(path, "card")
    try:
        card = Card.model_validate(table)
    except ValidationError as error:
        raise UserError(f"card {path}: {complaints(Card, error)}") from error
    if card.root is not None and not card.root.is_absolute():
        card = card.model_copy(update={"root": Path(os.path.realpath(path.parent / card.root))})
    return card


def kept_cards_folder() -> Path:
    """Where ``derainbench datasets add`` keeps cards: as JSON, a file each."""
    return cache_folder() / "cards"


def all_cards(extra: Iterable[Path] = ()) -> dict[str, Card]:
    """The cards that come with derainbench, those that were added, and those given with ``--card``, by name.

    A name that is taken raises; only a card given with ``--card`` may stand for the one that was added under its name.
    A kept card that is damaged is left out, with a note: most commands do not need it.
    """
    shipped = sorted(
        (Path(str(f)) for f in files("derainbench.datasets").iterdir() if f.name.endswith(".toml")),
        key=lambda p: p.name,
    )
    found = [(path, read_card(path)) for path in [*shipped, *extra]]
    given = {card.name for _, card in found}
    kept = [(path, card) for path in _kept_files() if (card := _kept_card(path)) and card.name not in given]
    cards: dict[str, Card] = {}
    origins: dict[str, Path] = {}
    for path, card in [*found[: len(shipped)], *kept, *found[len(shipped) :]]:
        if card.name in cards:
            raise UserError(f"two cards are called {card.name!r}: {origins[card.name]} and {path}; rename one")
        cards[card.name], origins[card.name] = card, path
    for card in cards.values():
        if card.union is not None:
            card.union.cards.update({name: cards[name] for name in card.union.members if name in cards})
    return cards


def _kept_files() -> list[Path]:
    try:
        return sorted(path for path in kept_cards_folder().iterdir() if path.suffix == ".json")
    except OSError:  # none was added, or the cache is somebody else's
        return []


def _kept_card(path: Path) -> Card | None:
    try:
        return Card.model_validate_json(path.read_bytes())
    except ValidationError as error:
        reason = complaints(Card, error)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    _note(printable(f"note: kept card {path} is damaged ({reason}); add the card again"))
    return None


@cache
def _note(text: str) -> None:
    """Say it on standard error, once: a command may ask for the cards several times."""
    logging.getLogger(__name__).warning("%s", text)
