"""The clean images (and depth maps) that rain is put on: found below a folder, named as scenes, looked at before."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from derainbench.errors import UserError
from derainbench.images.decode import image_size
from derainbench.images.find import IMAGE_SUFFIXES, image_files
from derainbench.rain import MIN_SIDE
from derainbench.support.atomic import storage_error

_NOT_TEXT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_LONGEST = 200  # bytes of a scene's name: file systems take 255, with a number and a suffix


@dataclass(frozen=True)
class Scene:
    """A clean image to put rain on, with its depth map where one was given.

    ``stamp`` changes when one of the files does: paths below their folders, sizes, times.
    """

    name: str
    clean: Path
    depth: Path | None
    stamp: str


def find_scenes(clean: Path, depth: Path | None) -> dict[str, Scene]:
    """The scenes below ``clean``, by name, sorted: an image's path below it, without suffix, with - for /.

    Accented letters are spelt in one way (NFC), so that a name, hence its rain, is the same on every system.
    :class:`UserError` where there is none, where two files would have one name, or where a scene lacks the depth map
    of its name below ``depth``.
    """
    files = _named_images(clean)
    if not files:
        raise UserError(f"--clean {clean} has no image files ({', '.join(IMAGE_SUFFIXES)}); check the path")
    depths = _named_images(depth) if depth is not None else {}
    lacking = [name for name in files if depth is not None and name not in depths]
    if lacking:
        more = f" (and {len(lacking) - 1} more)" if len(lacking) > 1 else ""
        raise UserError(
            f"{files[lacking[0]]} has no depth map: no image {lacking[0]} in {depth}{more}; add it, or leave out"
            " --depth for a modelled plane"
        )
    scenes = {}
    for name, path in sorted(files.items()):
        stamp = _stamp(path, clean)
        if depth is not None:
            stamp += f"; {_stamp(depths[name], depth)}"
        scenes[name] = Scene(name, path, depths.get(name), stamp)
    return scenes


def problems_of(scenes: Sequence[Scene]) -> list[str]:
    """What the headers of the scenes' files say against them, a line a file."""
    found = []
    for scene in scenes:
        try:
            height, width = image_size(scene.clean)
            if min(height, width) < MIN_SIDE:
                found.append(f"{scene.clean} is {width}x{height} pixels, rain needs {MIN_SIDE}x{MIN_SIDE}")
            if scene.depth is not None and image_size(scene.depth) != (height, width):
                deep, wide = image_size(scene.depth)
                found.append(f"{scene.depth} is {wide}x{deep} pixels but {scene.clean} {width}x{height}")
        except UserError as error:
            found.append(str(error))
    return found


def _named_images(folder: Path) -> dict[str, Path]:
    """Image files below ``folder`` by scene name."""
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; check the path")
    named: dict[str, Path] = {}
    taken: dict[str, Path] = {}
    for path in sorted(image_files(folder)):
        name = _scene_name(path, folder)
        other = taken.setdefault(name.casefold(), path)  # on some systems a.png and A.png are one file
        if other is not path:
            raise UserError(f"{other} and {path} would both be scene {name!r}; rename one, or remove it")
        named[name] = path
    return named


def _scene_name(path: Path, folder: Path) -> str:
    relative = path.relative_to(folder).as_posix()
    if _NOT_TEXT.search(relative) or "\\" in relative:
        raise UserError(f"{folder} has an image whose name is no plain text: {relative!a}; rename it")
    name = unicodedata.normalize("NFC", relative.rpartition(".")[0].replace("/", "-"))
    if len(name.encode()) > _LONGEST:
        raise UserError(f"{path}: its name is too long for a scene's, over {_LONGEST} bytes; shorten it")
    return name


def _stamp(path: Path, folder: Path) -> str:
    try:
        facts = path.stat()
    except OSError as error:  # a link that leads nowhere
        raise storage_error(path, error) from error
    return f"{path.relative_to(folder).as_posix()}, {facts.st_size} bytes, {facts.st_mtime_ns}"


def changed_or_gone(recorded: Mapping[str, str], now: Mapping[str, Scene]) -> tuple[list[str], list[str]]:
    """Names of recorded scenes (by stamp) whose files are others now, and of those that are no longer there."""
    changed = [name for name, stamp in recorded.items() if name in now and now[name].stamp != stamp]
    return changed, [name for name in recorded if name not in now]
