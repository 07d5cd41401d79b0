"""Trained weights: found by their hash, read without running code, checked before they reach a network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor

from derainbench.atomic import file_hash, write_atomic
from derainbench.errors import UserError, one_line
from derainbench.locate import cache_folder
from derainbench.method import Derainer
from derainbench.variant import Variant


def save_weights(path: Path, network: torch.nn.Module) -> None:
    """The network's state dict as safetensors, atomically; the same weights give the same bytes."""
    # Cloned, because safetensors refuses two names for one memory, which is what tied weights are.
    state = {name: value.detach().cpu().contiguous().clone() for name, value in network.state_dict().items()}
    write_atomic(path, save(state))


def read_weights(path: Path) -> dict[str, Tensor]:
    """A state dict from a ``.safetensors`` file or a torch file, on the CPU. No code of the file is ever run."""
    try:
        if path.suffix == ".safetensors":
            return load(path.read_bytes())
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such weights file; check the path") from error
    except Exception as error:  # a damaged file makes torch's reader raise almost anything
        reason = one_line(error)[:120] or type(error).__name__
        raise UserError(f"{path} cannot be read as weights ({reason}); fetch it again") from error
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{path} is not a state dict (names to tensors); give a file saved from state_dict()")
    return dict(state)


def load_into(network: Derainer, variant: Variant, path: Path) -> None:
    """Fill the network with the weights in a file, ours or as the authors published them.

    :class:`UserError` where they do not fit the network, naming the first misfit and the remedy.
    """
    state = read_weights(path)
    converters = dict.fromkeys(w.convert for w in variant.method.weights)
    for convert in (dict, *converters):
        try:
            candidate = convert(state)
        except (KeyError, RuntimeError):
            continue  # not the layout this converter knows
        if candidate and candidate.keys() == network.state_dict().keys():
            return _fill(network, candidate, variant, path)
    return _fill(network, state, variant, path)


def published_file(variant: Variant) -> Path:
    """The file of published weights in the user's cache, recognised by its hash under whatever name it was saved."""
    assert variant.weights is not None
    folder = cache_folder() / "weights" / variant.method.name
    for path in sorted(folder.glob("*")) if folder.is_dir() else ():
        if path.is_file() and file_hash(path) == variant.weights.sha256:
            return path
    raise UserError(
        f"the weights of {variant.name} are not here; fetch them from {variant.weights.source} into {folder} "
        f"(any file name, sha256 {variant.weights.sha256[:12]}...)"
    )


def _fill(network: Derainer, state: Mapping[str, Tensor], variant: Variant, path: Path) -> None:
    expected = network.state_dict()
    wrong = [f"{name} is missing" for name in expected if name not in state]
    wrong += [f"{name} is not part of the network" for name in state if name not in expected]
    wrong += [
        f"{name} has shape {tuple(state[name].shape)}, not {tuple(value.shape)}"
        for name, value in expected.items()
        if name in state and state[name].shape != value.shape
    ]
    if wrong:
        raise UserError(
            f"{path} does not fit {variant.name}: {wrong[0]}"
            + (f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else "")
            + "; give the options it was trained with, as in NAME[option=value]"
        )
    network.load_state_dict(dict(state))
