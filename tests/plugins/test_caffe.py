"""Caffe's model files: read, refused, and damaged at random."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from derainbench.errors import UserError
from derainbench.plugins import caffe
from derainbench.plugins.caffe import read_caffemodel
from derainbench.plugins.weights import read_weights

Refused = Callable[..., AbstractContextManager[None]]


def varint(value: int) -> bytes:
    """Seven bits a byte, the last below 128."""
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def message(field: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return varint(field << 3 | 2) + varint(len(content)) + content


def blob(shape: Sequence[int], values: Sequence[float]) -> bytes:
    """As Caffe writes it since 2015: the packed numbers, then the shape."""
    return message(5, struct.pack(f"<{len(values)}f", *values)) + message(7, message(1, *map(varint, shape)))


def layer(name: str, *blobs: bytes) -> bytes:
    content = [message(1, name.encode()), message(2, b"Convolution"), message(4, b"out"), number(10, 0)]
    return message(100, *content, *(message(7, each) for each in blobs))


NET = message(1, b"net") + layer("data") + layer("conv", blob((2, 1, 1, 2), (1, 2, 3, 4)), blob((2,), (5, 6)))


def write(folder: Path, content: bytes) -> Path:
    path = folder / "net.caffemodel"
    path.write_bytes(content)
    return path


def test_weights_and_biases_are_read_with_their_shapes(tmp_path: Path) -> None:
    """Through the same door as all weights; a layer without any is left out."""
    state = read_weights(write(tmp_path, NET + layer("scale", *(blob((1,), (x,)) for x in (7, 8, 9)))))
    shapes = {name: (tuple(value.shape), value.flatten().tolist()) for name, value in state.items()}
    assert shapes == {
        "conv.weight": ((2, 1, 1, 2), [1, 2, 3, 4]),
        "conv.bias": ((2,), [5, 6]),
        "scale.weight": ((1,), [7]),
        "scale.bias": ((1,), [8]),
        "scale.blob2": ((1,), [9]),
    }


def test_files_from_before_2015(tmp_path: Path) -> None:
    """Layers of another kind, four sides to every blob, and numbers of double length."""
    sides = (number(1, 2), number(2, 3), number(3, 1), number(4, 1))
    weight = b"".join(sides) + message(5, struct.pack("<6f", *range(6)))
    bias = number(1, 1) + number(2, 1) + number(3, 1) + number(4, 2) + message(8, struct.pack("<2d", 7, 8))
    old = message(2, message(4, b"conv"), number(5, 4), message(6, weight), message(6, bias))
    state = read_caffemodel(write(tmp_path, old))
    assert state["conv.weight"].shape == (2, 3, 1, 1)
    assert state["conv.bias"].tolist() == [7, 8]
    assert {value.dtype for value in state.values()} == {torch.float32}


@pytest.mark.parametrize("kind", ["light", "heavy", "practical_heavy"])
def test_released_files(shared: Path, kind: str) -> None:
    """Equal to what another reader made of them, to the bit."""
    path = shared / "weights" / "jorder" / f"rain_removal_single_{kind}.caffemodel"
    state, expected = read_caffemodel(path), np.load(path.with_suffix(".npz"))
    assert sorted(state) == sorted(expected.files)
    assert all(np.array_equal(value.numpy(), expected[name]) for name, value in state.items())


def test_the_accumulation_nets_file(shared: Path) -> None:
    path = shared / "weights" / "jorder" / "rain_accu_removal.caffemodel"
    state, expected = read_caffemodel(path), np.load(path.with_suffix(".npz"))
    assert sum(value.numel() for value in state.values()) == 520_580
    assert all(np.array_equal(state[name].numpy(), expected[name]) for name in expected.files)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no layer with trained numbers"),
        (NET[:-3], "a field beyond the message's end"),
        (layer("conv"), "no layer with trained numbers"),
        (layer("conv", blob((3,), (1, 2))), "2 numbers in a blob of shape [3]"),
        (layer("conv", blob((0,), ())), "0 numbers in a blob of shape [0]"),
        (layer("conv", blob((2**40, 2**40), (1,))), "1 numbers in a blob of shape"),
        (layer("conv", blob((1,) * 9, (1,))), "1 numbers in a blob of shape"),
        (layer("conv", message(5, b"123")), "numbers that are cut off"),
        (layer("conv", number(5, 1)), "a number where a message belongs"),
        (NET + layer("conv", blob((1,), (1,))), "two layers are called 'conv'"),
        (layer("con\nv", blob((1,), (1,))), "a layer with an impossible name"),
        (layer("c" * 300, blob((1,), (1,))), "a layer with an impossible name"),
        (number(100, 1), "a number where a message belongs"),
        (b"\x07", "a field of kind 7"),
        (b"\xa0", "a number that is cut off"),
        (b"\xff" * 20, "of more than 64 bits"),
        (b"PK\x03\x04 not a caffemodel", "cannot be read as a caffemodel"),
    ],
)
def test_what_is_no_caffemodel(tmp_path: Path, content: bytes, said: str, refused: Refused) -> None:
    path = write(tmp_path, content)
    with refused(str(path), said):
        read_weights(path)


def test_a_missing_file_is_told_as_any(tmp_path: Path, refused: Refused) -> None:
    with refused("no such weights file"):
        read_weights(tmp_path / "none.caffemodel")


def test_a_hostile_file_ends_after_so_many_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    """Two bytes a field would otherwise be half as many of Python's objects as the file has bytes."""
    monkeypatch.setattr(caffe, "MOST_FIELDS", 1000)
    for content in (number(9, 1) * 1001, message(100, b"") * 1001, layer("x", blob((1,), (1,)) * 1001)):
        with refused("over 1,000 fields"):
            read_caffemodel(write(tmp_path, content))


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where damaged files are written, one after the other."""
    return tmp_path_factory.mktemp("damaged")


@given(
    length=st.floats(0.05, 1),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4),
)
def test_a_damaged_file_gives_tensors_or_one_line(
    damaged: Path, length: float, changes: list[tuple[float, int]]
) -> None:
    content = bytearray(NET + layer("last", blob((1, 2), (0.5, 2))))
    for place, byte in changes:
        content[int(place * len(content))] = byte
    only_tensors_or_one_line(write(damaged, bytes(content[: math.ceil(length * len(content))])))


@given(content=st.binary(max_size=200))
def test_any_bytes_give_tensors_or_one_line(damaged: Path, content: bytes) -> None:
    only_tensors_or_one_line(write(damaged, content))


def only_tensors_or_one_line(path: Path) -> None:
    said, state = str(path), dict[str, Tensor]()
    try:
        state = read_weights(path)
    except UserError as error:
        said = str(error)
    assert str(path) in said
    assert "\n" not in said
    assert all(value.dtype == torch.float32 for value in state.values())
