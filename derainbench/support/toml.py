"""Reading a TOML file that somebody wrote, with its mistakes as one line."""

from __future__ import annotations

import re
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from derainbench.errors import UserError, did_you_mean, one_line

#: The most bytes of a file: the longest that come with derainbench have 4,000, and reading takes seconds a megabyte.
LARGEST = 2**19

#: The most dots of one key: for each of them Python's reader goes through all the others.
MOST_DOTS = 32

_MOST_BITS = 14_000  # of a whole number: in hexadecimal Python reads more, and then refuses to write them in decimals

_TEXTS = re.compile(r'"""(?:[^\\]|\\.)*?"""|\'\'\'.*?\'\'\'|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*', re.DOTALL)


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """The content of a file. :class:`UserError` where it cannot be read or is not TOML; ``what`` it is: ``card``.

    Files that would take ages, or other programs by surprise, are refused too: what is no regular file or larger than
    :data:`LARGEST`, keys of more than :data:`MOST_DOTS` dots, numbers that Python can read and then not show.
    """
    try:
        facts = path.stat()
        mode = facts.st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # a pipe is waited for, a device endless
            raise UserError(f"{what} {path} is no regular file; give the path of a TOML file")
        if facts.st_size > LARGEST:
            raise UserError(
                f"{what} {path} has {facts.st_size:,} bytes, and none needs over {LARGEST:,}; check the path"
            )
        text = path.read_text(encoding="utf-8-sig")
        if any(key.count(".") > MOST_DOTS for key in re.split(r"[,=\n\[\]{}]", _TEXTS.sub("x", text))):
            raise UserError(f"{what} {path} has a key with more than {MOST_DOTS} dots; mend it")
        content = tomllib.loads(text)
    except OSError as error:
        raise UserError(f"{what} {path} cannot be read ({error.strerror}); check the path") from error
    except (ValueError, RecursionError) as error:  # numbers of 5,000 digits and "[" by the thousand, too
        raise UserError(f"{what} {path} is not TOML ({one_line(error)}); mend it") from error
    if _holds_large_number(content):
        raise UserError(f"{what} {path} has a whole number of over 4,000 digits, which is not TOML; mend it")
    return content


def _holds_large_number(content: dict[str, Any]) -> bool:
    pending: list[object] = [content]
    while pending:
        value = pending.pop()
        if isinstance(value, int) and value.bit_length() > _MOST_BITS:
            return True
        if isinstance(value, dict):
            pending += value.values()
        elif isinstance(value, list):
            pending += value
    return False


#: The most mistakes of a file that are named.
MOST = 20


def complaints(model: type[BaseModel], error: ValidationError, whole: str = "card") -> str:
    """What a validation of ``model`` found, on one line; an unknown key meets those of its own table.

    All of it, but for what goes beyond :data:`MOST`: a file of something else may have a mistake in each of its lines.
    ``whole`` is what the file is called where a mistake is none of a single key.
    """
    found = error.errors(include_url=False)
    shown = dict.fromkeys(_complaint(model, each, whole) for each in found[:MOST])
    return "; ".join([*shown, *([f"and {len(found) - MOST:,} more mistakes"] if len(found) > MOST else [])])


def _complaint(model: type[BaseModel], error: ErrorDetails, whole: str) -> str:
    where = ".".join(_printable(str(part)) for part in error["loc"]) or whole
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
