"""What a folder of ``datasets synth`` says of itself, ``synth.json``: what its images were made from, and how."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, ValidationError, model_serializer

from derainbench.errors import UserError
from derainbench.rain.models import RainModelName
from derainbench.support.atomic import read_json, write_json

_SCHEMA = 1

DepthSource = Literal["none", "given", "modelled"]


class SplitRecord(BaseModel):
    """One split: what decides its bytes, and what came of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    """Of derainbench."""
    preset: str
    seed: int
    per_image: int
    depth: DepthSource
    """Where the depth of mist comes from; "none" for the other rain models."""
    scenes: dict[str, str] = {}
    """Stamps of the clean images (and depth maps) by scene: what tells that a file was exchanged."""
    pairs: int = 0
    """How many are there. 0 until a run came to its end."""
    measured: list[dict[str, float]] | None = None
    """Rows of `statistics.measure`; None until a run came to its end."""
    test_share: float | None = None
    """The part of the clean images that went to test, where one folder was divided; None where it is one split's."""

    @model_serializer(mode="wrap")
    def _without_what_was_not_asked(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = serialise(self)
        return data if self.test_share is not None else {k: v for k, v in data.items() if k != "test_share"}


class SynthRecord(BaseModel):
    """A whole folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_: int = Field(default=_SCHEMA, alias="schema")
    name: str
    model: RainModelName
    splits: dict[Literal["train", "test"], SplitRecord]


def read_record(out: Path) -> SynthRecord | None:
    """The record in ``out``; None in a folder that is new or empty. :class:`UserError` where others' files are."""
    path = out / "synth.json"
    if not path.exists():
        if out.exists() and not out.is_dir():
            raise UserError(f"--out {out} is a file; give a folder")
        if out.is_dir() and any(not entry.name.startswith(".") for entry in out.iterdir()):
            raise UserError(f"--out {out} has files that datasets synth did not make; give a new folder")
        return None
    data = read_json(path)
    if not isinstance(data, dict) or data.get("schema") != _SCHEMA:
        raise UserError(f"{path} was written by another version of derainbench; use that one or another --out")
    try:
        return SynthRecord.model_validate(data)
    except ValidationError as error:
        raise UserError(f"{path} is damaged; give another --out, or delete the folder and make it again") from error


def write_record(out: Path, record: SynthRecord) -> None:
    """Atomically, and only where it differs from what is there."""
    path, data = out / "synth.json", record.model_dump(mode="json", by_alias=True)
    if not path.exists() or read_json(path) != data:
        write_json(path, data)


def refuse_others(out: Path, found: SynthRecord, asked: SynthRecord) -> None:
    """:class:`UserError` naming what differs where ``asked``, of one split, does not go on what ``found`` is."""
    differing = [
        (label, getattr(found, field), getattr(asked, field))
        for field, label in (("model", "--model"), ("name", "--name"))
        if getattr(found, field) != getattr(asked, field)
    ]
    for split, new in asked.splits.items():
        old = found.splits.get(split)
        for field in ("preset", "seed", "per_image", "depth", "test_share") if old is not None else ():
            if getattr(old, field) != getattr(new, field):
                differing.append((f"--{field.replace('_', '-')}", getattr(old, field), getattr(new, field)))
    if differing:
        texts = ", ".join(
            f"{f'{label} {old}' if old is not None else f'no {label}'}, not {'none' if new is None else new}"
            for label, old, new in differing
        )
        raise UserError(f"{out} was made with {texts}; ask for the same, or give another --out")
