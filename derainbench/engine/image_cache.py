"""The images of pairs as arrays, decoded once: kept in a memory-mapped file where the set fits on the disk."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import features

from derainbench.catalogue.pair_table import Pairs
from derainbench.catalogue.pairing import Pair
from derainbench.engine import image_cache_file
from derainbench.engine.image_cache_file import DecodedFile
from derainbench.engine.image_cache_space import SUFFIX, decoded_folder, make_room
from derainbench.errors import UserError
from derainbench.images import decode
from derainbench.images.decode import Array, Source, image_size, read_layer, read_pair, read_rgb

#: Where the file cannot be used, each process keeps what it decoded last, up to this many bytes.
RECENT_BYTES = 256 << 20

_COLOUR = ("rainy", "clean")  # the others are layers


class Decoded(NamedTuple):
    """A pair's images, (H, W, 3) uint8 each. They may be read-only."""

    rainy: Array
    clean: Array


class DecodedImages:
    """The images of pairs by number, each distinct one decoded once.

    Pairs of a manifest (:class:`Pairs`) share a file below ``node_cache_folder()/decoded`` with all processes and runs
    on the same split, whichever of its pairs they use. Other pairs, sets that do not fit and a cache that cannot be
    written cost decoding: then only the last :data:`RECENT_BYTES` are kept, in each process. What comes back is the
    same in every case. Travels to other processes, forked or started afresh.
    """

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self._pairs = pairs
        self._recent = _Recent()
        self._places = _places(pairs) if isinstance(pairs, Pairs) and len(pairs) else None

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> Decoded:
        """Both images of a pair; :class:`UserError` where a file cannot be read or their sizes differ."""
        rainy, clean = self._known("rainy", index), self._known("clean", index)
        if rainy is None and clean is None:
            pair = self._pairs[index]
            rainy, clean = read_pair(pair.rainy, pair.clean)
            self._keep("rainy", index, rainy)
            self._keep("clean", index, clean)
        rainy = self._decoded("rainy", index) if rainy is None else rainy
        clean = self._decoded("clean", index) if clean is None else clean
        if rainy.shape != clean.shape:
            pair = self._pairs[index]
            rainy, clean = read_pair(pair.rainy, pair.clean)  # says which they are
        return Decoded(rainy, clean)

    def rainy(self, index: int) -> Array:
        """The rainy image of a pair alone; errors as in :func:`read_rgb`."""
        known = self._known("rainy", index)
        return self._decoded("rainy", index) if known is None else known

    def layer(self, name: str, index: int) -> Array:
        """A layer of a pair's own, by its name on the card: (H, W) float32 in [0, 1], maybe read-only;
        :class:`UserError` where the file cannot be read or its size is not that of the rainy image."""
        known = self._known(name, index)
        layer = self._decoded(name, index) if known is None else known
        rainy = self.rainy(index)
        if layer.shape != rainy.shape[:2]:
            pair = self._pairs[index]
            size_of_rainy, size_of_layer = (f"{image.shape[1]}x{image.shape[0]}" for image in (rainy, layer))
            raise UserError(
                f"{pair.rainy} is {size_of_rainy} but its {name} {pair.layers[name]} is {size_of_layer}; "
                "restore the right one"
            )
        return layer

    def pair(self, index: int) -> Pair:
        """The files of a pair."""
        return self._pairs[index]

    def sizes(self) -> NDArray[np.int64]:
        """(N, 2): height and width of every rainy image, from the manifest or else from the files' headers."""
        sizes = self._pairs.sizes() if isinstance(self._pairs, Pairs) else np.zeros((len(self._pairs), 2), np.int64)
        for index in np.flatnonzero(sizes.min(axis=1) == 0).tolist():
            sizes[index] = image_size(self._pairs[index].rainy)
        return sizes

    def _known(self, role: str, index: int) -> Array | None:
        found = self._places.read(role, index) if self._places is not None else None
        if found is None and self._recent:
            return self._recent.get(_key(self._pairs[index], role))
        return found

    def _decoded(self, role: str, index: int) -> Array:
        pair = self._pairs[index]
        if role in _COLOUR:
            image = read_rgb(pair.rainy if role == "rainy" else pair.clean)
        else:
            image = read_layer(pair.layers[role])
        self._keep(role, index, image)
        return image

    def _check_unchanged(self, role: str, index: int) -> None:
        """What changed after it was hashed must not pass for the split with that digest, here or in later runs."""
        pairs = self._pairs
        if not isinstance(pairs, Pairs) or pairs.unchanged(role if role in pairs.roles else "rainy", index):
            return
        pair = pairs[index]
        source = {"rainy": pair.rainy, "clean": pair.clean, **pair.layers}[role]
        raise UserError(f"{source} changed after this run had read it; leave it alone and run the same command again")

    def _keep(self, role: str, index: int, image: Array) -> None:
        self._check_unchanged(role, index)
        if self._places is None or not self._places.write(role, index, image):
            self._recent.put(_key(self._pairs[index], role), image)


class _Places:
    """Which place in the file each image of each pair has."""

    def __init__(self, file: DecodedFile, numbers: dict[str, NDArray[np.int32]], sizes: NDArray[np.int32]) -> None:
        self._file, self._numbers, self._sizes = file, numbers, sizes

    def read(self, role: str, index: int) -> Array | None:
        number = self._numbers[role][index]
        found = self._file.read(number)
        if found is None:
            return None
        height, width = self._sizes[number]
        return found.reshape(height, width, 3) if role in _COLOUR else found.view(np.float32).reshape(height, width)

    def write(self, role: str, index: int, image: Array) -> bool:
        """Whether the image is in the file now."""
        number = self._numbers[role][index]
        # A size that is not the rainy image's in the manifest is a mistake that the reader of the pair reports.
        return image.shape[:2] == tuple(self._sizes[number]) and self._file.write(number, image)


class _Recent:
    """The images used last, up to :data:`RECENT_BYTES` together."""

    def __init__(self) -> None:
        self._images: OrderedDict[tuple[bool, Source], Array] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._images)

    def get(self, key: tuple[bool, Source]) -> Array | None:
        if key in self._images:
            self._images.move_to_end(key)
        return self._images.get(key)

    def put(self, key: tuple[bool, Source], image: Array) -> None:
        if key in self._images:
            self._bytes -= self._images.pop(key).nbytes
        # A half of an image side by side would keep the other half in memory as well.
        self._images[key] = np.ascontiguousarray(image)
        self._bytes += image.nbytes
        while self._bytes > RECENT_BYTES:
            self._bytes -= self._images.popitem(last=False)[1].nbytes

    def __reduce__(self) -> tuple[type[_Recent], tuple[()]]:
        return _Recent, ()  # another process begins with none


def _key(pair: Pair, role: str) -> tuple[bool, Source]:
    """An image as what it is decoded: one file may be an image here and a layer there."""
    if role in _COLOUR:
        return True, pair.rainy if role == "rainy" else pair.clean
    return False, pair.layers[role]


def _places(pairs: Pairs) -> _Places | None:
    """Where these pairs are in the file of their whole split; None where there may be no such file."""
    whole = Pairs(pairs.table, pairs.root, pairs.digest, pairs.side_by_side)
    size_of_row = whole.sizes().astype(np.int32)
    numbers: dict[str, NDArray[np.int32]] = {}
    sizes, lengths, count = [], [], 0
    for role in dict.fromkeys([*_COLOUR, *whole.roles]):
        codes = first = np.arange(len(whole), dtype=np.int32)
        if role != "rainy" and role in whole.roles:  # many rainy images may share one
            codes = whole.column(role).dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int32)
            first = np.zeros(int(codes.max()) + 1, np.int32)
            first[codes[::-1]] = np.arange(len(codes), dtype=np.int32)[::-1]
        numbers[role] = codes + np.int32(count)
        count += len(first)
        sizes.append(size_of_row[first])
        lengths.append(sizes[-1].prod(axis=1, dtype=np.int64) * (3 if role in _COLOUR else 4))
    layout = np.concatenate(lengths)
    path = decoded_folder() / f"{_name(pairs.digest, layout, numbers)}{SUFFIX}"
    file = DecodedFile(path, layout)
    if not make_room(path, file.bytes):
        return None
    return _Places(file, {role: of_role[pairs.rows] for role, of_role in numbers.items()}, np.concatenate(sizes))


def _name(digest: str, lengths: NDArray[np.int64], numbers: dict[str, NDArray[np.int32]]) -> str:
    """A name for a split's decoded images that no other content, layout or way of decoding has."""
    # The same JPEG may decode to other levels with another library, the same PNG of 16 bits with another read_rgb.
    names = ("jpg", "libjpeg_turbo", "jpg_2000", "webp", "libtiff", "avif")
    libraries = [PIL.__version__, *(features.version(name) for name in names)]
    name = hashlib.sha256(f"{digest} {libraries} {list(numbers)}".encode())
    for module in (decode, image_cache_file):
        name.update(Path(str(module.__file__)).read_bytes())
    name.update(lengths.tobytes())
    for places in numbers.values():
        name.update(places.tobytes())
    return name.hexdigest()[:24]
