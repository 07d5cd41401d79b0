"""The options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PluginOption = Annotated[list[Path], typer.Option("--plugin", help="A Python file that defines methods; repeatable.")]
CardOption = Annotated[list[Path], typer.Option("--card", help="A dataset card (TOML) of your own; repeatable.")]
DataOption = Annotated[
    Path | None,
    typer.Option("--data-root", envvar="DERAINBENCH_DATA", help="Folder that holds the datasets' folders."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]
DeviceOption = Annotated[str, typer.Option("--device", help="auto (the GPU if there is one), cpu, cuda, cuda:N, mps.")]
TileOption = Annotated[
    str, typer.Option("--tile", metavar="auto|off|N", help="Restore large images in tiles of N pixels a side.")
]
PrecisionOption = Annotated[str, typer.Option("--precision", help="auto (bf16 mixed on a GPU), fp32, bf16.")]
