"""Several cards trained on as one set: whose pairs it has, in which shares, and what tells its content apart."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from derainbench.catalogue.cards import Card, Layout, SplitName
from derainbench.catalogue.dataset import Dataset
from derainbench.catalogue.manifest import Manifest, OnFile
from derainbench.catalogue.pair_table import Pairs
from derainbench.errors import UserError

_FACTS = ("", "_bytes", "_modified")

#: What stands for the packaging of a union: whoever asks where files lie asks its parts.
NO_LAYOUT = Layout.model_construct(name="union")


class UnionDataset(Dataset):
    """The training splits of its members as one. It has no tests: :attr:`parts` do."""

    def __init__(self, card: Card, members: Sequence[Dataset]) -> None:
        super().__init__(card, members[0].root, NO_LAYOUT)
        self._members = tuple(members)

    @property
    def parts(self) -> tuple[Dataset, ...]:
        """The members, in the card's order."""
        return self._members

    def has(self, split: SplitName) -> bool:
        """Whether every member has training images; never a test."""
        return split == "train" and all(member.has("train") for member in self._members)

    def manifest(self, split: SplitName, on_file: OnFile = lambda done, total: None) -> Manifest:
        """The members' rows below each other, under a digest of theirs; :class:`UserError` for the test split."""
        if split != "train":
            tests = ", ".join(member.name for member in self._members)
            raise UserError(f"dataset {self.name!r} is a union, whose tests are its members'; name those: {tests}")
        if split not in self._manifests:
            manifests = [member.manifest("train", on_file) for member in self._members]
            self._manifests[split] = _joined(self.card, [member.name for member in self._members], manifests)
        return self._manifests[split]


def _joined(card: Card, names: Sequence[str], manifests: Sequence[Manifest]) -> Manifest:
    assert card.union is not None
    shares = card.union.fractions()
    parts = [*zip(names, (each.digest for each in manifests), shares or [None] * len(names), strict=True)]
    digest = hashlib.sha256(json.dumps(["union", parts]).encode()).hexdigest()
    layers = [{*each.pairs.roles} - {"rainy", "clean"} for each in manifests]
    common = [role for role in manifests[0].pairs.roles if all(role in each for each in layers)]
    tables = [
        _table(number, name, each.pairs, ["rainy", "clean", *common])
        for number, (name, each) in enumerate(zip(names, manifests, strict=True))
    ]
    table = pa.concat_tables(tables)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", write_page_checksum=True)
    return Manifest(Pairs(table, Path(), digest, shares=shares), digest, None, buffer.getvalue())


def _table(number: int, name: str, pairs: Pairs, roles: Sequence[str]) -> pa.Table:
    """A member's rows: images and scenes under its name, files by their whole paths."""
    root = pairs.root.absolute()

    def named(column: str, prefix: str) -> pa.Array:
        return pa.array([f"{prefix}{text}" for text in pairs.column(column).to_pylist()], pa.string())

    columns: dict[str, pa.Array] = {
        "image": named("image", f"{name}/"),
        "scene": named("scene", f"{name}/"),
        "height": pairs.column("height"),
        "width": pairs.column("width"),
        "member": pa.array([number] * len(pairs), pa.int32()),
        "side": pa.array([pairs.side_by_side] * len(pairs), pa.string()),
    }
    for role in roles:
        column = role if role in pairs.roles else "rainy"  # both halves of one file
        for what in _FACTS:
            columns[f"{role}{what}"] = pairs.column(f"{column}{what}") if what else named(column, f"{root}/")
    return pa.table(columns)
