"""State dicts in files: written, read without running code, and fitted to a network in our layout or the authors'."""

from __future__ import annotations

import io
import stat
import warnings
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from derainbench.errors import UserError, one_line
from derainbench.plugins.caffe import read_caffemodel
from derainbench.plugins.method import Derainer, never_transposed, same_name
from derainbench.plugins.numpy_weights import read_npz
from derainbench.plugins.tensorflow_weights import read_checkpoint
from derainbench.plugins.variant import Variant
from derainbench.support.atomic import storage_error, write_atomic

#: The suffixes of weights files that are written.
FORMATS = (".pth", ".pt", ".safetensors")

#: How many times as much as its network's weights a file may hold, for optimisers and averages saved beside them, and
#: what it may in any case.
ROOM, ROOM_AT_LEAST = 16, 64 * 2**20

#: Readers of what neither torch nor safetensors wrote.
_OTHERS = {".npz": read_npz, ".index": read_checkpoint, ".caffemodel": read_caffemodel}

#: What torch's DataParallel puts before every name.
_PARALLEL = "module."

#: What torch's batch normalisation keeps beside its averages.
_COUNTER = "num_batches_tracked"


def save_weights(path: Path, network: torch.nn.Module) -> None:
    """The network's state dict as safetensors, atomically; the same weights give the same bytes."""
    write_state(path, network.state_dict())


def write_state(path: Path, state: Mapping[str, Tensor]) -> None:
    """A state dict, atomically: as torch writes it for the suffixes ``.pth`` and ``.pt``, otherwise as safetensors."""
    # Cloned, because safetensors refuses two names for one memory (tied weights), and torch writes a view's whole base.
    whole = {name: value.detach().cpu().contiguous().clone() for name, value in state.items()}
    if path.suffix in (".pth", ".pt"):
        buffer = io.BytesIO()
        torch.save(whole, buffer)
        write_atomic(path, buffer.getvalue())
    else:
        write_atomic(path, save(whole))


def check_size(path: Path, variant: Variant) -> None:
    """:class:`UserError` where a file cannot be the variant's weights: no regular file, or one of many times as much.

    Nothing of it is read but a zip archive's directory, which says what it would be when it is inflated.
    """
    needed = sum(value.numel() * value.element_size() for value in variant.skeleton().state_dict().values())
    most = ROOM * needed + ROOM_AT_LEAST
    holds = _size(path)
    if holds > most:
        raise UserError(
            f"{path} holds {holds:,} bytes, {variant.name} has weights of {needed:,}; give the file of its weights"
        )


def _size(path: Path) -> int:
    """How many bytes a file holds, or a torch file's archive once it is inflated."""
    try:
        facts = path.stat()
    except OSError as error:
        raise _no_file(path, error) from error
    if not stat.S_ISREG(facts.st_mode):  # a pipe is waited for, and a device has no end
        raise UserError(f"{path} is no regular file; give a weights file")
    try:
        with zipfile.ZipFile(path) as archive:
            return max(facts.st_size, sum(part.file_size for part in archive.infolist()))
    except Exception:  # another format, or damaged, which whoever reads it says
        return facts.st_size


def refuse_inflating(path: Path) -> None:
    """:class:`UserError` for what is no regular file, or an archive that holds more than its file: torch packs none."""
    holds = _size(path)
    if holds > path.stat().st_size:
        raise UserError(f"{path} holds more than its size, {holds:,} bytes; torch did not write it")


def _no_file(path: Path, error: OSError) -> UserError:
    if isinstance(error, FileNotFoundError):
        return UserError(f"{path}: no such weights file; check the path")
    return storage_error(path, error)


def read_weights(path: Path) -> dict[str, Tensor]:
    """A state dict from a ``.safetensors`` file, a torch file, a NumPy archive (``.npz``), a TensorFlow checkpoint (its
    ``.index``) or a ``.caffemodel``, on the CPU. No code of the file is ever run.

    A training's file that holds its state dict under one key, beside counters or an optimiser, gives that state dict,
    and so does a run's ``checkpoint.pt``.
    """
    content = read_content(path)
    if _is_state_dict(content):
        return dict(content)
    if isinstance(content, Mapping) and isinstance(content.get("trainer"), Mapping):
        content = content["trainer"]  # a checkpoint of derainbench's own: the network so far is there
        content = content.get("network", content)
        if _is_state_dict(content):
            return dict(content)
    inside = [name for name, value in content.items() if _is_state_dict(value)] if isinstance(content, Mapping) else []
    if len(inside) > 1:
        found = ", ".join(map(repr, inside))
        raise UserError(f"{path} holds several state dicts ({found}); save the one you mean as a file of its own")
    if not inside:
        raise UserError(f"{path} is not a state dict (names to tensors); give a file saved from state_dict()")
    return dict(content[inside[0]])


def read_content(path: Path) -> Any:
    """All that is in a file of weights, whatever stands beside the state dict; formats as in :func:`read_weights`."""
    try:
        if path.suffix == ".safetensors":
            return load(path.read_bytes())
        if path.suffix in _OTHERS:
            return _OTHERS[path.suffix](path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the formats that hostile tensors are in
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise _no_file(path, error) from error
    except UserError:
        raise
    except Exception as error:  # a damaged file makes torch's reader raise almost anything
        reason = one_line(error)[:120] or type(error).__name__
        raise UserError(f"{path} cannot be read as weights ({reason}); fetch it again") from error


def load_into(network: Derainer, variant: Variant, path: Path) -> None:
    """Fill the network with the weights in a file, ours or as the authors published them.

    :class:`UserError` where they do not fit the network, naming the first misfit and the remedy.
    """
    network.load_state_dict(fitted(variant, path))


def fitted(variant: Variant, path: Path) -> dict[str, Tensor]:
    """The weights in a file under our names, checked against the variant's network: every name and every shape.

    The file may follow our layout or the authors', and may come from a network that DataParallel wrapped.
    :class:`UserError` where it does not fit, naming the first misfit and the remedy.
    """
    check_size(path, variant)
    readings = [read_weights(path)]
    if all(name.startswith(_PARALLEL) for name in readings[0]):
        readings.append({name.removeprefix(_PARALLEL): value for name, value in readings[0].items()})
    ours, method = variant.skeleton().state_dict(), variant.method
    layouts: list[tuple[dict[str, Tensor], OfficialNames, Transposed]] = [(ours, same_name, never_transposed)]
    if not any(reading.keys() == ours.keys() for reading in readings):
        theirs = [method.official_layout]
        theirs += [(names, never_transposed) for names in method.other_names]
        layouts += [(to_official(ours, *each), *each) for each in theirs]
    # The pair that differs least: where none fits, the misfit is told in the names that the file's author knows.
    reading, (layout, official, transposed) = min(
        ((reading, layout) for layout in layouts for reading in readings),
        key=lambda pair: len(pair[0].keys() ^ pair[1][0].keys()),
    )
    # How many batches an average is of counts for nothing where it is an exponential one; other frameworks have none.
    counters = {name: torch.zeros((), dtype=torch.long) for name in layout if name.endswith(_COUNTER)}
    reading = counters | {n: value for n, value in reading.items() if n in layout or not n.endswith(_COUNTER)}
    misfits = _misfits(reading, layout)
    if misfits:
        raise UserError(
            f"{path} does not fit {variant.name}: {misfits[0]}"
            + (f" (and {len(misfits) - 1} more)" if len(misfits) > 1 else "")
            + "; give the options it was trained with, as in NAME[option=value]"
        )
    return from_official(reading, ours, official, transposed)


def _misfits(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> list[str]:
    misfits = [f"{name} is missing" for name in expected if name not in state]
    misfits += [f"{name} is not part of the network" for name in state if name not in expected]
    both = [name for name in expected if name in state]
    misfits += [f"{name} {wrong}" for name in both if (wrong := _misfit(state[name], expected[name]))]
    return misfits


def _misfit(value: Tensor, expected: Tensor) -> str:
    """What is wrong with a tensor; its values are looked at last, when there are known to be no more than needed."""
    if type(value) not in (Tensor, torch.nn.Parameter) or value.is_nested or value.layout is not torch.strided:
        return f"is no plain tensor (layout {value.layout}, {type(value).__name__})"
    if value.is_quantized or value.is_meta:
        return "is quantised" if value.is_quantized else "has no values (it is on the meta device)"
    if value.shape != expected.shape:
        return f"has shape {tuple(value.shape)}, not {tuple(expected.shape)}"
    if value.is_complex():
        return "holds values that are not finite real numbers"
    if value.is_floating_point() != expected.is_floating_point():
        return f"holds {value.dtype}, not {expected.dtype}"
    # float8 has no isfinite; and float64 may be finite where float32 is not
    return "" if value.to(expected.dtype).isfinite().all() else "holds values that are not finite real numbers"


def _is_state_dict(value: object) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(name, str) and isinstance(part, Tensor) for name, part in value.items())
    )


#: What the authors call a parameter of ours, and whether its rows and columns are exchanged in their files; see
#: :class:`derainbench.plugins.method.Method`.
OfficialNames = Callable[[str], tuple[str, ...]]
Transposed = Callable[[str], bool]


def from_official(
    state: Mapping[str, Tensor],
    our_names: Iterable[str],
    official: OfficialNames,
    transposed: Transposed = never_transposed,
) -> dict[str, Tensor]:
    """The tensors of the authors' ``state`` under our names, parts concatenated along dim 0 (output channels).

    ``KeyError`` for a name that ``state`` lacks; what it has beside them is left out.
    """
    converted = {}
    for name in our_names:
        parts = [state[theirs] for theirs in official(name)]
        value = parts[0] if len(parts) == 1 else torch.cat(parts)
        converted[name] = value.mT.contiguous() if transposed(name) else value
    return converted


def to_official(
    state: Mapping[str, Tensor], official: OfficialNames, transposed: Transposed = never_transposed
) -> dict[str, Tensor]:
    """Our ``state`` in the authors' layout: the inverse of :func:`from_official`, bit for bit.

    ``ValueError`` where the names cannot be a layout: a tensor that does not divide into equal parts, or two tensors
    under one name.
    """
    converted: dict[str, Tensor] = {}
    for name, ours in state.items():
        theirs, value = official(name), ours.mT.contiguous() if transposed(name) else ours
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
