"""The options that several commands take."""

from __future__ import annotations

from collections.abc import Iterable
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
PrecisionOption = Annotated[
    str, typer.Option("--precision", help="auto (bf16 on a GPU that has it), fp32, tf32, bf16, fp16.")
]
ThreadsOption = Annotated[
    int | None, typer.Option("--threads", min=1, max=1024, help="Threads that compute; default the cores at hand.")
]


def same_files(cards: Iterable[Path], data_root: Path | None) -> list[str]:
    """The words that let another command find the same datasets."""
    words = [word for path in cards for word in ("--card", str(path))]
    return words + (["--data-root", str(data_root)] if data_root is not None else [])
