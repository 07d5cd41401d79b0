"""The scores of an evaluation that is under way, kept image by image, so that an interrupted one goes on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from derainbench.support.atomic import remove, storage_error, write_atomic

#: A row of a cell's score table without the image's name: the other columns in their order.
ScoreRow = Sequence[Any]


class PartialScores:
    """``scores.partial.jsonl`` in a cell's folder: first the cell's key, then a line an image, appended.

    A line that a kill cut off, and all that follows a damaged one, counts for nothing; nor does a file of another key.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.folder = folder
        self._path, self._key = folder / "scores.partial.jsonl", key

    def read(self) -> dict[str, list[ScoreRow]]:
        """The rows of every image that was scored before, by its name; what is not among them is to be done."""
        lines = self._whole_lines()
        head, rest = (lines[0], lines[1:]) if lines else (None, [])
        if head != {"key": self._key}:
            rest = []
        write_atomic(self._path, "".join(_line(each) for each in ({"key": self._key}, *rest)).encode())
        return {line["image"]: line["rows"] for line in rest}

    def add(self, image: str, rows: Sequence[ScoreRow]) -> None:
        """Keep the rows of one more image."""
        try:
            with self._path.open("ab") as file:
                file.write(_line({"image": image, "rows": rows}).encode())
        except OSError as error:
            raise storage_error(self._path, error) from error

    def remove(self) -> None:
        """They are in the score table now."""
        remove(self._path)

    def _whole_lines(self) -> list[dict[str, Any]]:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise storage_error(self._path, error) from error
        found: list[dict[str, Any]] = []
        for text in content.splitlines(keepends=True):
            try:
                line = json.loads(text) if text.endswith(b"\n") else None
            except ValueError:
                line = None
            expected = {"image", "rows"} if found else {"key"}
            if not isinstance(line, dict) or line.keys() != expected:
                break
            found.append(line)
        return found


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value) + "\n"  # floats with all their digits; NaN and infinity as Python spells them
