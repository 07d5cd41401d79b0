"""A network's options: its keyword arguments, read from the signature and checked against its types."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from derainbench.errors import UserError, did_you_mean
from derainbench.plugins.method import Derainer


def option_types(network: type[Derainer]) -> dict[str, Any]:
    """Option name to annotated type, in the signature's order. :class:`UserError` where it cannot be read."""
    hints = typing.get_type_hints(network.__init__, include_extras=True)
    types = {}
    for parameter in list(inspect.signature(network.__init__).parameters.values())[1:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            if network.__init__ is Derainer.__init__:
                continue  # nn.Module's own (*args, **kwargs): a network without options
            raise UserError(
                f"{network.__name__}.__init__ takes *{parameter.name}; name every option, with a type and a default"
            )
        if parameter.default is parameter.empty or parameter.name not in hints:
            raise UserError(
                f"{network.__name__}.__init__: option {parameter.name!r} needs a type and a default, "
                "as in width: int = 8"
            )
        types[parameter.name] = hints[parameter.name]
    return types


def option_defaults(network: type[Derainer]) -> dict[str, Any]:
    """Option name to default value, in the signature's order."""
    parameters = inspect.signature(network.__init__).parameters
    return {name: parameters[name].default for name in option_types(network)}


def check_options(method: str, network: type[Derainer], given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that differ from their defaults, converted to their types, in the signature's order.

    Raises :class:`UserError` for an option the network does not have (with the nearest name) or a value it refuses.
    """
    types, defaults = option_types(network), option_defaults(network)
    for name in given:
        if name not in types:
            known = did_you_mean(name, list(types)) if types else "it has none"
            raise UserError(f"method {method!r} has no option {name!r}; {known}")
    converted = {name: _convert(method, name, types[name], given[name]) for name in types if name in given}
    return {name: value for name, value in converted.items() if value != defaults[name]}


def _convert(method: str, name: str, expected: Any, value: Any) -> Any:
    if isinstance(value, str) and value.lower() == "none" and type(None) in typing.get_args(expected):
        return None
    if typing.get_origin(expected) is Literal:  # pydantic compares, it does not convert: "4" would not be 4
        value = {spell(choice): choice for choice in typing.get_args(expected)}.get(value, value)
    try:
        return TypeAdapter(expected).validate_python(value)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].replace("Input should be", "it should be")
        choices = typing.get_args(expected) if typing.get_origin(expected) is Literal else ()
        near = f"; {did_you_mean(str(value), [str(c) for c in choices])}" if choices else ""
        raise UserError(f"option {name}={value!r} of method {method!r}: {reason}{near}") from error


def spell(value: Any) -> str:
    """An option's value as it is typed on the command line."""
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)
