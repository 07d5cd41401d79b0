"""Which rainy file belongs to which clean one: paired by key, never by order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from derainbench.atomic import file_hash
from derainbench.cards import SplitPatterns, without_zeros
from derainbench.errors import UserError
from derainbench.patterns import Pattern


@dataclass(frozen=True)
class Pair:
    """The files of one rainy image. ``image`` names it within its split, ``scene`` the clean image it shows."""

    image: str
    scene: str
    rainy: Path
    clean: Path
    layers: dict[str, Path] = field(default_factory=dict)


def find_pairs(root: Path, patterns: SplitPatterns, same_scene: Sequence[Sequence[str]] = ()) -> list[Pair]:
    """All pairs of a split, sorted by path; empty where no rainy file matches.

    Several rainy files may share a clean one. Clean files that ``same_scene`` names in one group are one scene, the
    group's first. A rainy file without a partner, or with two, is a :class:`UserError` that names the files.
    """
    rainy_pattern = Pattern(patterns.rainy)
    rainy_files = list(rainy_pattern.find(root))
    partners = (
        {
            name: _Partners(root, text, rainy_pattern)
            for name, text in {"clean": patterns.clean, **patterns.layers}.items()
        }
        if rainy_files
        else {}
    )
    known_as = {without_zeros(name): group[0] for group in same_scene for name in group}
    pairs = []
    for path, fields in rainy_files:
        files = {name: partner.of(path, fields) for name, partner in partners.items()}
        clean = files.pop("clean")
        image = "-".join(fields[name] for name in rainy_pattern.fields)
        scene = fields.get("scene") or partners["clean"].name(fields)
        pairs.append(Pair(image, known_as.get(without_zeros(scene), scene), path, clean, files))
    _check_names(pairs)
    return pairs


class _Partners:
    """The files of one kind (clean, depth), to be found by the fields they share with a rainy file."""

    def __init__(self, root: Path, text: str, rainy: Pattern) -> None:
        self._root, self._pattern = root, Pattern(text)
        self._shared = tuple(name for name in self._pattern.fields if name in rainy.fields)
        self._files: dict[tuple[str | int, ...], list[Path]] = {}
        for path, fields in self._pattern.find(root):
            self._files.setdefault(self._pattern.key(fields, self._shared), []).append(path)

    def name(self, fields: dict[str, str]) -> str:
        """What tells this file from others of its kind."""
        return "-".join(str(value) for value in self._pattern.key(fields, self._shared))

    def of(self, rainy: Path, fields: dict[str, str]) -> Path:
        found = self._files.get(self._pattern.key(fields, self._shared), [])
        if not found:
            raise UserError(
                f"{rainy} has no partner: no file {self._pattern.text} with "
                + ", ".join(f"{name}={fields[name]}" for name in self._shared)
                + f" in {self._root}; restore it or remove the rainy file"
            )
        if len(found) > 1:
            raise UserError(f"{rainy} has two partners: {found[0]} and {found[1]}; remove one")
        return found[0]


def _check_names(pairs: Sequence[Pair]) -> None:
    seen: dict[str, Path] = {}
    for pair in pairs:
        if pair.image in seen:
            raise UserError(f"{seen[pair.image]} and {pair.rainy} are both called {pair.image!r}; rename one")
        seen[pair.image] = pair.rainy


def manifest_digest(pairs: Sequence[Pair], root: Path) -> str:
    """Hash of a split's names, its files' contents, and which belong together.

    Two results on one dataset's name can be told apart by it, also where only the card's patterns were corrected.
    """
    contents: dict[Path, str] = {}  # several rainy files may share a clean one: read it once
    rows = []
    for pair in pairs:
        row = [pair.image, pair.scene]
        for role, path in (("rainy", pair.rainy), ("clean", pair.clean), *sorted(pair.layers.items())):
            if path not in contents:
                contents[path] = file_hash(path)
            row += [role, path.relative_to(root).as_posix(), contents[path]]
        rows.append(row)
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
