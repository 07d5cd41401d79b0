"""Arrays in a pickle, read without running code of the file: it may name nothing but arrays of floats."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FLOATS = ("f2", "f4", "f8")


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of nested mappings, by their keys with slashes between them.

    ValueError, or what pickle raises, where the file names or holds anything else.
    """
    with path.open("rb") as file:
        return dict(_flat(_ArraysOnly(file).load(), ""))


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """What a pickle of arrays calls; none of it takes memory that the file's own bytes do not fill."""
        known = {"_reconstruct": _empty, "ndarray": "ndarray", "dtype": _dtype}
        if module.split(".", maxsplit=1)[0] != "numpy" or name not in known:
            raise ValueError(f"it names {module}.{name}, which no array is made of")
        return known[name]

    def persistent_load(self, pid: Any) -> Any:
        raise ValueError("it names things outside")


def _empty(kind: Any, shape: Any, code: Any) -> NDArray[Any]:
    """An array without elements; those that follow in the file are checked against their shape by numpy."""
    return np.empty(0, np.uint8)


def _dtype(code: Any, *_: Any) -> np.dtype[Any]:
    if code not in _FLOATS:
        raise ValueError(f"an array of {code!r}, not of floats")
    made: np.dtype[Any] = np.dtype(code, copy=True)
    return made


def _flat(value: Any, name: str) -> list[tuple[str, NDArray[Any]]]:
    if isinstance(value, Mapping):
        return [each for key, inner in value.items() for each in _flat(inner, f"{name}/{key}" if name else str(key))]
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        raise ValueError("it holds something that is no array of floats")
    return [(name, value)]
