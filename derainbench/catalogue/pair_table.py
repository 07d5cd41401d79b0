"""Pairs as columns: hundreds of thousands of them in little memory, each made into a :class:`Pair` when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from derainbench.catalogue.pairing import Pair, make_pair
from derainbench.errors import UserError
from derainbench.support.atomic import file_hash


class Pairs(Sequence[Pair]):
    """The pairs of a split, or some of them.

    ``table`` has a row a pair of the whole split: ``image``, ``scene``, ``height`` and ``width`` of the rainy image in
    pixels (0 where it could not be read), and ``rainy``, ``clean`` and each layer's path below ``root``; of
    side-by-side files ``rainy`` only, ``side_by_side`` saying which half is which. Beside each path column are its
    file's size in bytes and time of change in ns when it was hashed, ``rainy_bytes`` and ``rainy_modified``, and of a
    test split ``rainy_sha256``. ``digest`` is the whole split's, and ``rows`` are the numbers of these pairs in it.

    Of a union (:mod:`.union`) the rows stand member by member, with columns ``member``, its number, and ``side``, its
    ``side_by_side``; ``shares`` are the parts of the training samples that each member gives, 1 together.
    """

    def __init__(
        self,
        table: pa.Table,
        root: Path,
        digest: str,
        side_by_side: str = "",
        rows: np.ndarray | None = None,
        shares: tuple[float, ...] = (),
    ) -> None:
        self.shares = shares
        self.table, self.root, self.digest, self.side_by_side = table, root, digest, side_by_side
        self.rows = np.arange(table.num_rows) if rows is None else rows
        self._columns = {name: table.column(name).combine_chunks() for name in table.column_names}

    @property
    def roles(self) -> tuple[str, ...]:
        """The columns that are paths: ``rainy``, ``clean`` (where it is a file of its own), and the layers."""
        return tuple(name for name in self.table.column_names if f"{name}_modified" in self._columns)

    def unchanged(self, role: str, index: int) -> bool:
        """Whether a pair's file is still the one that was hashed, by its size and time."""
        row = int(self.rows[index])
        path, size, modified = (self._columns[f"{role}{what}"][row].as_py() for what in ("", "_bytes", "_modified"))
        now = (self.root / path).stat()
        return bool((now.st_size, now.st_mtime_ns) == (size, modified))

    def check_content(self, index: int) -> None:
        """:class:`UserError` where a file of a pair has another content than when it was hashed, by its sha256.

        Size and time alone do not tell: files may be exchanged that agree in both. Of a split whose table has hashes.
        """
        row = int(self.rows[index])
        for role in self.roles:
            path = self.root / self._columns[role][row].as_py()
            if file_hash(path) != self._columns[f"{role}_sha256"][row].as_py():
                raise UserError(
                    f"{path} changed after this run had read it; leave it alone and run the same command again (where "
                    "that says the same, first: derainbench datasets verify NAME, which reads every file anew)"
                )

    def __reduce__(self) -> tuple[type[Pairs], tuple[object, ...]]:
        # Without this the columns would travel twice to other processes.
        return Pairs, (self.table, self.root, self.digest, self.side_by_side, self.rows, self.shares)

    def column(self, name: str) -> pa.Array:
        """A column of the table for these pairs, in their order."""
        return self._columns[name].take(pa.array(self.rows))

    def sizes(self) -> NDArray[np.int64]:
        """(N, 2): height and width of every rainy image in pixels, 0 where it could not be read."""
        sides = [self.column(side).to_numpy(zero_copy_only=False) for side in ("height", "width")]
        return np.stack(sides, axis=1).astype(np.int64)

    def take(self, indices: Sequence[int] | np.ndarray) -> Pairs:
        """Some of the pairs, by their place among these."""
        chosen = self.rows[np.asarray(indices, dtype=np.int64)]
        return Pairs(self.table, self.root, self.digest, self.side_by_side, chosen, self.shares)

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Pair: ...
    @overload
    def __getitem__(self, index: slice) -> Pairs: ...
    def __getitem__(self, index: int | slice) -> Pair | Pairs:
        """One pair in constant time, or those of a slice."""
        if isinstance(index, slice):
            return Pairs(self.table, self.root, self.digest, self.side_by_side, self.rows[index], self.shares)
        row, roles, side = int(self.rows[index]), self.roles, self.side_by_side
        if "side" in self._columns and (side := self._columns["side"][row].as_py()):
            roles = tuple(role for role in roles if role != "clean")
        image, scene, *files = (self._columns[name][row].as_py() for name in ("image", "scene", *roles))
        return make_pair(self.root, side, image, scene, roles, files)
