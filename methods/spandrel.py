"""Networks of other people by spandrel, which recognises from a file of weights alone which network they are of.

chaiNNer's library of architectures, https://github.com/chaiNNer-org/spandrel (MIT), and its companion
spandrel_extra_arches, whose wrapper is MIT and whose architectures are not. It builds the network, fills it, pads an
image to the sizes that the network takes and cuts the padding away; here it is given images, and its answers are
scored. ``spandrel[file=NAME.pth]`` is a file in the working folder, or in ``weights/spandrel/`` of derainbench's cache.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from derainbench import Derainer, Method, UserError, Weights
from derainbench.errors import FOREIGN, one_line
from derainbench.methods._spandrel_library import library
from derainbench.plugins.variant import TooLargeError, bounded
from derainbench.plugins.weights import read_content, refuse_inflating
from derainbench.support.atomic import file_hash
from derainbench.support.cache import cache_folder

#: What the code of the extra architectures is under. Those of spandrel itself are under licences that allow everything.
#: Restormer's, MPRNet's and MIRNet-v2's were read; the others are as others list them, unconfirmed.
LICENCES = {
    "AdaCode": "CC BY-NC-SA 4.0",
    "CodeFormer": "S-Lab License 1.0, non-commercial",
    "DDColor": "academic and non-commercial use only",
    "FeMaSR": "CC BY-NC-SA 4.0",
    "M3SNet": "Academic Public License, non-commercial",
    "MAT": "CC BY-NC 4.0",
    "MIRNet2": "Academic Public License, non-commercial",
    "MPRNet": "Academic Public License, non-commercial",
    "Restormer": "Academic Public License, non-commercial",
    "SRFormer": "CC BY-NC 4.0",
}

#: Stands in ``trained_on`` where the user does not say it.
_UNSTATED = "unstated"


class _Recognised(NamedTuple):
    """What a file is: the network's name, the file's hash, and what the network's code is under."""

    network: str
    sha256: str
    licence: str


class Spandrel(Derainer):
    """The network in ``file``, as spandrel runs it; ``trained_on`` is the user's word for what it was trained on.

    Its size is padded by spandrel to what the network takes (a multiple, a minimum, a square) and cut again. It sees
    the whole image, as far as is known here: tiled only where that is asked for.
    """

    not_exportable = "spandrel runs it outside of what torch.export traces"

    def __init__(self, file: str = "", trained_on: str = _UNSTATED) -> None:
        super().__init__()
        descriptor = _opened(_found(file))
        self.model: torch.nn.Module = descriptor.model
        self._descriptor = descriptor

    def forward(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) to the same, in [0, 1], without a gradient; never in training mode."""
        restored: Tensor = self._descriptor(rainy)
        return restored


def _found(file: str) -> Path:
    """The file of that name; :class:`UserError` where there is none."""
    if not file:
        raise UserError("spandrel is no network without a file; write spandrel[file=NAME.pth]")
    kept = cache_folder() / "weights" / "spandrel"
    for path in (Path(file), kept / file):
        if path.is_file():
            return path
    raise UserError(f"spandrel[file={file}]: no such file here in {Path.cwd()}, nor in {kept}; put it into one of them")


def _opened(path: Path) -> Any:
    """spandrel's descriptor of the network in a file, in evaluation mode, on torch's default device of the moment.

    :class:`UserError` where spandrel does not know the network, or where it is none from RGB to RGB of one size.
    """
    found = library()
    refuse_inflating(path)
    content = read_content(path)
    if not isinstance(content, Mapping):
        raise UserError(f"{path} is not a state dict (names to tensors); give a file saved from state_dict()")
    state = found.spandrel.canonicalize_state_dict(dict(content))
    state = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    if torch.get_default_device().type == "meta":  # looked at, not run: no values are needed
        state = {name: value.to("meta") for name, value in state.items()}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what torch will have otherwise one day in other people's code
            descriptor = found.registry.load(state).eval()
    except found.spandrel.UnsupportedModelError as error:
        version = getattr(found.spandrel, "__version__", "here")
        missing = f" ({found.missing})" if found.missing else ""
        raise UserError(
            f"{path} is of no network that spandrel {version} knows; of those that it knows, "
            f"{len(found.registry)} are here{missing}"
        ) from error
    _check_purpose(descriptor, path)
    return descriptor


def _check_purpose(descriptor: Any, path: Path) -> None:
    """:class:`UserError` for a network that does not make one RGB image of another of its size."""
    name, remedy = descriptor.architecture.name, "give a network that restores images as they are"
    if not isinstance(descriptor, library().spandrel.ImageModelDescriptor):
        raise UserError(f"{path} is of {name}, which wants a mask beside the image; {remedy}")
    if descriptor.scale != 1:
        raise UserError(f"{path} is of {name}, which makes images {descriptor.scale} times as large; {remedy}")
    channels = (descriptor.input_channels, descriptor.output_channels)
    if channels != (3, 3):
        raise UserError(f"{path} is of {name}, from {channels[0]} to {channels[1]} channels; give one from RGB to RGB")


@lru_cache(maxsize=64)
def _recognised(path: Path, modified: int, size: int) -> _Recognised:
    """What the unchanged file is; :class:`UserError` where it is no network that can be scored here."""
    try:
        try:
            with torch.device("meta"), bounded():
                network = _opened(path).architecture
        except (UserError, TooLargeError):
            raise
        except FOREIGN:  # an architecture that reads a tensor's value
            with bounded():
                network = _opened(path).architecture
    except UserError:
        raise
    except FOREIGN as error:  # a file that only seems to be of an architecture
        reason = f"{type(error).__name__}: {one_line(error)[:200]}"
        raise UserError(f"{path} cannot be opened by spandrel ({reason}); fetch it again") from error
    if network.id in library().extra:
        licence = LICENCES.get(network.id, "a restrictive licence, see spandrel_extra_arches")
    else:
        licence = "permissive, as spandrel says"
    return _Recognised(network.name, file_hash(path), licence)


def opened(options: Mapping[str, Any]) -> Weights:
    """The weights that the options stand for; errors as in :class:`Spandrel`, and where ``trained_on`` is no name."""
    trained_on = options.get("trained_on", _UNSTATED)
    if trained_on == "untrained" or not re.fullmatch(r"[A-Za-z0-9][\w.+-]*", trained_on):
        raise UserError(f"spandrel[trained_on={trained_on}]: give the name of the training set's card, or another word")
    path = _found(options.get("file", ""))
    facts = path.stat()
    found = _recognised(path.absolute(), facts.st_mtime_ns, facts.st_size)
    return Weights(
        tag="",
        trained_on=trained_on,
        source=f"the user's file {path.name}",
        sha256=found.sha256,
        licence=f"unknown, of {found.network}'s code: {found.licence}",
        options=options,
        verified=False,
        network=found.network,
    )


SPANDREL = Method(name="spandrel", title="spandrel", network=Spandrel, opens=opened)
