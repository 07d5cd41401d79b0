"""The protocols there are, as text for a person or JSON for a script."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence

from tabulate import tabulate

from derainbench.metrics.protocol import Crop, Protocol, Resize
from derainbench.metrics.protocols import DEFAULT_PROTOCOLS
from derainbench.metrics.signature import signature


def list_protocols(protocols: Sequence[Protocol]) -> str:
    """A row a protocol: what is measured, and who measures so."""
    rows = [(f"{each.name}{'*' if each.name in DEFAULT_PROTOCOLS else ''}", *_facts(each)) for each in protocols]
    headers = ["protocol", "of", "in 8 bit", "size", "SSIM window", "used by"]
    table = tabulate(rows, headers, disable_numparse=True)
    return f"{table}\n\n* scored unless others are asked for; derainbench protocols NAME says all of one"


def describe_protocols(protocols: Sequence[Protocol]) -> str:
    """Each protocol in full."""
    blocks = []
    for each in protocols:
        lines = [f"{each.name}: {each.title}"]
        lines += textwrap.wrap(each.description, 100) if each.description else []
        lines += textwrap.wrap(f"used by {each.used_by}", 100) if each.used_by else []
        blocks.append("\n  ".join([*lines, signature(each)]))
    return "\n\n".join(blocks)


def protocols_json(protocols: Sequence[Protocol]) -> str:
    """Every field of each, as a TOML file of one's own would give them, and the line to paste."""
    entries = [{**each.model_dump(mode="json"), "signature": signature(each)} for each in protocols]
    return json.dumps({"protocols": entries}, indent=2)


def _facts(protocol: Protocol) -> tuple[str, str, str, str, str]:
    rounding = {"none": "", "half-up": ", whole levels", "cv2": ", OpenCV's levels"}[protocol.luma_rounding]
    levels = {"none": "no", "round": "yes", "truncate": "truncated", "wrap": "wrapped"}[protocol.levels]
    clamped = "" if protocol.clamped else ", not clamped"
    window = f"{protocol.ssim.window}, {protocol.ssim.border}{', 3-D' if protocol.ssim.axes == 3 else ''}"
    used_by = textwrap.fill(protocol.used_by, 44)
    return f"{protocol.colour}{rounding}", f"{levels}{clamped}", _size(protocol), window, used_by


def _size(protocol: Protocol) -> str:
    border = [f"less {protocol.border} px a side"] if protocol.border else []
    geometry = protocol.geometry
    if isinstance(geometry, Crop):
        return ", ".join([f"cut to x{geometry.multiple}", *border])
    if isinstance(geometry, Resize):
        return ", ".join([f"resized to x{geometry.multiple}", *border])
    return ", ".join(border) or "whole"
