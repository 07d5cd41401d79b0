"""Which rainy file belongs to which clean one: paired by key, never by order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from derainbench.catalogue.cards import SplitPatterns, without_zeros
from derainbench.catalogue.list_file import listed
from derainbench.catalogue.patterns import Pattern, Values
from derainbench.images.decode import Half, Source


@dataclass(frozen=True)
class Pair:
    """The files of one rainy image. ``image`` names it within its split, ``scene`` the clean image it shows."""

    image: str
    scene: str
    rainy: Source
    clean: Source
    layers: dict[str, Path] = field(default_factory=dict)


class FileRow(NamedTuple):
    """A pair as text: its files in the order of :attr:`Matched.roles`, as paths below the dataset's folder."""

    image: str
    scene: str
    files: tuple[str, ...]


class Problem(NamedTuple):
    """What is wrong with some files: a kind that does not change, the files, and one line with the remedy."""

    kind: str
    files: tuple[Path, ...]
    message: str


@dataclass(frozen=True)
class Matched:
    """What a split's patterns found below ``root``.

    ``orphans`` are clean files and layers that no rainy file needs; ``folders`` all that were looked into, relative.
    """

    root: Path
    patterns: SplitPatterns
    rows: list[FileRow]
    problems: list[Problem]
    orphans: list[Path]
    folders: list[str]

    @property
    def roles(self) -> tuple[str, ...]:
        """What the files of a row are: ``rainy``, ``clean`` and the layers; of side-by-side files only the one."""
        return ("rainy", *self.patterns.partners)

    def pair(self, row: FileRow) -> Pair:
        """A row with its paths."""
        return make_pair(self.root, self.patterns.side_by_side, row.image, row.scene, self.roles, row.files)


def make_pair(
    root: Path, side_by_side: str, image: str, scene: str, roles: Sequence[str], files: Sequence[str]
) -> Pair:
    """The pair of some files below ``root``, by their roles; ``side_by_side`` as in :class:`SplitPatterns`."""
    paths = {role: root / name for role, name in zip(roles, files, strict=True)}
    rainy = paths.pop("rainy")
    if side_by_side:
        left, right = Half(rainy, "left"), Half(rainy, "right")
        return Pair(image, scene, *((left, right) if side_by_side == "rainy|clean" else (right, left)), paths)
    return Pair(image, scene, rainy, paths.pop("clean"), paths)


def match_files(root: Path, patterns: SplitPatterns, same_scene: Sequence[Sequence[str]] = ()) -> Matched:
    """All pairs of a split, sorted by path; none where no rainy file matches.

    Several rainy files may share a clean one. Clean files that ``same_scene`` names in one group are one scene, the
    group's first. A rainy file without a partner, or with two, is a problem, and so are two of one name. Where the
    split has a list, only what that names counts, and what it names that is not here is a problem;
    :class:`UserError` where there is no such list.
    """
    folders: set[str] = set()
    rainy_pattern = Pattern(patterns.rainy)
    rainy_files = rainy_pattern.find(root, folders)
    partners = {
        role: _Partners(root, text, rainy_pattern, folders) if rainy_files else None
        for role, text in patterns.partners.items()
    }
    known_as = {without_zeros(name): group[0] for group in same_scene for name in group}
    found = [[partner.of(*each) for partner in partners.values() if partner is not None] for each in rainy_files]
    clean = partners.get("clean")
    scenes = []
    for _, values in rainy_files:
        fields = dict(zip(rainy_pattern.fields, values, strict=True))
        scenes.append(fields.get("scene") or (clean.name(values) if clean else "-".join(filter(None, values))))
    chosen, problems = _listed(root, patterns, rainy_files, found, scenes)
    rows: list[FileRow] = []
    named: dict[str, str] = {}
    for place in chosen:
        (path, values), scene = rainy_files[place], scenes[place]
        problems += [each for each in found[place] if isinstance(each, Problem)]
        image = "-".join(filter(None, values))
        # Some disks take Rain-1 and rain-1, and the two spellings of an accent, for one name; results are files too.
        # And 7 and 007 are one number.
        key = rainy_pattern.key(values, rainy_pattern.fields)
        name = "-".join(str(value) for value in key if value != "").casefold()
        if name in named:
            text = f"{root / named[name]} and {root / path} are both called {image!r}; rename one"
            problems.append(Problem("same name", (root / named[name], root / path), text))
        named.setdefault(name, path)
        if all(isinstance(each, str) for each in found[place]):
            files = (path, *(each for each in found[place] if isinstance(each, str)))
            rows.append(FileRow(image, known_as.get(without_zeros(scene), scene), files))
    orphans = [root / path for partner in partners.values() if partner for path in partner.left_over()]
    return Matched(root, patterns, rows, problems, orphans, sorted(folders))


def _listed(
    root: Path,
    patterns: SplitPatterns,
    rainy: Sequence[tuple[str, Values]],
    found: Sequence[Sequence[str | Problem]],
    scenes: Sequence[str],
) -> tuple[Sequence[int], list[Problem]]:
    """The places of the rainy files that the split's list names, in their order, and what is wrong with the list."""
    if not patterns.listed_in:
        return range(len(rainy)), []
    # The clean file is the first partner; that of side-by-side files is the same one.
    clean = [each[0] if patterns.clean and isinstance(each[0], str) else None for each in found]
    file = root / patterns.listed_in
    choice = listed(file, [path for path, _ in rainy], clean, scenes)
    return sorted(choice.chosen), [Problem("list", (file,), text) for text in choice.problems]


class _Partners:
    """The files of one kind (clean, depth), to be found by the fields they share with a rainy file."""

    def __init__(self, root: Path, text: str, rainy: Pattern, folders: set[str]) -> None:
        self._root, self._pattern, self._rainy = root, Pattern(text), rainy
        self._shared = tuple(name for name in self._pattern.fields if name in rainy.fields)
        self._files: dict[tuple[str | int, ...], list[str]] = {}
        for path, values in self._pattern.find(root, folders):
            self._files.setdefault(self._pattern.key(values, self._shared), []).append(path)
        self._needed: set[tuple[str | int, ...]] = set()

    def name(self, values: Values) -> str:
        """What tells the partner of a rainy file from others of its kind."""
        return "-".join(str(value) for value in self._rainy.key(values, self._shared) if value != "")

    def of(self, rainy: str, values: Values) -> str | Problem:
        """The partner of a rainy file."""
        key = self._rainy.key(values, self._shared)
        found = self._files.get(key, [])
        self._needed.add(key)
        path = self._root / rainy
        if not found:
            fields = dict(zip(self._rainy.fields, values, strict=True))
            text = (
                f"{path} has no partner: no file {self._pattern.text} with "
                + ", ".join(f"{name}={fields[name]}" for name in self._shared)
                + f" in {self._root}; restore it or remove the rainy file"
            )
            return Problem("no partner", (path,), text)
        if len(found) > 1:
            both = tuple(self._root / each for each in found)
            text = f"{path} has {len(both)} partners: {' and '.join(map(str, both))}; leave one"
            return Problem("several partners", (path, *both), text)
        return found[0]

    def left_over(self) -> list[str]:
        """The files that no rainy one asked for."""
        return [path for key, paths in self._files.items() if key not in self._needed for path in paths]
