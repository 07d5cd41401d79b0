"""A method's network beside its plain transcription, with the same weights, and an image to run them on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from derainbench.methods.brn import BRN
from derainbench.methods.dafnet import DAFNET
from derainbench.methods.ddn import DDN
from derainbench.methods.deraindrop import DERAINDROP
from derainbench.methods.dgnl import DGNL
from derainbench.methods.didmdn import DIDMDN
from derainbench.methods.drn import DRN
from derainbench.methods.jorder import JORDER
from derainbench.methods.jordere import JORDERE
from derainbench.methods.nasnet import NASNET
from derainbench.methods.prenet import PRENET
from derainbench.methods.rescan import RESCAN
from derainbench.methods.spanet import SPANET
from derainbench.plugins.method import Derainer
from derainbench.plugins.registry import discover
from derainbench.plugins.weights import OfficialNames, Transposed, from_official, load_into, to_official
from derainbench.plugins.weights_store import place
from derainbench.rain.models import preset
from derainbench.rain.photographs import photograph
from tests.oracles import (
    brn,
    dafnet,
    ddn,
    deraindrop,
    dgnl,
    didmdn,
    drn,
    jorder,
    jordere,
    nasnet,
    prenet,
    rescan,
    spanet,
)

METHODS = {
    method.name: method
    for method in (PRENET, RESCAN, SPANET, NASNET, DDN, JORDER, JORDERE, DIDMDN, DERAINDROP, DGNL, DAFNET, DRN, BRN)
}
#: A plain network has ``restore``, RGB to RGB.
Plain = (
    prenet.PReNet
    | rescan.RESCAN
    | spanet.SPANet
    | nasnet.NASNet
    | ddn.DDN
    | jorder.JORDER
    | jordere.JORDERE
    | didmdn.DIDMDN
    | deraindrop.Generator
    | dgnl.DGNLNet
    | dafnet.DAFNet
    | drn.DRN
    | brn.BRN
)
#: The plain network of each method; it takes the method's options.
PLAIN: dict[str, Callable[..., Plain]] = {
    "prenet": prenet.PReNet,
    "rescan": rescan.RESCAN,
    "spanet": spanet.SPANet,
    "nasnet": nasnet.NASNet,
    "ddn": ddn.DDN,
    "jorder": jorder.JORDER,
    "jordere": jordere.JORDERE,
    "dgnl": dgnl.DGNLNet,
    "didmdn": didmdn.DIDMDN,
    "deraindrop": deraindrop.Generator,
    "dafnet": dafnet.DAFNet,
    "drn": drn.DRN,
    "brn": brn.BRN,
}
#: Tags of the authors' weights, used where ``derainbench weights add`` has put them into the user's cache.
PUBLISHED = {
    "prenet": "rain100l",
    "rescan": "rain200l",
    "spanet": "spa",
    "ddn": "rain1400",
    "jorder": "rain100l",
    "dgnl": "raincityscapes",
    "drn": "rain100l",
    "brn": "rain100l",
}


class Pair(NamedTuple):
    """The same function twice: as derainbench has it, and as plainly as it can be written."""

    ours: Derainer
    plain: Plain


def layout(name: str) -> tuple[OfficialNames, Transposed]:
    """How a method's weights lie in its authors' files, and in its plain network."""
    return METHODS[name].official_layout


def build(name: str, seed: int = 0, **options: Any) -> Pair:
    """A method's two networks with the same random weights, in eval mode on the CPU."""
    torch.manual_seed(seed)
    plain = PLAIN[name](**options)
    ours = METHODS[name].network(**options)
    ours.load_state_dict(from_official(plain.state_dict(), ours.state_dict(), *layout(name)))
    return Pair(ours.eval(), plain.eval())


def build_published(name: str) -> tuple[Pair, str]:
    """A method's two networks with the authors' weights, and their tag, if they are in the user's cache; otherwise with
    random ones."""
    pair = build(name)
    if name not in PUBLISHED:
        return pair, "random"
    variant = discover().variant(f"{name}@{PUBLISHED[name]}")
    path, state = place(variant)
    if state != "here":
        return pair, "random"
    load_into(pair.ours, variant, path)
    pair.plain.load_state_dict(to_official(pair.ours.state_dict(), *layout(name)))
    return pair, PUBLISHED[name]


def gmac(plain: Plain, height: int, width: int) -> float:
    """1e9 multiply-accumulates that a plain network takes for one image. Moves the network to the meta device.

    SPANet's, whose loops over rows take long to count, for few pixels, of which each takes as much as any other.
    """
    rows, columns = (16, 16) if isinstance(plain, spanet.SPANet) else (height, width)
    plain.to("meta")
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        plain.restore(torch.empty(1, 3, rows, columns, device="meta"))
    return float(counter.get_total_flops() / 2e9 * height * width / (rows * columns))


def fitting(ours: Derainer, size: tuple[int, int]) -> tuple[int, int]:
    """The height and width that the harness would pad such an image to."""
    height, width = (-(-side // ours.size_multiple) * ours.size_multiple for side in size)
    return height, width


def rainy_photograph(height: int, width: int) -> Tensor:
    """(1, 3, H, W) RGB in [0, 1]: the middle of a photograph under streaks like Rain100L's, repeated if too small."""
    clean = photograph("coffee")
    top, left = (max(0, (have - want) // 2) for have, want in zip(clean.shape, (height, width), strict=False))
    rainy = preset("rain100l")(clean[top : top + height, left : left + width], None, seed=0).rainy
    image = torch.from_numpy(rainy).permute(2, 0, 1)[None] / 255
    repeats = (-(-height // image.shape[2]), -(-width // image.shape[3]))
    return image.repeat(1, 1, *repeats)[:, :, :height, :width].contiguous()
