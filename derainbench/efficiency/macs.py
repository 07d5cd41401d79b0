"""How many multiply-accumulates (MACs) a network takes for an image, counted by torch on the meta device.

Counted are convolutions, grouped and transposed ones too, and matrix products. Not counted are biases and what acts on
single values or neighbourhoods without a kernel: activations, gates, normalisation, pooling, resizing, and SPANet's
recurrences (1,024 products a pixel beside 525,120 counted ones).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

from derainbench.engine.device import channels_last
from derainbench.errors import FOREIGN, UserError, one_line
from derainbench.plugins.variant import Variant
from derainbench.support.atomic import read_json, write_json
from derainbench.support.cache import cache_folder

#: Who counted, for whoever compares with another count.
TOOL = f"torch {torch.__version__} FlopCounterMode, FLOPs / 2"


#: Height and width in pixels of the image for which ``run.json`` says what a method costs.
SIDE = 256


def _matrix_by_vector(*shapes: Any, out_shape: Any = None, **_: Any) -> int:
    """FLOPs of ``aten.mv`` and ``aten.addmv``, whose last two arguments are the matrix and the vector."""
    rows, columns = next(shape for shape in shapes if isinstance(shape, Sequence) and len(shape) == 2)
    return int(2 * rows * columns)


#: What torch's counter leaves out of the matrix products.
_MORE = {torch.ops.aten.mv: _matrix_by_vector, torch.ops.aten.addmv: _matrix_by_vector}


class NotCountedError(Exception):
    """A network does not run on the meta device; the message is the reason in one line."""


def count_macs(network: nn.Module, height: int, width: int) -> int:
    """Multiply-accumulates of one (1, 3, height, width) image, padded to the network's ``size_multiple`` as usual.

    Nothing is computed: whatever device the network is on, its parameters are replaced by their shapes (meta device)
    meanwhile. The network is left in evaluation mode. :class:`NotCountedError` where it does not run like that.
    """
    multiple = int(getattr(network, "size_multiple", 1))
    shapes = {
        name: tensor.to("meta")
        for named in (network.named_parameters(), network.named_buffers())
        for name, tensor in named
    }
    image = torch.empty(1, 3, height + -height % multiple, width + -width % multiple, device="meta")
    counter = FlopCounterMode(display=False, custom_mapping=_MORE)
    try:
        with torch.no_grad(), counter:
            functional_call(network.eval(), shapes, (channels_last(image),))
    except FOREIGN as error:  # whatever a plugin's network raises
        raise NotCountedError(
            f"it does not run on the meta device ({type(error).__name__}: {one_line(error)})"
        ) from error
    return int(counter.get_total_flops()) // 2


def described(variant: Variant, height: int = SIDE, width: int = SIDE) -> dict[str, Any] | None:
    """``macs``, the ``height`` and ``width`` they are for and the ``tool``, for ``run.json``; None if not countable.

    The weights behind a tag do not matter: the same network costs the same. Counts are kept in derainbench's cache, by
    the code of the network: torch needs a second to get ready for the first one of a process.
    """
    asked = [variant.source_digest(), variant.method.name, repr(dict(variant.options)), height, width, TOOL]
    if variant.weights is not None and not variant.tag:  # whichever network is in the file of that name
        asked.append(variant.weights.sha256)
    kept = cache_folder() / "macs" / f"{hashlib.sha256(json.dumps(asked).encode()).hexdigest()}.json"
    known = _read(kept)
    if known is not None:
        return known
    try:
        macs = count_macs(variant.skeleton(), height, width)
    except NotCountedError:
        return None
    found = {"macs": macs, "height": height, "width": width, "tool": TOOL}
    with contextlib.suppress(UserError):  # counted again next time
        write_json(kept, found)
    return found


def _read(kept: Path) -> dict[str, Any] | None:
    try:
        known = read_json(kept)
    except UserError:  # not there, or damaged
        return None
    return known if isinstance(known, dict) and isinstance(known.get("macs"), int) else None
