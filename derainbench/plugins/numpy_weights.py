"""Weights in a NumPy archive (``.npz``), read without running code of the file."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy
from torch import Tensor

#: What NumPy's header of an array may take.
_LONGEST_HEADER = 10_000


def read_npz(path: Path) -> dict[str, Tensor]:
    """The arrays of an archive by name. ValueError, or what zipfile raises, where it is damaged or no such archive.

    Those of TensorFlow's variables come back as torch has them (:func:`as_torch_has_it`).
    """
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        for part in archive.infolist():
            name = part.filename.removesuffix(".npy")
            with archive.open(part) as stream:
                array = _read_array(stream, part.file_size)
            name, value = as_torch_has_it(name, array)
            arrays[name] = value
    return arrays


def as_torch_has_it(name: str, array: np.ndarray[Any, Any]) -> tuple[str, Tensor]:
    """A name and its tensor. A name with slashes is a TensorFlow variable's: it gets dots, and a kernel, which lies as
    (height, width, in, out), torch's order."""
    if "/" in name and array.ndim == 4:
        array = array.transpose(3, 2, 0, 1)
    return name.replace("/", "."), torch.from_numpy(np.asarray(array, order="C"))


def _read_array(stream: Any, length: int) -> np.ndarray[Any, Any]:
    version = npy.read_magic(stream)
    read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if read_header is None:
        raise ValueError(f"an array of NumPy's format {version}")
    shape, fortran, dtype = read_header(stream, max_header_size=_LONGEST_HEADER)
    if dtype.hasobject or dtype.kind not in "fiu":
        raise ValueError(f"an array of {dtype}, not of numbers")
    if math.prod(shape) * dtype.itemsize > length:  # which would be allocated before a byte is read
        raise ValueError(f"an array that claims shape {shape} in {length} bytes")
    values = np.frombuffer(stream.read(math.prod(shape) * dtype.itemsize), dtype)
    return values.astype(dtype.newbyteorder("=")).reshape(shape, order="F" if fortran else "C")
