"""Where a card's files lie on this machine, and which datasets a user's words choose."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

from derainbench.catalogue.cards import RESERVED, SPLITS, Card, Layout, SplitName, SplitPatterns
from derainbench.catalogue.manifest import Manifest, OnFile, open_manifest
from derainbench.catalogue.pair_table import Pairs
from derainbench.catalogue.patterns import Pattern
from derainbench.catalogue.unpaired import unpaired_cards, without_ground_truth
from derainbench.errors import UserError, did_you_mean
from derainbench.images.find import image_files
from derainbench.rain.embedded import generate
from derainbench.support.cache import cache_folder
from derainbench.support.words import split_list

#: Folders, or packagings, that a message names.
_MOST_FOLDERS = 3


class Dataset:
    """A card whose files were found: in ``root``, packaged as ``layout`` says."""

    def __init__(self, card: Card, root: Path, layout: Layout) -> None:
        self.card, self.root, self.layout = card, root, layout
        # Filled when first asked for: a training split may have 600,000 files.
        self._manifests: dict[SplitName, Manifest] = {}

    @property
    def name(self) -> str:
        """The card's name."""
        return self.card.name

    @property
    def has_input(self) -> bool:
        """Whether there are rainy images beside the clean ones."""
        return True

    def manifest(self, split: SplitName, on_file: OnFile = lambda done, total: None) -> Manifest:
        """The files of a split, with hashes; ``on_file`` is told where they must be read for it, which may take long.

        :class:`UserError` where the split has no files, or where they do not pair.
        """
        if split not in self._manifests:
            patterns: SplitPatterns | None = getattr(self.layout, split)
            found = open_manifest(self.card, self.root, patterns, split, on_file) if patterns is not None else None
            if found is None or not len(found.pairs):
                expected = f": no file {patterns.rainy}" if patterns is not None else ""
                raise UserError(
                    f"dataset {self.name!r} has no {split} images in {self.root} (layout {self.layout.name!r})"
                    f"{expected}; add them or leave the dataset out"
                )
            self._manifests[split] = found
        return self._manifests[split]

    def pairs(self, split: SplitName) -> Pairs:
        """The pairs of a split, never none; errors as in :meth:`manifest`."""
        return self.manifest(split).pairs

    def digest(self, split: SplitName) -> str:
        """Hash of the split's names and contents; errors as in :meth:`manifest`."""
        return self.manifest(split).digest

    def has(self, split: SplitName) -> bool:
        """Whether some file of the split is here."""
        return has_files(self.root, self.layout, split)


def checked_root(data_root: Path | None) -> Path | None:
    """The same, if it is a folder."""
    if data_root is not None and not data_root.is_dir():
        raise UserError(f"data root {data_root} is no folder; give the folder that holds the datasets' folders")
    return data_root


def locate(card: Card, data_root: Path | None) -> Dataset | None:
    """The dataset if its files are here, otherwise None. An embedded one is made on first use.

    Of its layouts, the one with the most splits here; of several such, the first.
    """
    if card.generate is not None:
        return Dataset(card, _generated(card), card.layouts[0])
    # Rainy files without a clean one are taken as a last resort, so that the user hears what is missing.
    for whole in (True, False):
        found = [
            (sum(has_files(root, layout, split, whole) for split in SPLITS), root, layout)
            for layout in card.layouts
            for root in places(card, layout, data_root)
        ]
        splits, root, layout = max(found, key=lambda each: each[0], default=(0, None, None))
        if splits and root is not None and layout is not None:
            return Dataset(card, root, layout)
    return None


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
    wanted = [card for card in cards.values() if word in ("all", "demo", card.rain_model)]
    here = [] if word == "demo" else [locate(card, data_root) for card in wanted if not card.embedded]
    found = [dataset for dataset in here if dataset is not None]
    return found or [dataset for card in wanted if card.embedded and (dataset := locate(card, data_root)) is not None]


def _by_name(card: Card, data_root: Path | None) -> Dataset:
    dataset = locate(card, data_root)
    if dataset is None:
        roots = [str(root) for layout in card.layouts for root in places(card, layout, data_root)]
        tried = ", ".join(dict.fromkeys(roots)) or "nowhere: give --data-root"
        remedy = f"fetch it from {card.source}" if card.source else "put them there, or leave the dataset out"
        if any(layout.files for layout in card.layouts):
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


def has_files(root: Path, layout: Layout, split: SplitName, whole: bool = False) -> bool:
    """Whether some rainy file of the split is there, and, for the ``whole``, a clean one."""
    patterns: SplitPatterns | None = getattr(layout, split)
    if patterns is None:
        return False
    wanted = [patterns.rainy, patterns.clean] if whole and patterns.clean else [patterns.rainy]
    return all(Pattern(text).matches_any(root) for text in wanted)


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
