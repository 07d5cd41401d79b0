"""The protocols there are, by name: those of the field, and a user's own, each a TOML file. Needs no torch.

Published tables differ in colour space, rounding, window and border, which moves PSNR by 1 to 5 dB between them.
Every way of measuring therefore has a name here, and :data:`PROTOCOLS` holds them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from derainbench.errors import UserError, did_you_mean
from derainbench.metrics.field_protocols import FIELD
from derainbench.metrics.protocol import Protocol
from derainbench.support.toml import complaints, read_toml

_SHIPPED = {each.name: each for each in FIELD}
_KNOWN = dict(_SHIPPED)
#: All ways of measuring by name: the field's, then a user's own that this process has met.
PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(_KNOWN)
#: Those that a run scores where it is not asked for others.
DEFAULT_PROTOCOLS = ("y", "rgb", "rgb-float-u7")


def get_protocol(name: str) -> Protocol:
    """The protocol of that name; :class:`UserError` listing all of them if there is none."""
    if name not in PROTOCOLS:
        hint, known = did_you_mean(name, list(PROTOCOLS)), "known: " + ", ".join(sorted(PROTOCOLS))
        raise UserError(f"unknown metric protocol {name!r}: " + (hint if hint == known else f"{hint} ({known})"))
    return PROTOCOLS[name]


def is_own(name: str) -> bool:
    """Whether the protocol of that name is a user's own, which a run folder has to describe."""
    return name not in _SHIPPED


def version_of(protocol: Protocol) -> int | str:
    """What a stored score says of the protocol that measured it: its revision, or the hash of a user's own."""
    return protocol.digest if is_own(protocol.name) else protocol.revision


def own_of(names: Iterable[str]) -> tuple[Protocol, ...]:
    """Those of the protocols that are a user's own."""
    return tuple(PROTOCOLS[name] for name in names if is_own(name))


def learn(protocol: Protocol, where: str) -> Protocol:
    """Know a user's own protocol by its name from now on; ``where`` it was found stands in the error.

    :class:`UserError` where that name already stands for another way of measuring: the two would share a column.
    """
    known = PROTOCOLS.get(protocol.name)
    if known is None:
        _KNOWN[protocol.name] = protocol
    elif known.digest != protocol.digest:
        other = "another of that name" if is_own(protocol.name) else "the field's of that name"
        raise UserError(
            f"{where}: protocol {protocol.name!r} measures otherwise than {other}; give one of them another name"
        )
    return PROTOCOLS[protocol.name]


def read_protocol(path: Path) -> Protocol:
    """A user's own protocol from its TOML file, whose keys are the fields of :class:`Protocol`, and known from now on.

    :class:`UserError` where the file cannot be read, is no such protocol, or its name stands for another one.
    """
    content = read_toml(path, "protocol")
    try:
        protocol = Protocol.model_validate(content)
    except ValidationError as error:
        raise UserError(f"protocol {path}: {complaints(Protocol, error, 'protocol')}; mend it") from error
    return learn(protocol, f"protocol {path}")
