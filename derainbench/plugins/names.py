"""The grammar of method names: ``prenet``, ``nasnet[attention=se,stages=2]``, ``prenet[shared=true]@rain100l``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from derainbench.errors import UserError

_NAME = re.compile(r"(?P<base>[A-Za-z0-9][\w.+-]*)(?:\[(?P<options>[^\[\]]*)\])?(?:@(?P<tag>[\w.+-]+))?")

#: A value becomes part of a folder's name.
_VALUE = re.compile(r"[\w.+-]+")

#: The most bytes of a method's name with its options and tag: it is a folder's, and with a suffix a file's, whose names
#: have at most 255.
_LONGEST = 200


@dataclass(frozen=True)
class ParsedName:
    """A method name taken apart: nothing is looked up yet."""

    base: str
    options: dict[str, str] = field(default_factory=dict)
    tag: str | None = None


def parse_name(text: str) -> ParsedName:
    """``base[option=value,...]@tag`` taken apart; :class:`UserError` where it does not follow that form."""
    if len(text.encode(errors="replace")) > _LONGEST:
        raise UserError(f"{text[:40]!r}... is longer than {_LONGEST} bytes, which no method's name is; shorten it")
    match = _NAME.fullmatch(text.strip())
    if match is None:
        raise UserError(f"{text!r} is not a method name: write NAME, NAME[option=value,...] or NAME@weights-tag")
    options: dict[str, str] = {}
    for item in filter(None, (match["options"] or "").split(",")):
        name, equals, value = (part.strip() for part in item.partition("="))
        if not equals or not name or not _VALUE.fullmatch(value):
            raise UserError(f"{text!r}: {item!r} is not an option; write option=value (letters, digits, . + - _)")
        if name in options:
            raise UserError(f"{text!r} gives option {name!r} twice; keep one")
        options[name] = value
    return ParsedName(match["base"], options, match["tag"])


#: Stands in ``trained_on`` for a method that has nothing to train.
UNTRAINED = "untrained"


#: Stands in ``trained_on`` for restored images of which nobody says what their maker was trained on.
UNKNOWN = "unknown"

#: What stands in ``trained_on`` and names no training set.
NO_TRAINING_SET = (UNTRAINED, UNKNOWN)


#: What rows are called whose images lie in a folder: ``images[name=NAME]``. No method has that name.
IMAGES = "images"


#: The method whose scores are those of the unprocessed input.
UNPROCESSED = "identity"


GROUP = "derainbench.methods"
