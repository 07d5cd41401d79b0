"""A card whose files were found: its splits, their manifests and pairs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from derainbench.catalogue.cards import SPLITS, Card, Layout, SplitName, SplitPatterns
from derainbench.catalogue.manifest import Manifest, OnFile, open_manifest
from derainbench.catalogue.pair_table import Pairs
from derainbench.catalogue.patterns import Pattern
from derainbench.errors import UserError


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
                expected = f": no file {patterns.rainy}{_in_its_list(patterns)}" if patterns is not None else ""
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

    @property
    def parts(self) -> tuple[Dataset, ...]:
        """The datasets that it is made of: itself, but for a union."""
        return (self,)

    def has(self, split: SplitName) -> bool:
        """Whether some file of the split is here."""
        return has_files(self.root, self.layout, split)


def best_packed(places: Iterable[tuple[Path, Layout]]) -> tuple[Path, Layout] | None:
    """Of folders and packagings the one with the most splits there, of those the one with the most layers, of those the
    first; or None.

    Rainy files without a clean one, without a layer or without their list, are taken as a last resort, so that the user
    hears what is missing.
    """
    tried = list(places)
    for whole in (True, False):
        found = [_found(root, layout, whole) for root, layout in tried]
        if any(found):
            # layers are what a packaging has more than another
            sizes = [(len(splits), sum(len(patterns.layers) for patterns in splits)) for splits in found]
            return tried[sizes.index(max(sizes))]
    return None


def _found(root: Path, layout: Layout, whole: bool) -> list[SplitPatterns]:
    """The patterns of the splits that are there."""
    return [getattr(layout, split) for split in SPLITS if has_files(root, layout, split, whole)]


def has_files(root: Path, layout: Layout, split: SplitName, whole: bool = False) -> bool:
    """Whether some rainy file of the split is there, and, for the ``whole``, a clean one, one of each layer and the
    split's list."""
    patterns: SplitPatterns | None = getattr(layout, split)
    if patterns is None:
        return False
    if whole and patterns.listed_in and not (root / patterns.listed_in).is_file():
        return False
    wanted = [patterns.rainy, *patterns.partners.values()] if whole else [patterns.rainy]
    return all(Pattern(text).matches_any(root) for text in wanted)


def _in_its_list(patterns: SplitPatterns) -> str:
    return f" that {patterns.listed_in} names" if patterns.listed_in else ""
