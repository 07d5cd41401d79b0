"""A row of a comparison whose images lie in a folder: what it is called, and what its user says of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from derainbench.errors import UserError
from derainbench.plugins.method import Paper
from derainbench.plugins.names import IMAGES, UNKNOWN

_NAME = re.compile(r"\w[\w.+-]*")
_OPTIONS = ("folder", "name", "pattern")
_LONGEST, _LONGEST_TITLE = 100, 200  # bytes of a name, characters of a title


@dataclass(frozen=True)
class Row:
    """Restored images in ``folder``, and what is known of who made them; None or ``unknown`` where nobody says.

    ``label`` is the row's own name, ``pattern`` says which file is of which pair
    (:mod:`derainbench.catalogue.patterns`), empty where the names are to tell. ``trained_on`` is a card's name, or any
    other word.
    """

    label: str
    folder: Path
    pattern: str = ""
    title: str = ""
    paper: Paper | None = None
    parameters: int | None = None
    trained_on: str = UNKNOWN

    def __post_init__(self) -> None:
        if not _is_name(self.label):
            raise UserError(
                f"a row cannot be called {self.label!r}: its name is part of a folder's, so give at most {_LONGEST} "
                "letters, digits, . + - _ that begin with a letter or digit, and what readers should see with --title"
            )
        if not _is_name(self.trained_on):
            raise UserError(
                f"--trained-on {self.trained_on!r}: give a card's name, or one word of letters, digits, . + - _"
            )
        if not self.title.isprintable() or len(self.title) > _LONGEST_TITLE:
            raise UserError(f"--title {self.title[:40]!r}: give one line of at most {_LONGEST_TITLE} characters")
        if self.parameters is not None and not 0 < self.parameters < 10**15:
            raise UserError(f"--parameters {self.parameters}: give a whole number above 0, or leave it out if unknown")

    @property
    def name(self) -> str:
        """By which runs and tables know it: beside methods, and never one of theirs."""
        return f"{IMAGES}[name={self.label}]"

    @property
    def shown(self) -> str:
        """What readers see."""
        return self.title or self.label


def _is_name(text: str) -> bool:
    """Whether a text can be a part of a folder's name on every disk."""
    return _NAME.fullmatch(text) is not None and len(text.encode()) <= _LONGEST


def is_row(word: str) -> bool:
    """Whether a word of ``--methods`` means images in a folder."""
    return re.match(rf"{IMAGES}\s*(\[|$)", word.strip()) is not None


def row_of(word: str) -> Row:
    """``images[folder=PATH,name=NAME,pattern=PATTERN]`` as a row; the name is the folder's own where none is given."""
    form = f"{IMAGES}[folder=PATH], with name=NAME or pattern=PATTERN behind a comma"
    match = re.fullmatch(rf"{IMAGES}\s*\[(.*)\]", word.strip(), re.DOTALL)
    if match is None:
        raise UserError(f"{word!r} does not say where the images are; write {form}")
    given: dict[str, str] = {}
    for item in match[1].split(","):
        option, equals, value = (part.strip() for part in item.partition("="))
        if not equals or not value or option not in _OPTIONS or option in given:
            raise UserError(
                f"{word!r}: {item.strip()!r} is not what stands there; write {form} (a path with commas or brackets: "
                "derainbench score NAME=FOLDER)"
            )
        given[option] = value
    if "folder" not in given:
        raise UserError(f"{word!r} does not say where the images are; write {form}")
    folder = Path(given["folder"]).expanduser()
    label = given.get("name", folder.resolve().name)
    if "name" not in given and not _is_name(label):
        raise UserError(
            f"{word!r}: a row cannot be called {label!r}; add a name of letters, digits, . + - _: name=NAME"
        )
    return Row(label, folder, given.get("pattern", ""))


def named_row(word: str) -> tuple[str, Path]:
    """``NAME=FOLDER`` taken apart. :class:`UserError` where it does not follow that form."""
    label, equals, folder = word.partition("=")
    if not equals or not label or not folder:
        raise UserError(
            f"{word!r}: give NAME=FOLDER, the row's name and where its images are, as in mine=results/Rain100L"
        )
    return label, Path(folder).expanduser()
