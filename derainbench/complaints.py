"""What is wrong with a file's keys and values, in the file's own words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from derainbench.errors import did_you_mean

#: The most mistakes of a file that are named.
MOST = 20


def complaints(model: type[BaseModel], error: ValidationError) -> str:
    """What a validation of ``model`` found, on one line; an unknown key meets those of its own table.

    All of it, but for what goes beyond :data:`MOST`: a file of something else may have a mistake in each of its lines.
    """
    found = error.errors(include_url=False)
    shown = dict.fromkeys(_complaint(model, each) for each in found[:MOST])
    return "; ".join([*shown, *([f"and {len(found) - MOST:,} more mistakes"] if len(found) > MOST else [])])


def _complaint(model: type[BaseModel], error: ErrorDetails) -> str:
    where = ".".join(_printable(str(part)) for part in error["loc"]) or "card"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        table = _table(model, error["loc"][:-1])
        message = f"no such key; {did_you_mean(str(error['loc'][-1]), list(table.model_fields))}"
    return f"{where}: {message}"


def _printable(text: str) -> str:
    return text if text.isprintable() else ascii(text)


def _table(model: type[BaseModel], place: tuple[int | str, ...]) -> type[BaseModel]:
    """The model of the table at a place, which is made of keys, of positions in arrays, and of names in mappings."""
    for key in place:
        if key in model.model_fields:
            model = next(_models(model.model_fields[key].annotation), model)
    return model


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models inside ``Model | None`` and ``tuple[Model, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
