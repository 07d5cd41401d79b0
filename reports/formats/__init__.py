"""The formats of a report: a module each, found by its name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from functools import cache

from derainbench.errors import UserError, did_you_mean

from ..format import Format


@cache
def format_names() -> tuple[str, ...]:
    """Every format, what people read most easily first."""
    return tuple(sorted(_modules(), key=lambda name: _loaded(name).rank))


def get_format(name: str) -> Format:
    """The format of that name; UserError where there is none."""
    if name not in _modules():
        known, hint = f"known: {', '.join(format_names())}, or all", did_you_mean(name, [*format_names()])
        near = f"{hint} ({known})" if hint.startswith("did you mean") else known
        raise UserError(f"unknown report format {name!r}; {near}")
    return _loaded(name)


def get_formats(names: Sequence[str]) -> dict[str, Format]:
    """Those formats by name, each once; UserError where one does not exist, or none is named."""
    if not names:
        raise UserError(f"no report format is given: name one or more of {', '.join(format_names())}, or all")
    return {name: get_format(name) for name in names}


@cache
def _modules() -> frozenset[str]:
    return frozenset(module.name for module in pkgutil.iter_modules(__path__))


def _loaded(name: str) -> Format:
    found: Format = importlib.import_module(f".{name}", __name__).FORMAT
    return found
