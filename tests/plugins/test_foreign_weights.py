"""Weights that neither torch nor safetensors wrote: what they hold, and damaged files."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from derainbench.errors import UserError
from derainbench.plugins.weights import read_weights

Refused = Callable[..., AbstractContextManager[None]]
Arrays = Mapping[str, np.ndarray[Any, Any]]

ARRAYS: Arrays = {
    "layer_1/conv_1/bias": np.arange(4, dtype=np.float32),
    "layer_1/conv_1/kernel": np.arange(72, dtype=np.float32).reshape(3, 3, 2, 4),
    "layer_10/scale": np.array(2, np.float32),
}


def number(value: int) -> bytes:
    """A number of seven bits a byte, the lowest first."""
    rest = bytearray()
    while value > 0x7F:
        rest.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*rest, value])


def block(entries: Mapping[bytes, bytes]) -> bytes:
    """Sorted keys, of which each leaves out what it shares with the one before; no compression, no checksum."""
    content, before = b"", b""
    for key, value in sorted(entries.items()):
        shared = next(
            (n for n, (a, b) in enumerate(zip(key, before, strict=False)) if a != b), min(map(len, (key, before)))
        )
        content += number(shared) + number(len(key) - shared) + number(len(value)) + key[shared:] + value
        before = key
    return content + struct.pack("<II", 0, 1) + bytes(5)


def write_checkpoint(index: Path, arrays: Arrays, halves: int = 2) -> None:
    """As TensorFlow does, in so many blocks."""
    data, entries = b"", {b"": b"\x08\x01\x1a\x02\x08\x01"}
    for name, array in arrays.items():
        dimensions = b"".join(b"\x12" + number(len(d)) + d for d in (b"\x08" + number(side) for side in array.shape))
        shape = b"\x12" + number(len(dimensions)) + dimensions if array.ndim else b""
        place = (b"\x20" + number(len(data)) if data else b"") + b"\x28" + number(array.nbytes)
        entries[name.encode()] = b"\x08\x01" + shape + place + b"\x35" + bytes(4)
        data += array.tobytes()
    table, places, keys = b"", {}, sorted(entries)
    for half in np.array_split(np.arange(len(keys)), halves):
        part = block({keys[n]: entries[keys[n]] for n in half})
        places[keys[half[-1]] + b"~"] = number(len(table)) + number(len(part) - 5)
        table += part
    meta, top = block({}), block(places)
    ends = number(len(table)) + number(len(meta) - 5) + number(len(table) + len(meta)) + number(len(top) - 5)
    index.write_bytes(table + meta + top + ends.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57))
    index.with_suffix(".data-00000-of-00001").write_bytes(data)


def write_npz(path: Path, arrays: Arrays) -> None:
    np.savez(path, **dict(arrays))  # type: ignore[arg-type]


WRITERS: Mapping[str, Callable[[Path, Arrays], None]] = {".npz": write_npz, ".index": write_checkpoint}


@pytest.mark.parametrize("suffix", WRITERS)
def test_what_was_written_is_read(tmp_path: Path, suffix: str) -> None:
    """Kernels in torch's order, scopes parted by dots."""
    WRITERS[suffix](tmp_path / f"model{suffix}", ARRAYS)
    found = read_weights(tmp_path / f"model{suffix}")
    assert list(found) == ["layer_1.conv_1.bias", "layer_1.conv_1.kernel", "layer_10.scale"]
    assert found["layer_1.conv_1.bias"].tolist() == [0, 1, 2, 3]
    kernel = torch.from_numpy(ARRAYS["layer_1/conv_1/kernel"])
    assert found["layer_1.conv_1.kernel"].shape == (4, 2, 3, 3)
    assert torch.equal(found["layer_1.conv_1.kernel"][3, 1], kernel[:, :, 1, 3])
    assert found["layer_10.scale"].item() == 2


def test_what_optimisers_keep_is_left_out(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "m.index", {**ARRAYS, "layer_1/conv_1/bias/Momentum": np.zeros(4, np.float32)})
    assert len(read_weights(tmp_path / "m.index")) == 3


@given(
    hnp.arrays(
        st.sampled_from(["<f4", ">f4", "<f8", "<i8", "|u1"]),
        hnp.array_shapes(min_dims=0),
        elements={"min_value": 0, "max_value": 9},
    )
)
def test_arrays_of_any_kind_in_either_order(
    tmp_path_factory: pytest.TempPathFactory, array: np.ndarray[Any, Any]
) -> None:
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    np.savez(path, plain=array, turned=np.asfortranarray(array))
    found = read_weights(path)
    for name in ("plain", "turned"):
        np.testing.assert_array_equal(found[name].numpy(), array)


def test_an_archive_with_objects_runs_nothing(tmp_path: Path, refused: Refused) -> None:
    np.savez(tmp_path / "a.npz", a=np.array([{}], dtype=object))
    with refused("a.npz cannot be read as weights", "an array of object"):
        read_weights(tmp_path / "a.npz")


def test_an_array_that_claims_more_than_it_has(tmp_path: Path, refused: Refused) -> None:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000), }"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header) + 1) + header + b"\n" + bytes(16)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", content)
    with refused("a.npz cannot be read as weights", "claims shape (1000000, 1000000)"):
        read_weights(tmp_path / "a.npz")


def test_a_checkpoint_without_its_data(tmp_path: Path, refused: Refused) -> None:
    write_checkpoint(tmp_path / "m.index", ARRAYS)
    (tmp_path / "m.data-00000-of-00001").unlink()
    with refused("m.data-00000-of-00001 is not beside it"):
        read_weights(tmp_path / "m.index")


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("damaged")
    for suffix, write in WRITERS.items():
        write(folder / f"whole{suffix}", ARRAYS)
    (folder / "damaged.data-00000-of-00001").write_bytes((folder / "whole.data-00000-of-00001").read_bytes())
    return folder


@pytest.mark.parametrize("suffix", WRITERS)
@given(length=st.floats(0, 1), place=st.floats(0, 1), byte=st.integers(0, 255))
@settings(max_examples=200)
def test_a_damaged_file_gives_tensors_or_one_line(
    damaged: Path, suffix: str, length: float, place: float, byte: int
) -> None:
    content = bytearray((damaged / f"whole{suffix}").read_bytes())
    content[min(int(place * len(content)), len(content) - 1)] = byte
    path = damaged / f"damaged{suffix}"
    path.write_bytes(content[: max(1, int(length * len(content)))] if length < 0.5 else content)
    said, state = "cannot be read as weights", {}
    try:
        state = read_weights(path)
    except UserError as error:
        said = str(error)
    assert "cannot be read as weights" in said
    assert "\n" not in said
    assert all(isinstance(value, torch.Tensor) for value in state.values())
