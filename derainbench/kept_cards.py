"""Cards that a user adds: checked against the files, then kept where every command finds them."""

from __future__ import annotations

import json
import re
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from derainbench.atomic import write_atomic
from derainbench.cards import Card, SplitName, SplitPatterns, all_cards, kept_cards_folder, read_card
from derainbench.errors import UserError
from derainbench.locate import Dataset, locate, places


class Added(NamedTuple):
    """A card that was added, where it is kept, and its files, if they are here."""

    card: Card
    path: Path
    dataset: Dataset | None


def add_card(file: Path, data_root: Path | None) -> Added:
    """Check a card, and its files where a data root or the card says where they are; keep it.

    :class:`UserError` with all that is wrong: keys and values, a name that is taken, patterns that match no file,
    files without a partner. Then nothing is kept.
    """
    card = read_card(file)
    path = kept_cards_folder() / f"{card.name}.toml"
    if path.exists():
        raise UserError(f"a card {card.name!r} was added before; delete {path} to replace it")
    if card.name in all_cards():
        raise UserError(f"card {file}: name: derainbench has a dataset called {card.name!r}; choose another name")
    dataset = locate(card, data_root)
    if dataset is None and (card.root is not None or data_root is not None):
        raise UserError(f"card {file}: {_nothing_found(card, data_root)}")
    if dataset is not None:
        for split in splits(dataset):
            dataset.pairs(split)
    write_atomic(path, _with_absolute_root(file, card).encode())
    return Added(card, path, dataset)


def splits(dataset: Dataset) -> list[SplitName]:
    """The splits that have files here."""
    both: tuple[SplitName, ...] = ("train", "test")
    return [split for split in both if dataset.has(split)]


def _nothing_found(card: Card, data_root: Path | None) -> str:
    patterns: list[SplitPatterns] = [
        split for layout in card.layouts for split in (layout.train, layout.test) if split is not None
    ]
    roots = list(dict.fromkeys(root for layout in card.layouts for root in places(card, layout, data_root)))
    there = [root for root in roots if root.is_dir()]
    if not there:
        return f"none of its folders is there ({', '.join(map(str, roots))}); mend folders or root, or give --data-root"
    examples = sorted(str(path.relative_to(there[0])) for path in islice(there[0].rglob("*.*"), 3))
    return (
        f"no layout matches a file in {there[0]}: expected {' or '.join(p.rainy for p in patterns)}; "
        f"there is {', '.join(examples) or 'nothing'}"
    )


def _with_absolute_root(file: Path, card: Card) -> str:
    """The card's own text; a ``root`` that is relative to the file's place would mean another one elsewhere."""
    text = file.read_text(encoding="utf-8")
    if card.root is None:
        return text
    return re.sub(r"(?m)^root\s*=.*$", lambda _: f"root = {json.dumps(str(card.root))}", text, count=1)
