"""Which file of a folder is of which test pair: by the fields of a pattern, given or guessed, never by order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from derainbench.catalogue.locate import Dataset
from derainbench.catalogue.patterns import Pattern, check_text
from derainbench.errors import UserError
from derainbench.images.find import image_files
from derainbench.restored.naming import Fields, Value, candidates, fields_of
from derainbench.support.words import counted

_SHOWN = 3  # files, or patterns, that a message names


@dataclass(frozen=True)
class Paired:
    """``files`` are paths below a folder, one a test pair of the dataset; ``left_out`` are those that fit no pattern.

    ``guessed``: nobody said the pattern.
    """

    pattern: str
    guessed: bool
    files: tuple[str, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class _Match:
    """What a pattern makes of some paths: those of each pair, those that fit it and are of none, and the others."""

    pattern: str
    of_pair: list[list[str]]
    foreign: list[str]
    others: list[str]

    @property
    def whole(self) -> bool:
        return not self.foreign and all(len(files) == 1 for files in self.of_pair)

    @property
    def merit(self) -> int:
        """How many files it explains, less those that it does not."""
        return sum(bool(files) for files in self.of_pair) - len(self.foreign)


def pair_files(folder: Path, pattern: str, dataset: Dataset, wanted: Sequence[int] | None = None) -> Paired:
    """The file in ``folder`` of each test pair, or of the ``wanted`` ones by their places.

    :class:`UserError` where a pair has none or several, where files of the same naming are of no pair, and where the
    names may be read in several ways, or in none.
    """
    fields = fields_of(dataset)
    paths = _paths(folder)
    if pattern:
        found = _match(_checked(pattern, fields, dataset), paths, fields)
    else:
        found = _guess(folder, paths, fields, dataset)
    places = range(len(found.of_pair)) if wanted is None else wanted
    _check(folder, found, dataset, places, partly=wanted is not None)
    return Paired(
        found.pattern, not pattern, tuple(found.of_pair[place][0] for place in places), tuple(sorted(found.others))
    )


def _paths(folder: Path) -> list[str]:
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "is not there"
        raise UserError(f"{folder} {what}; give the folder with the restored images")
    paths = sorted(path.relative_to(folder).as_posix() for path in image_files(folder))
    if not paths:
        raise UserError(f"{folder} has no image files; give the folder with the restored images (archives unpacked)")
    for path in paths:
        check_text(path, folder)
    return paths


def _checked(text: str, fields: Fields, dataset: Dataset) -> str:
    known = ", ".join(f"{{{name}}}" for name in fields.texts)
    try:
        pattern = Pattern(text)
    except ValueError as error:
        raise UserError(f"--pattern: {error}") from error
    shared = [name for name in pattern.fields if name in fields.texts]
    if not shared:
        raise UserError(f"pattern {text!r} has none of the fields of {dataset.name}'s test pairs: {known}")
    if not fields.tell_apart(shared):
        needed = ", ".join(f"{{{name}}}" for name in fields.telling)
        raise UserError(f"pattern {text!r} does not tell the test pairs of {dataset.name} apart; that takes {needed}")
    return text


def _match(text: str, paths: Sequence[str], fields: Fields) -> _Match:
    pattern = Pattern(text)
    shared = [name for name in pattern.fields if name in fields.texts]
    where = {key: number for number, key in enumerate(fields.keys(shared))}
    found = _Match(text, [[] for _ in where], [], [])
    for path in paths:
        values = pattern.match(path)
        if values is None:
            found.others.append(path)
            continue
        texts = dict(zip(pattern.fields, values, strict=True))
        key: tuple[Value | None, ...] = tuple(fields.value(name, texts[name]) for name in shared)
        if key in where:
            found.of_pair[where[key]].append(path)
        else:
            found.foreign.append(path)
    return found


def _guess(folder: Path, paths: Sequence[str], fields: Fields, dataset: Dataset) -> _Match:
    """The pattern by which every pair has one file; the one that comes nearest where there is none.

    :class:`UserError` where several do, with different files, and no folder's name says which of them are meant.
    """
    tried = [_match(text, paths, fields) for text in candidates(paths, fields)]
    # A pattern that takes a pair's number for something else may fit by accident, but not all of the files.
    whole = [each for each in tried if each.whole]
    if not whole:
        best = max(tried, key=lambda each: each.merit, default=None)
        if best is None or not any(best.of_pair):
            pair = dataset.pairs("test")[0]
            raise UserError(
                f"{folder}: no name tells which test pair of {dataset.name} a file is of ({paths[0]}; a pair is "
                f"{Path(str(pair.rainy)).name}); give --pattern with "
                + ", ".join(f"{{{name}{':d' * (name in fields.numbers)}}}" for name in fields.telling)
            )
        return best
    different = list({tuple(map(tuple, each.of_pair)): each for each in reversed(whole)}.values())[::-1]
    if len(different) > 1:
        known_as = {name.casefold() for name in (dataset.name, dataset.card.title, *dataset.card.folders)}
        named = [each for each in different if known_as & {part.casefold() for part in each.pattern.split("/")[:-1]}]
        if len(named) != 1:
            several = " or ".join(f"{each.pattern!r} ({each.of_pair[0][0]} first)" for each in different[:_SHOWN])
            raise UserError(
                f"{folder}: its names may be read in {len(different)} ways: {several}; give the right one with "
                "--pattern, or a folder further down"
            )
        return named[0]
    return whole[0]


def _check(folder: Path, found: _Match, dataset: Dataset, places: Sequence[int], partly: bool) -> None:
    names = dataset.pairs("test").column("image").to_pylist()
    by = f"paired by {found.pattern}"
    for place in places:
        if len(files := found.of_pair[place]) > 1:
            doubled = sum(len(found.of_pair[each]) > 1 for each in places)
            more = f"; {counted(doubled - 1, 'more pair')} with several" if doubled > 1 else ""
            raise UserError(
                f"{folder}: {' and '.join(files[:_SHOWN])} are both of pair {names[place]} ({by}{more}); leave one, or "
                "say which with --pattern"
            )
    missing = [names[place] for place in places if not found.of_pair[place]]
    foreign = "" if partly or not found.foreign else f", but {found.foreign[0]}, which is of no pair"
    if missing:
        more = f", nor of {counted(len(missing) - 1, 'pair')} more" if len(missing) > 1 else ""
        part = "" if partly else "; or score a part, with --limit or --list"
        raise UserError(
            f"{folder} has no image of pair {missing[0]}{more} of {dataset.name}{foreign} ({by}); add what is missing, "
            f"or give another --pattern{part}"
        )
    if foreign:
        raise UserError(
            f"{folder}: {found.foreign[0]} is of no test pair of {dataset.name} "
            f"({counted(len(found.foreign), 'such file')}; {by}): are these another set's images? Remove them, or give "
            "the --pattern of those that are meant"
        )
