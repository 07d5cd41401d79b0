"""How many parameters a module has: a part of a network, named by its place in a package."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from derainbench.errors import UserError, one_line
from derainbench.plugins.variant import bounded


def module_parameters(place: str, arguments: Mapping[str, Any]) -> int:
    """The parameters of the class at ``package.module:Class``, made with ``arguments``; nothing is allocated.

    :class:`UserError` where it cannot be made, or is no torch module. Imports the package.
    """
    package, _, name = place.partition(":")
    try:
        made = getattr(importlib.import_module(package), name)
        with torch.device("meta"), bounded():
            module = made(**arguments)
    except Exception as error:  # whatever somebody else's module does
        given = ", ".join(f"{option} = {value}" for option, value in arguments.items())
        raise UserError(f"{place} with {given} cannot be made ({type(error).__name__}: {one_line(error)})") from error
    if not isinstance(module, nn.Module):
        raise UserError(f"{place} makes a {type(module).__name__}, not a torch module")
    return sum(parameter.numel() for parameter in module.parameters())
