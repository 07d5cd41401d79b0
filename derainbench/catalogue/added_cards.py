"""Cards that a user adds: checked against the files, then kept where every command finds them."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import NamedTuple

from derainbench.catalogue.cards import SPLITS, Card, SplitName, SplitPatterns, all_cards, kept_cards_folder, read_card
from derainbench.catalogue.locate import Dataset, locate, places
from derainbench.catalogue.pairing import Matched, match_files
from derainbench.catalogue.unpaired import unpaired_cards
from derainbench.errors import UserError, did_you_mean
from derainbench.support.atomic import write_atomic

_SHOWN = 3  # problems of a split that an error names


class AddedCard(NamedTuple):
    """A card that was added, where it is kept, its files, if they are here, and how those of each split pair."""

    card: Card
    path: Path
    dataset: Dataset | None
    pairs: dict[SplitName, Matched]


def add_card(file: Path, data_root: Path | None) -> AddedCard:
    """Check a card, and its files where a data root or the card says where they are; keep it, in place of its like.

    :class:`UserError` with all that is wrong: keys and values, a name that is taken, patterns that match no file,
    files without a partner. Then nothing is kept. Images are not opened.
    """
    card = read_card(file)
    path = kept_cards_folder() / f"{card.name}.json"
    if not path.exists() and card.name in {*all_cards(), *unpaired_cards()}:
        raise UserError(f"card {file}: name: derainbench has a dataset called {card.name!r}; choose another name")
    if card.union is not None:
        _check_members(file, card)
        write_atomic(path, _as_json(file, card))
        return AddedCard(card, path, None, {})
    dataset = locate(card, data_root)
    if dataset is None and (card.root is not None or data_root is not None):
        raise UserError(f"card {file}: {_nothing_found(card, data_root)}")
    pairs = {split: _match(dataset, split) for split in splits(dataset)} if dataset is not None else {}
    if problems := [_problems(split, matched) for split, matched in pairs.items() if matched.problems]:
        raise UserError(f"card {file}: {'; '.join(problems)}")
    write_atomic(path, _as_json(file, card))
    return AddedCard(card, path, dataset, pairs)


def _check_members(file: Path, card: Card) -> None:
    """:class:`UserError` where a member of a union has no card, or is a union itself."""
    assert card.union is not None
    known = all_cards()
    for name in card.union.members:
        if name not in known:
            raise UserError(f"card {file}: union.members: no card is called {name!r}; {did_you_mean(name, [*known])}")
        if known[name].union is not None:
            raise UserError(f"card {file}: union.members: {name!r} is a union; name its members instead")


def splits(dataset: Dataset) -> list[SplitName]:
    """The splits that have files here."""
    return [split for split in SPLITS if dataset.has(split)]


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


def _match(dataset: Dataset, split: SplitName) -> Matched:
    patterns: SplitPatterns = getattr(dataset.layout, split)
    return match_files(dataset.root, patterns, getattr(dataset.card.same_scene, split))


def _problems(split: SplitName, matched: Matched) -> str:
    """The first problems of a split, and how many there are."""
    messages = [problem.message for problem in matched.problems]
    more = f"; and {len(messages) - _SHOWN} more" if len(messages) > _SHOWN else ""
    return f"{split}: {len(messages)} problem{'s' * (len(messages) > 1)}: {'; '.join(messages[:_SHOWN])}{more}"


def _as_json(file: Path, card: Card) -> bytes:
    """The card as it is kept. JSON, not its own text: a relative ``root`` would mean another folder elsewhere."""
    try:
        data = card.model_dump_json(indent=2).encode()
        same = Card.model_validate_json(data) == card
    except ValueError:  # such as a folder whose name is no Unicode
        same = False
    if not same:
        raise UserError(f"card {file} cannot be kept: its texts or its root are not plain Unicode; use --card instead")
    return data
