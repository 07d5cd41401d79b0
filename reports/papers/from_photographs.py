"""A qualitative figure out of photographs without ground truth, as ``derainbench derain`` restored them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from derainbench.errors import UserError
from derainbench.images.decode import read_rgb
from derainbench.photographs.find import Photograph, find_photographs
from derainbench.photographs.restored import result_file
from derainbench.plugins.names import parse_name

from .from_run import box_by_rule
from .subjects import INPUT, Order, Plate, Subject, Version, columns, found, windows_of
from .windows import Box

#: So many photographs are shown where none is named.
MOST = 3


def methods_in(folder: Path) -> list[str]:
    """The methods that have a folder of results there, by name."""
    return sorted(each.name for each in folder.iterdir() if each.is_dir() and _is_name(each.name))


def _is_name(text: str) -> bool:
    try:
        parse_name(text)
    except UserError:
        return False
    return True


def plate_of_photographs(folder: Path, photographs: Sequence[Path], titles: Mapping[str, str], order: Order) -> Plate:
    """What the order asks for, of photographs whose results lie in ``folder/METHOD``; ``titles`` are of methods.

    :class:`UserError` where a name is none, a window leaves its photograph, or a result is not there.
    """
    if order.errors:
        raise UserError("--errors shows differences from the ground truth, which photographs do not have; leave it out")
    there = {each.name: each for each in find_photographs(photographs, folder).photographs}
    known = [name for name in titles if any(result_file(folder, name, each).is_file() for each in there.values())]
    if not known:
        raise UserError(
            f"{folder} holds no results of {', '.join(map(str, photographs))}; give --photos with what derainbench "
            "derain was given"
        )
    all_columns = columns({name: titles[name] for name in known}, {name: [parse_name(name).base] for name in known})
    keys = all_columns.chosen(order)
    names = list(dict.fromkeys(found(word, [*there], "--images") for word in order.wanted))
    windows = [(found(word, names or [*there], "--window"), box) for word, box in order.windows]
    complete = [name for name, each in there.items() if all(result_file(folder, key, each).is_file() for key in keys)]
    subjects = [
        _subject(folder, there[name], keys, windows_of(name, windows))
        for name in names or (complete or [*there])[:MOST]
    ]
    return Plate(tuple(subjects), all_columns.renamed((INPUT, *keys), order))


def _subject(folder: Path, photograph: Photograph, keys: Sequence[str], windows: tuple[Box, ...]) -> Subject:
    photo = read_rgb(photograph.path)
    versions = {INPUT: Version(photo)}
    for key in keys:
        path = result_file(folder, key, photograph)
        if not path.is_file():
            raise UserError(f"{path} is not there; run derainbench derain with {key} among --methods")
        versions[key] = Version(read_rgb(path))
        if versions[key].pixels.shape != photo.shape:
            raise UserError(f"{path} is of another size than its photograph {photograph.path}; restore it again")
    for box in windows:
        box.check(photo, photograph.name)
    restored = [versions[key].pixels for key in keys]
    return Subject(photograph.name, photograph.name, "", photo, windows or (box_by_rule(restored, photo),), versions)
