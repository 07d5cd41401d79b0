"""Caffe's model files (``.caffemodel``): the trained numbers in them, read without Caffe."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from derainbench.errors import UserError
from derainbench.plugins.protobuf import fields, varint

# A file is one NetParameter of Caffe's src/caffe/proto/caffe.proto. Numbers of the fields that lead to trained numbers:
#: A layer, and in it its name and its blobs; the second in files from before 2015.
_LAYERS = {100: (1, 7), 2: (4, 6)}
_DATA, _DOUBLE_DATA, _SHAPE, _DIMS = 5, 8, 7, 1
_OLD_DIMS = (1, 2, 3, 4)  # num, channels, height, width

#: More than any network has: a hostile file would otherwise make two of its bytes a Python object each.
MOST_FIELDS, MOST_DIMS, LONGEST_NAME = 1_000_000, 8, 200

#: What the blobs of a layer are called: a convolution has weights and a bias.
_PARTS = ("weight", "bias")


def read_caffemodel(path: Path) -> dict[str, Tensor]:
    """The trained numbers of a Caffe network as ``LAYER.weight`` and ``LAYER.bias``, float32, in the file's shapes.

    A layer's third blob and those after it are ``LAYER.blob2`` and so on. :class:`UserError` for a file that is none,
    is damaged, or has no trained numbers; ``OSError`` where it cannot be read at all. No code is run, and memory stays
    within a few times the file's size.
    """
    try:
        state = _Reader().state(path.read_bytes())
    except ValueError as error:
        raise UserError(f"{path} cannot be read as a caffemodel ({error}); fetch it again") from error
    if not state:
        raise UserError(f"{path} has no layer with trained numbers; give a file that Caffe wrote after a training")
    return state


class _Reader:
    """Reads one file and counts its fields. ValueError, in a few words, for whatever is wrong with it."""

    def __init__(self) -> None:
        self._count = count(1)

    def state(self, net: bytes) -> dict[str, Tensor]:
        state: dict[str, Tensor] = {}
        for number, value in self._fields(net):
            if number in _LAYERS:
                layer, blobs = self._layer(_part(value), *_LAYERS[number])
                for index, blob in enumerate(blobs):
                    name = f"{layer}.{_PARTS[index] if index < len(_PARTS) else f'blob{index}'}"
                    if name in state:
                        raise ValueError(f"two layers are called {layer!r}")
                    state[name] = blob
        return state

    def _fields(self, message: bytes) -> Iterator[tuple[int, int | bytes]]:
        for field in fields(message):
            if next(self._count) > MOST_FIELDS:
                raise ValueError(f"over {MOST_FIELDS:,} fields")
            yield field

    def _layer(self, message: bytes, name_number: int, blob_number: int) -> tuple[str, list[Tensor]]:
        name, blobs = "", []
        for number, value in self._fields(message):
            if number == name_number:
                name = _part(value)[: LONGEST_NAME + 1].decode("utf-8", "replace")
                if len(name) > LONGEST_NAME or not name.isprintable():
                    raise ValueError("a layer with an impossible name")
            elif number == blob_number:
                blobs.append(self._blob(_part(value)))
        return name, blobs

    def _blob(self, message: bytes) -> Tensor:
        shape: list[int] = []
        old_shape = dict.fromkeys(_OLD_DIMS, 1)
        values = np.empty(0, np.float32)
        for number, value in self._fields(message):
            if number in (_DATA, _DOUBLE_DATA):
                values = _numbers(_part(value), "<f4" if number == _DATA else "<f8")
            elif number == _SHAPE:
                shape = [dim for inner, dims in self._fields(_part(value)) if inner == _DIMS for dim in _dims(dims)]
            elif number in old_shape and isinstance(value, int):
                old_shape[number] = value
        if not shape:  # a bias then had the sides 1, 1, 1 and its length
            shape = list(old_shape.values())
            while len(shape) > 1 and shape[0] == 1:
                shape.pop(0)
        if not len(values) or len(shape) > MOST_DIMS or math.prod(shape) != len(values):
            raise ValueError(f"{len(values):,} numbers in a blob of shape {shape[:MOST_DIMS]}")
        return torch.from_numpy(values).reshape(shape)


def _part(value: int | bytes) -> bytes:
    """What must be a text, a message or packed numbers."""
    if isinstance(value, int):
        raise ValueError("a number where a message belongs")  # noqa: TRY004 - the file is wrong, not the caller
    return value


def _numbers(packed: bytes, dtype: str) -> NDArray[np.float32]:
    if len(packed) % np.dtype(dtype).itemsize:
        raise ValueError("numbers that are cut off")
    with np.errstate(over="ignore"):  # a number that float32 cannot hold is infinite, which whoever loads it refuses
        return np.frombuffer(packed, dtype).astype(np.float32)


def _dims(value: int | bytes) -> list[int]:
    """Sides of a shape: one, or several packed; of too many, a few too many."""
    if isinstance(value, int):
        return [value]
    dims: list[int] = []
    place = 0
    while place < len(value) and len(dims) <= MOST_DIMS:
        dim, place = varint(value, place)
        dims.append(dim)
    return dims
