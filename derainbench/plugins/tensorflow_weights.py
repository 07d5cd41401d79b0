"""Weights in a TensorFlow checkpoint (``NAME.index`` with ``NAME.data-00000-of-00001`` beside), read directly.

The index is a table as LevelDB has them: blocks of sorted keys, each the rest of the one before; its values are
protocol buffers that say where in the data a variable lies.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from derainbench.plugins.numpy_weights import as_torch_has_it
from derainbench.plugins.protobuf import fields, varint

_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48  # bytes: two places of blocks, padded, and the magic number
_TRAILER = 5  # bytes after a block: how it is packed, and a checksum
_FLOAT32 = 1  # of TensorFlow's DataType
#: What optimisers keep beside each variable, and counters: no weights.
_BESIDE = ("/Momentum", "/Adam", "/Adam_1", "/ExponentialMovingAverage")


def read_checkpoint(index: Path) -> dict[str, Tensor]:
    """The float32 variables of a checkpoint by name, as torch has them. ValueError where it is damaged."""
    table, data = index.read_bytes(), index.with_suffix(".data-00000-of-00001")
    if not data.is_file():
        raise ValueError(f"{data.name} is not beside it")
    if len(table) < _FOOTER or struct.unpack("<Q", table[-8:])[0] != _MAGIC:
        raise ValueError("no index of a TensorFlow checkpoint")
    place = _Cursor(table, len(table) - _FOOTER)
    place.number(), place.number()  # the block of what describes the table
    weights = {}
    for _, where in _entries(table, place.number(), place.number()):
        block = _Cursor(where, 0)
        for key, entry in _entries(table, block.number(), block.number()):
            name = key.decode()
            if name and not name.endswith(_BESIDE) and (value := _variable(entry, data)) is not None:
                name, tensor = as_torch_has_it(name, value)
                weights[name] = tensor
    return weights


def _variable(entry: bytes, data: Path) -> np.ndarray[Any, Any] | None:
    """The values of a variable, None where they are no float32 numbers of this file."""
    known = dict(fields(entry))
    if known.get(1) != _FLOAT32 or known.get(3, 0) != 0:
        return None
    shape = []
    for number, dimension in fields(_bytes(known.get(2, b""))):
        if number == 2:
            shape.append(next((size for field, size in fields(_bytes(dimension)) if field == 1), 0))
    offset, size = known.get(4, 0), known.get(5, 0)
    sides = [side for side in shape if isinstance(side, int)]
    if not isinstance(offset, int) or not isinstance(size, int) or len(sides) < len(shape):
        raise ValueError("a variable's place is no number")
    if size != 4 * math.prod(sides) or offset + size > data.stat().st_size:
        raise ValueError(f"a variable of shape {tuple(sides)} in {size} bytes at {offset} of {data.name}")
    return np.fromfile(data, "<f4", math.prod(sides), offset=offset).reshape(sides)


def _bytes(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a number where a message is expected")  # noqa: TRY004 - it is the file that is wrong
    return value


def _entries(table: bytes, offset: int, length: int) -> Iterator[tuple[bytes, bytes]]:
    """The keys and values of a block."""
    block = table[offset : offset + length]
    if offset + length + _TRAILER > len(table) or length < 4:
        raise ValueError("a block beyond the end of the file")
    if table[offset + length] != 0:
        raise ValueError("a block that is compressed")
    restarts = struct.unpack("<I", block[-4:])[0]
    end = length - 4 * (restarts + 1)
    cursor, key = _Cursor(block, 0), b""
    while cursor.place < end:
        shared, rest, size = cursor.number(), cursor.number(), cursor.number()
        key = key[:shared] + cursor.take(rest)
        yield key, cursor.take(size)


class _Cursor:
    """Reads numbers and bytes one after the other. ValueError beyond the end."""

    def __init__(self, content: bytes, place: int) -> None:
        self.content, self.place = content, place

    def number(self) -> int:
        """A number of variable length."""
        value, self.place = varint(self.content, self.place)
        return value

    def take(self, length: int) -> bytes:
        """So many bytes."""
        found = self.content[self.place : self.place + length]
        if len(found) < length:
            raise ValueError("cut off")
        self.place += length
        return found
