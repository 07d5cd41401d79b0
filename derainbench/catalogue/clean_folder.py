"""A folder of ground truths without a card: what restored images can be scored against where nobody has the input."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from derainbench.catalogue.cards import Card, Layout, SplitPatterns
from derainbench.catalogue.locate import Dataset
from derainbench.catalogue.patterns import Pattern
from derainbench.errors import UserError
from derainbench.images.find import image_files


class CleanFolder(Dataset):
    """The images of a folder as a test split whose rainy images are not there; the clean ones stand in their places.

    Its name is the folder's own. :class:`UserError` where the folder has no images, or has them in folders below.
    """

    def __init__(self, folder: Path) -> None:
        patterns = _patterns(folder)
        # Not checked as a card's: of a set with both images, one pattern for both would be a mistake.
        layout = Layout.model_construct(
            name="clean images alone", test=patterns, train=None, folders=(), unconfirmed=""
        )
        root = folder.resolve()
        title = root.name if root.name.isprintable() and root.name else "clean images"
        said: dict[str, Any] = {n: field.get_default() for n, field in Card.model_fields.items()}
        said |= {"name": f"clean-{_word(title)}", "title": title, "layouts": (layout,)}
        said |= {"rain_model": "unknown", "kind": "unknown"}  # as of no card: nobody says either
        super().__init__(Card.model_construct(**said), root, layout)

    @property
    def has_input(self) -> bool:
        """No: only the ground truth is there."""
        return False


def _patterns(folder: Path) -> SplitPatterns:
    if not folder.is_dir():
        raise UserError(f"--clean {folder} is no folder; give the one with the ground truth")
    files = image_files(folder)
    deeper = next((path for path in files if path.parent != folder), None)
    if not files or deeper is not None:
        what = f"has images in folders below, such as {deeper}" if deeper else "has no image files"
        raise UserError(f"--clean {folder} {what}; give the folder that holds the ground truth itself")
    text = _by_numbers([path.stem for path in files]) or "{image}.*"
    return SplitPatterns.model_construct(rainy=text, clean=text, side_by_side="", layers={})


def _by_numbers(stems: list[str]) -> str:
    """Names that are alike but for their numbers, as a pattern with those that differ for fields; empty for others."""
    parts = [re.split("([0-9]+)", stem) for stem in stems]
    if len({tuple(each[::2]) for each in parts}) > 1:
        return ""
    columns = list(zip(*parts, strict=True))
    differing = [place for place in range(1, len(columns), 2) if len(set(columns[place])) > 1]
    names = ["id"] if len(differing) == 1 else [f"id{number}" for number in range(1, len(differing) + 1)]
    text = list(parts[0])
    for name, place in zip(names, differing, strict=True):
        text[place] = f"{{{name}:d}}"
    pattern = "".join(text) + ".*"
    try:
        Pattern(pattern)
    except ValueError:  # no number differs, or letters that mean something in a pattern
        return ""
    return pattern


def _word(title: str) -> str:
    """A title as a part of a dataset's name."""
    word = re.sub(r"[^A-Za-z0-9._-]+", "-", title)[:60]
    return word if word == title else f"{word}-{hashlib.sha256(title.encode(errors='replace')).hexdigest()[:6]}"
