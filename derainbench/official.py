"""State dicts between the authors' layout and ours: renamed, and merged where we keep several of theirs as one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

#: What the authors call a parameter of ours; see :class:`derainbench.method.Method`.
OfficialNames = Callable[[str], tuple[str, ...]]


def from_official(state: Mapping[str, Tensor], our_names: Iterable[str], official: OfficialNames) -> dict[str, Tensor]:
    """The tensors of the authors' ``state`` under our names, parts concatenated along dim 0 (output channels).

    ``KeyError`` for a name that ``state`` lacks; what it has beside them is left out.
    """
    converted = {}
    for name in our_names:
        parts = [state[theirs] for theirs in official(name)]
        converted[name] = parts[0] if len(parts) == 1 else torch.cat(parts)
    return converted


def to_official(state: Mapping[str, Tensor], official: OfficialNames) -> dict[str, Tensor]:
    """Our ``state`` in the authors' layout: the inverse of :func:`from_official`, bit for bit.

    ``ValueError`` where the names cannot be a layout: a tensor that does not divide into equal parts, or two tensors
    under one name.
    """
    converted: dict[str, Tensor] = {}
    for name, value in state.items():
        theirs = official(name)
        if len(theirs) == 1:
            parts: tuple[Tensor, ...] = (value,)
        elif theirs and value.ndim and value.shape[0] % len(theirs) == 0:
            parts = torch.split(value, value.shape[0] // len(theirs))
        else:
            raise ValueError(f"{name} of shape {tuple(value.shape)} does not divide into {len(theirs)} equal parts")
        for their_name, part in zip(theirs, parts, strict=True):
            if their_name in converted:
                raise ValueError(f"two tensors are called {their_name!r} in the authors' layout; one is {name!r}")
            converted[their_name] = part
    return converted
