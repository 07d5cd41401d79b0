"""Where a card's files lie on this machine, and which datasets a user's words choose."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

from derainbench.catalogue.cards import RESERVED, Card, Layout
from derainbench.catalogue.dataset import Dataset, best_packed
from derainbench.catalogue.union import UnionDataset
from derainbench.catalogue.unpaired import unpaired_cards, without_ground_truth
from derainbench.errors import UserError, did_you_mean
from derainbench.images.find import image_files
from derainbench.rain.embedded import generate
from derainbench.support.cache import cache_folder
from derainbench.support.words import listed, split_list

__all__ = ["Dataset", "card_named", "checked_root", "locate", "places", "same_files", "select"]

#: Folders, or packagings, that a message names.
_MOST_FOLDERS = 3


def checked_root(data_root: Path | None) -> Path | None:
    """The same, if it is a folder."""
    if data_root is not None and not data_root.is_dir():
        raise UserError(f"data root {data_root} is no folder; give the folder that holds the datasets' folders")
    return data_root


def locate(card: Card, data_root: Path | None) -> Dataset | None:
    """The dataset if its files are here, otherwise None. An embedded one is made on first use.

    Of its layouts, the one with the most splits here; of several such, the one with the most layers; of several such,
    the first. A union is here where the training images of all its members are.
    """
    if card.generate is not None:
        return Dataset(card, _generated(card), card.layouts[0])
    if card.union is not None:
        return _union(card, data_root)
    found = best_packed((root, layout) for layout in card.layouts for root in places(card, layout, data_root))
    return None if found is None else Dataset(card, *found)


def _union(card: Card, data_root: Path | None) -> UnionDataset | None:
    assert card.union is not None
    found = [None if each is None else locate(each, data_root) for each in card.union.plain]
    members = [each for each in found if each is not None and each.has("train")]
    return UnionDataset(card, members) if len(members) == len(found) else None


def _lacking(card: Card, data_root: Path | None) -> str:
    """Why a union is not here, in one line with the remedy."""
    assert card.union is not None
    for name in card.union.members:
        member = card.union.cards.get(name)
        if member is None:
            hint = "give its card with --card, or add it with 'derainbench datasets add'"
            return f"dataset {card.name!r} is made of {card.union.told()}, and no card is called {name!r}; {hint}"
        if member.union is not None:
            return f"dataset {card.name!r} has the union {name!r} as a member; name that one's members instead"
    away = []
    for name in card.union.members:
        here = locate(card.union.cards[name], data_root)
        if here is None or not here.has("train"):
            away.append(name)
    source = card.union.cards[away[0]].source
    remedy = f"fetch {away[0]} from {source}" if source else f"put the training images of {away[0]} there"
    where = f"in {data_root}" if data_root else "here: give --data-root"
    lacks = f"the training images of {listed(away)} are not {where}"
    return f"dataset {card.name!r} is made of {card.union.told()}, and {lacks}; {remedy}"


def select(words: str, cards: dict[str, Card], data_root: Path | None) -> list[Dataset]:
    """The datasets that ``--datasets`` asks for: card names, a rain model, ``demo`` (the embedded ones), or ``all``.

    ``all`` and the rain models mean every card whose files are here, and the embedded ones where none is. A card asked
    for by name must be here.
    """
    chosen: dict[str, Dataset] = {}
    for word in split_list(words):
        if word in RESERVED:
            found = _group(word, cards, data_root)
        else:
            found = [_by_name(card_named(word, cards, RESERVED), data_root)]
        chosen.update((dataset.name, dataset) for dataset in found)
    if not chosen:
        raise UserError("no dataset is chosen; give --datasets a card's name, a rain model, demo or all")
    return list(chosen.values())


def card_named(word: str, cards: Mapping[str, Card], others: Sequence[str] = ()) -> Card:
    """The card of that name or title, in any case; :class:`UserError` with what may be meant, ``others`` included."""
    if word in cards:
        return cards[word]
    if word.casefold() in unpaired_cards():
        raise UserError(without_ground_truth(word.casefold()))
    alike = {name: {text.casefold() for text in (name, card.title)} for name, card in cards.items()}
    found = [name for name, texts in alike.items() if word.casefold() in texts]
    if len(found) == 1:
        return cards[found[0]]
    folders = {name: {folder.casefold() for folder in card.folders} for name, card in cards.items()}
    meant = [name for name, texts in folders.items() if word.casefold() in texts]
    hint = f"{' or '.join(meant)} goes by it" if meant else did_you_mean(word.casefold(), [*cards, *others])
    raise UserError(f"no dataset is called {word!r}; {hint}")


def _group(word: str, cards: dict[str, Card], data_root: Path | None) -> list[Dataset]:
    # A union is meant by its name alone: its members stand for themselves.
    plain = [card for card in cards.values() if card.union is None]
    wanted = [card for card in plain if word in ("all", "demo", card.rain_model)]
    here = [] if word == "demo" else [locate(card, data_root) for card in wanted if not card.embedded]
    found = [dataset for dataset in here if dataset is not None]
    return found or [dataset for card in wanted if card.embedded and (dataset := locate(card, data_root)) is not None]


def _by_name(card: Card, data_root: Path | None) -> Dataset:
    dataset = locate(card, data_root)
    if dataset is None and card.union is not None:
        raise UserError(_lacking(card, data_root))
    if dataset is None:
        roots = [str(root) for layout in card.layouts for root in places(card, layout, data_root)]
        tried = ", ".join(dict.fromkeys(roots)) or "nowhere: give --data-root"
        remedy = f"fetch it from {card.source}" if card.source else "put them there, or leave the dataset out"
        if card.fetchable:
            remedy = f"derainbench datasets fetch {card.name}; or {remedy}"
        near = _elsewhere(card, data_root)
        if near is not None:
            remedy = f"give --data-root {near}"
        elif (other := _otherwise_packed(card, data_root)) is not None:
            raise UserError(other)
        raise UserError(f"the files of dataset {card.name!r} are not here (looked in {tried}); {remedy}")
    return dataset


def _elsewhere(card: Card, data_root: Path | None) -> Path | None:
    """A data root beside the given one, a level up or down, that has the files."""
    if data_root is None:
        return None
    root = data_root.absolute()
    below = (folder for folder in sorted(root.iterdir()) if folder.is_dir())
    return next((folder for folder in (root.parent, *islice(below, 1000)) if locate(card, folder)), None)


def _otherwise_packed(card: Card, data_root: Path | None) -> str | None:
    """What lies in a folder of the dataset's name that is packed as no layout says, and what is missing for one."""
    wanted: dict[Path, dict[str, None]] = {}
    for layout in card.layouts:
        for root in places(card, layout, data_root):
            if root.is_dir() and (data_root is None or not root.samefile(data_root)):
                missing = [f for f in _test_folders(layout) if not (root / f).is_dir()]
                wanted.setdefault(root, {})[" and ".join(f"{f}/" for f in missing) or f"files {_names(layout)}"] = None
    for root, missing_of in wanted.items():
        found = Counter(path.relative_to(root).parent.as_posix() for path in image_files(root))
        if found:
            several = [f"{number:,} in {folder}/" for folder, number in found.most_common(_MOST_FOLDERS)]
            more = f" and {len(found) - _MOST_FOLDERS} folders more" if len(found) > _MOST_FOLDERS else ""
            there = "" if {*found} == {"."} else f" ({', '.join(several).replace('./', 'itself')}{more})"
            lacking = "; or ".join(list(missing_of)[:_MOST_FOLDERS])
            return (
                f"the files of dataset {card.name!r} are not packed as its card knows: {root} has "
                f"{found.total():,} images{there}, and lacks {lacking}; rename its folders, or describe it with "
                f"a card of your own: 'derainbench datasets show {card.name}' lists every packaging that is known"
            )
    return None


def _test_folders(layout: Layout) -> list[str]:
    """The folders in which a layout has test images, or training images if it has no others, where they have names."""
    patterns = layout.test or layout.train
    texts = [] if patterns is None else [patterns.rainy, *([patterns.clean] if patterns.clean else [])]
    folders = (text.rpartition("/")[0] for text in texts)
    return list(dict.fromkeys(folder for folder in folders if folder and not set(folder) & set("{*")))


def _names(layout: Layout) -> str:
    patterns = layout.test or layout.train
    return "" if patterns is None else f"{patterns.rainy} with {patterns.clean}" if patterns.clean else patterns.rainy


def places(card: Card, layout: Layout, data_root: Path | None) -> Sequence[Path]:
    """The folders in which a layout is looked for."""
    if card.root is not None:
        return [card.root]
    names = layout.folders or dict.fromkeys((*card.folders, card.name))
    return [data_root / name for name in names] if data_root else []


def _generated(card: Card) -> Path:
    assert card.generate is not None
    # The folder's name carries what the files are made from, so that a changed card never meets old files.
    spec = hashlib.sha256(card.generate.model_dump_json().encode()).hexdigest()[:12]
    folder = cache_folder() / "datasets" / f"{card.name}-r{card.revision}-{spec}"
    generate(card.generate, folder)  # where it is not there already
    return folder


def same_files(cards: Iterable[Path], data_root: Path | None) -> list[str]:
    """The words that let another command find the same datasets."""
    words = [word for path in cards for word in ("--card", str(path))]
    return words + (["--data-root", str(data_root)] if data_root is not None else [])
