"""Where a card's files lie on this machine, and which datasets a user's words choose."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from platformdirs import user_cache_path

from derainbench.cards import RESERVED, Card, Layout, SplitName, SplitPatterns
from derainbench.embedded import generate
from derainbench.errors import UserError, did_you_mean
from derainbench.names import split_list
from derainbench.pairing import Pair, find_pairs, manifest_digest
from derainbench.patterns import Pattern


def cache_folder() -> Path:
    """Where generated datasets and fetched weights are kept: ``DERAINBENCH_CACHE``, or the system's place for it."""
    return Path(os.environ.get("DERAINBENCH_CACHE") or user_cache_path("derainbench"))


class Dataset:
    """A card whose files were found: in ``root``, packaged as ``layout`` says."""

    def __init__(self, card: Card, root: Path, layout: Layout) -> None:
        self.card, self.root, self.layout = card, root, layout
        # Filled when first asked for: a training split may have 600,000 files.
        self._pairs: dict[SplitName, list[Pair]] = {}
        self._digests: dict[SplitName, str] = {}

    @property
    def name(self) -> str:
        """The card's name."""
        return self.card.name

    def pairs(self, split: SplitName) -> list[Pair]:
        """The pairs of a split, never none: :class:`UserError` where the split has no files."""
        if split not in self._pairs:
            patterns: SplitPatterns | None = getattr(self.layout, split)
            same = getattr(self.card.same_scene, split)
            pairs = find_pairs(self.root, patterns, same) if patterns is not None else []
            if not pairs:
                expected = f": no file {patterns.rainy}" if patterns is not None else ""
                raise UserError(
                    f"dataset {self.name!r} has no {split} images in {self.root} (layout {self.layout.name!r})"
                    f"{expected}; add them or leave the dataset out"
                )
            self._pairs[split] = pairs
        return self._pairs[split]

    def has(self, split: SplitName) -> bool:
        """Whether some file of the split is here."""
        return _has_files(self.root, self.layout, split)

    def digest(self, split: SplitName) -> str:
        """Hash of the split's names and contents."""
        if split not in self._digests:
            self._digests[split] = manifest_digest(self.pairs(split), self.root)
        return self._digests[split]


def locate(card: Card, data_root: Path | None) -> Dataset | None:
    """The dataset if its files are here, otherwise None. An embedded one is made on first use."""
    if card.generate is not None:
        return Dataset(card, _generated(card), card.layouts[0])
    # Rainy files without a clean one are taken as a last resort, so that the user hears what is missing.
    for roles in (("rainy", "clean"), ("rainy",)):
        for layout in card.layouts:
            for root in _candidates(card, layout, data_root):
                if any(_has_files(root, layout, split, roles) for split in ("train", "test")):
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
        elif word in cards:
            found = [_by_name(cards[word], data_root)]
        else:
            raise UserError(f"no dataset is called {word!r}; {did_you_mean(word, [*cards, *RESERVED])}")
        chosen.update((dataset.name, dataset) for dataset in found)
    if not chosen:
        raise UserError("no dataset is chosen; give --datasets a card's name, a rain model, demo or all")
    return list(chosen.values())


def _group(word: str, cards: dict[str, Card], data_root: Path | None) -> list[Dataset]:
    wanted = [card for card in cards.values() if word in ("all", "demo", card.rain_model)]
    here = [] if word == "demo" else [locate(card, data_root) for card in wanted if not card.embedded]
    found = [dataset for dataset in here if dataset is not None]
    return found or [dataset for card in wanted if card.embedded and (dataset := locate(card, data_root)) is not None]


def _by_name(card: Card, data_root: Path | None) -> Dataset:
    dataset = locate(card, data_root)
    if dataset is None:
        roots = [str(root) for layout in card.layouts for root in _candidates(card, layout, data_root)]
        tried = ", ".join(dict.fromkeys(roots)) or "nowhere: give --data-root"
        remedy = f"fetch it from {card.source}" if card.source else "put them there, or leave the dataset out"
        raise UserError(f"the files of dataset {card.name!r} are not here (looked in {tried}); {remedy}")
    return dataset


def _candidates(card: Card, layout: Layout, data_root: Path | None) -> Sequence[Path]:
    if card.root is not None:
        return [card.root]
    names = layout.folders or dict.fromkeys((*card.folders, card.name))
    return [data_root / name for name in names] if data_root else []


def _has_files(root: Path, layout: Layout, split: SplitName, roles: Sequence[str] = ("rainy",)) -> bool:
    patterns = getattr(layout, split)
    return patterns is not None and all(Pattern(getattr(patterns, role)).matches_any(root) for role in roles)


def _generated(card: Card) -> Path:
    assert card.generate is not None
    # The folder's name carries what the files are made from, so that a changed card never meets old files.
    spec = hashlib.sha256(card.generate.model_dump_json().encode()).hexdigest()[:12]
    folder = cache_folder() / "datasets" / f"{card.name}-r{card.revision}-{spec}"
    if not folder.is_dir():
        generate(card.generate, folder)
    return folder
