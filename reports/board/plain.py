"""What of a run's JSON may leave the machine: everything but places on its disks and what names the machine."""

from __future__ import annotations

import re
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

#: What of ``machine`` and ``made_on`` says how fast a device is, not whose it is.
_OF_THE_DEVICE = ("device", "name", "cores", "threads", "precision")

#: Absolute paths, those below a home, and those that lead upwards; an address on the web is none.
_POSIX = re.compile(r"""(?<![\w:/.~\\])(?:~|\.\.)?/(?:[^\s/,;'"<>|\[\](){}=]+/)*[^\s/,;'"<>|\[\](){}=]+""")
_UP = re.compile(r"""(?<![\w:/.~\\])(?:~|\.\.)/[^\s,;'"<>|\[\](){}=]*""")
_WINDOWS = re.compile(r"""(?<!\w)(?:[A-Za-z]:[\\/]|\\\\)[^\s,;'"<>|\[\](){}=]*""")


def without_places(text: str) -> str:
    """``text`` with the last part alone of every path that it names: ``--data-root /home/me/data`` has ``data``."""
    text = _WINDOWS.sub(lambda found: PureWindowsPath(found[0]).name, text)
    text = _POSIX.sub(lambda found: PurePosixPath(found[0]).name, text)
    return _UP.sub(lambda found: PurePosixPath(found[0]).name, text)


def scrubbed(run: dict[str, Any]) -> dict[str, Any]:
    """``run.json`` without the places where datasets and images lay, and without the machine's name."""
    said = {**run, "command": without_places(str(run.get("command", ""))), "machine": of_the_device(run.get("machine"))}
    said["notices"] = [without_places(str(each)) for each in run.get("notices", ())]
    said["datasets"] = [{**each, "root": ""} for each in run["datasets"]]
    said["cells"] = [_without_folder(cell) for cell in run["cells"]]
    return said


def of_the_device(machine: dict[str, Any] | None) -> dict[str, Any]:
    """What of a machine's description is of its device."""
    return {name: (machine or {})[name] for name in _OF_THE_DEVICE if name in (machine or {})}


def _without_folder(cell: dict[str, Any]) -> dict[str, Any]:
    images = cell.get("images")
    return cell if not images else {**cell, "images": {**images, "folder": "", "left_out": []}}
