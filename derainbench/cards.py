"""What a dataset is: the card's schema, and the cards there are."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from derainbench.embedded import Generation
from derainbench.errors import UserError
from derainbench.metrics import PROTOCOLS
from derainbench.patterns import Pattern
from derainbench.rain import RainModel

SplitName = Literal["train", "test"]

#: Words that ``--datasets`` reads as something other than a card's name.
RESERVED = ("all", "demo", "streak", "drop", "mist")


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SplitPatterns(_Data):
    """Where a split's files lie below the dataset's folder; fields in braces do the pairing (:mod:`.patterns`).

    ``layers`` are further images for each rainy one, such as ``depth``.
    """

    rainy: str
    clean: str
    layers: dict[str, str] = {}

    @model_validator(mode="after")
    def _patterns_pair(self) -> Self:
        rainy = Pattern(self.rainy)
        for name, text in {"clean": self.clean, **self.layers}.items():
            pattern = Pattern(text)
            shared = set(pattern.fields) & set(rainy.fields)
            if not shared:
                raise ValueError(
                    f"the {name} pattern {text!r} shares no {{field}} with the rainy pattern {self.rainy!r}"
                )
            mixed = sorted(shared & (pattern.numbers ^ rainy.numbers))
            if mixed:
                raise ValueError(f"field {mixed[0]!r} is a number (:d) in only one of {self.rainy!r} and {text!r}")
        return self


def _below_the_root(folder: str) -> str:
    path = PurePosixPath(folder)
    if path.is_absolute() or ".." in path.parts or "\\" in folder:
        raise ValueError(f"folder {folder!r} leaves the data root; folders are relative to it, with /")
    return folder


#: The name of a folder below the data root.
Folder = Annotated[str, AfterValidator(_below_the_root)]


class Layout(_Data):
    """One packaging of the dataset. Several circulate; a card lists them and the first that matches wins.

    ``folders`` are what this packaging's folder is called below the data root, where that is not what the card says;
    ``.`` is the data root itself, for packagings that keep their splits in folders beside each other.
    """

    name: str
    folders: tuple[Folder, ...] = ()
    train: SplitPatterns | None = None
    test: SplitPatterns | None = None


class Counts(_Data):
    """How many pairs each split should have, or None where that is not settled."""

    train: Annotated[int, Field(ge=0)] | None = None
    test: Annotated[int, Field(ge=0)] | None = None


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

    ``psnr`` in dB, to 0.005; ``ssim`` to 0.0002.
    """

    protocol: str
    psnr: float
    ssim: float

    @field_validator("protocol")
    @classmethod
    def _known(cls, protocol: str) -> str:
        if protocol not in PROTOCOLS:
            raise ValueError(f"no protocol is called {protocol!r}; known: {', '.join(PROTOCOLS)}")
        return protocol


def without_zeros(name: str) -> str:
    """A name with its numbers by value: packagings of one dataset write 3, 03 and 003."""
    return re.sub(r"\d+", lambda digits: str(int(digits[0])), name)


class Card(_Data):
    """A dataset's description.

    ``folders`` are the names its folder goes by below the data root (its own name is always tried); ``root`` fixes the
    folder instead, relative to the card's file. ``generate`` makes it an embedded dataset, synthesised on first use.
    ``revision`` goes up when the files behind the name change, so that old scores are not mistaken for new ones.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    title: str
    rain_model: RainModel
    kind: Literal["real", "synthetic"]
    revision: Annotated[int, Field(ge=1)] = 1
    counts: Counts = Counts()
    layouts: Annotated[tuple[Layout, ...], Field(min_length=1)]
    folders: tuple[Folder, ...] = ()
    root: Path | None = None
    source: str = ""
    licence: str = ""
    bibtex: str = ""
    defects: tuple[str, ...] = ()
    same_scene: SameScenes = SameScenes()
    input_score: InputScore | None = None
    generate: Generation | None = None

    @field_validator("name")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        if name in RESERVED:
            raise ValueError(f"a dataset cannot be called {name!r}: --datasets gives that word another meaning")
        return name

    @property
    def embedded(self) -> bool:
        """Whether derainbench makes the files itself."""
        return self.generate is not None


def read_card(path: Path) -> Card:
    """The card in a TOML file. :class:`UserError` says what is wrong with it, in the file's own words."""
    try:
        card = Card.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UserError(f"card {path} cannot be read ({error.strerror}); check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"card {path} is not TOML ({error}); mend it") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "card"
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise UserError(f"card {path}: {where}: {first['msg'].removeprefix('Value error, ')}{more}") from error
    if card.root is not None and not card.root.is_absolute():
        card = card.model_copy(update={"root": (path.parent / card.root).resolve()})
    return card


def all_cards(extra: Iterable[Path] = ()) -> dict[str, Card]:
    """The cards that come with derainbench and those given with ``--card``, by name. A name that is taken raises."""
    cards: dict[str, Card] = {}
    origins: dict[str, str] = {}
    shipped = sorted(
        (Path(str(f)) for f in files("derainbench.datasets").iterdir() if f.name.endswith(".toml")),
        key=lambda p: p.name,
    )
    for path in [*shipped, *extra]:
        card = read_card(path)
        if card.name in cards:
            raise UserError(f"two cards are called {card.name!r}: {origins[card.name]} and {path}; rename one")
        cards[card.name], origins[card.name] = card, str(path)
    return cards
