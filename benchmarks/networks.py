"""A method's network beside its plain transcription, with the same weights, and an image to run them on."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from derainbench.methods.deraindrop import DERAINDROP
from derainbench.methods.didmdn import DIDMDN
from derainbench.methods.nasnet import NASNET
from derainbench.methods.prenet import PRENET
from derainbench.methods.rescan import RESCAN
from derainbench.methods.spanet import SPANET
from derainbench.plugins.method import Derainer
from derainbench.plugins.registry import discover
from derainbench.plugins.weights import from_official, load_into, to_official
from derainbench.plugins.weights_store import place
from derainbench.rain.models import preset
from derainbench.rain.photographs import photograph
from tests.oracles import deraindrop, didmdn, nasnet, prenet, rescan, spanet

METHODS = {method.name: method for method in (PRENET, RESCAN, SPANET, NASNET, DIDMDN, DERAINDROP)}
#: A plain network has ``restore``, RGB to RGB.
Plain = prenet.PReNet | rescan.RESCAN | spanet.SPANet | nasnet.NASNet | didmdn.DIDMDN | deraindrop.Generator
#: The plain network of each method; it takes the method's options.
PLAIN: dict[str, Callable[..., Plain]] = {
    "prenet": prenet.PReNet,
    "rescan": rescan.RESCAN,
    "spanet": spanet.SPANet,
    "nasnet": nasnet.NASNet,
    "didmdn": didmdn.DIDMDN,
    "deraindrop": deraindrop.Generator,
}
#: Tags of the authors' weights, used where ``derainbench weights add`` has put them into the user's cache.
PUBLISHED = {"prenet": "rain100l", "rescan": "rain200l", "spanet": "spa"}


class Pair(NamedTuple):
    """The same function twice: as derainbench has it, and as plainly as it can be written."""

    ours: Derainer
    plain: Plain


def build(name: str, seed: int = 0, **options: Any) -> Pair:
    """A method's two networks with the same random weights, in eval mode on the CPU."""
    torch.manual_seed(seed)
    plain = PLAIN[name](**options)
    ours = METHODS[name].network(**options)
    ours.load_state_dict(from_official(plain.state_dict(), ours.state_dict(), METHODS[name].official_names))
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
    pair.plain.load_state_dict(to_official(pair.ours.state_dict(), METHODS[name].official_names))
    return pair, PUBLISHED[name]


def gmac(plain: Plain, height: int, width: int) -> float:
    """1e9 multiply-accumulates that a plain network takes for one image. Moves the network to the meta device.

    Counted for few pixels, of which each takes as much as any other, because the loops over rows take long to count;
    but for DID-MDN, whose classifier takes the same for any image.
    """
    sides = (height, width) if isinstance(plain, didmdn.DIDMDN) else (16, 16)
    plain.to("meta")
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        plain.restore(torch.empty(1, 3, *sides, device="meta"))
    return float(counter.get_total_flops() / 2e9 * height * width / math.prod(sides))


def rainy_photograph(height: int, width: int) -> Tensor:
    """(1, 3, H, W) RGB in [0, 1]: the middle of a photograph under streaks like Rain100L's, repeated if too small."""
    clean = photograph("coffee")
    top, left = (max(0, (have - want) // 2) for have, want in zip(clean.shape, (height, width), strict=False))
    rainy = preset("rain100l")(clean[top : top + height, left : left + width], None, seed=0).rainy
    image = torch.from_numpy(rainy).permute(2, 0, 1)[None] / 255
    repeats = (-(-height // image.shape[2]), -(-width // image.shape[3]))
    return image.repeat(1, 1, *repeats)[:, :, :height, :width].contiguous()
