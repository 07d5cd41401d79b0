"""Sets of rainy photographs without ground truth: their cards, a kind of their own, and where their files lie."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from derainbench.catalogue.cards import Folder, Number
from derainbench.errors import UserError
from derainbench.support.toml import complaints, read_toml


class OtherNumber(BaseModel):
    """Another number of photographs that is in print for the set, and what is counted there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: Annotated[Number, Field(ge=1)]
    means: str


class UnpairedCard(BaseModel):
    """The description of a set of photographs of which nobody has a clean image: nothing to score, or to train on.

    All image files below its folder are its photographs. ``folders`` are what that is called below the data root,
    beside its own name; ``rain`` is what falls in it, in words; ``images`` is their number, None where that is not
    settled. The other fields are those of :class:`.cards.Card`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
    title: str
    rain: str
    kind: Literal["real", "synthetic"] = "real"
    note: str = ""
    images: Number | None = None
    other_counts: tuple[OtherNumber, ...] = ()
    folders: tuple[Folder, ...] = ()
    source: str = ""
    licence: str = ""
    bibtex: str = ""
    defects: tuple[str, ...] = ()
    unconfirmed: tuple[str, ...] = ()

    @property
    def places(self) -> tuple[str, ...]:
        """The folders below the data root in which its files are looked for, the first that is there."""
        return tuple(dict.fromkeys((*self.folders, self.name)))


@cache
def unpaired_cards() -> Mapping[str, UnpairedCard]:
    """The cards that come with derainbench, by name."""
    folder = Path(str(files("derainbench.datasets"))) / "unpaired"
    cards = [_read(path) for path in sorted(folder.glob("*.toml"))]
    return {card.name: card for card in cards}


def _read(path: Path) -> UnpairedCard:
    try:
        return UnpairedCard.model_validate(read_toml(path, "card"))
    except ValidationError as error:
        raise UserError(f"card {path}: {complaints(UnpairedCard, error)}") from error


def folder_of(card: UnpairedCard, data_root: Path | None) -> Path | None:
    """Where the set's photographs are on this machine, or None."""
    places = [data_root / place for place in card.places] if data_root is not None else []
    return next((place for place in places if place.is_dir()), None)


def photographs_of(card: UnpairedCard, data_root: Path | None) -> Path:
    """The same; :class:`UserError` where they are not here."""
    found = folder_of(card, data_root)
    if found is None:
        looked = (
            ", ".join(str(data_root / place) for place in card.places) if data_root else "nowhere: give --data-root"
        )
        raise UserError(
            f"the photographs of {card.name} are not here (looked in {looked}); fetch them from {card.source}, or give "
            "their folder"
        )
    return found


def without_ground_truth(name: str) -> str:
    """What to tell whoever asks for scores, trainings or pairs of such a set, by its name."""
    return (
        f"{name} is a set of photographs without ground truth: nothing can be scored on it, trained on it or paired; "
        f"to restore them: derainbench derain {name} --methods METHOD,... --out FOLDER"
    )
