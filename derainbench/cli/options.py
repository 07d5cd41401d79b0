"""The options that several commands take."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from derainbench.errors import UserError

#: The most processes that a command starts.
MOST_WORKERS = 256

#: The environment's variables that are paths.
_PATHS = ("DERAINBENCH_CACHE", "DERAINBENCH_DATA", "DERAINBENCH_NODE_CACHE")

_LONGEST, _LONGEST_PATH = 255, 4000  # bytes of a name, on every file system in use, and of a path, on Linux


def out_folder(text: str) -> Path:
    """What ``--out`` names. No words are no folder: ``--out "$UNSET"`` would write into the one at hand."""
    if not text:
        raise typer.BadParameter("it is empty; give a path, or . for the folder you are in")
    return Path(text)


def say_threads(asked: int | None) -> None:
    """Compute with so many threads, and say in a line where that does this machine no good."""
    from derainbench.engine.threads import use_threads  # torch, for which --help does not wait

    note = use_threads(asked)
    if note:
        typer.echo(note, err=True)


#: What an option ``--metrics`` takes.
MetricsOption = Annotated[
    str,
    typer.Option(
        metavar="NAMES",
        help="Metrics beside PSNR and SSIM: niqe,lpips-alex,pyiqa:musiq; derainbench metrics lists them.",
    ),
]

#: What an option ``--out`` takes.
OUT: dict[str, Any] = {"parser": out_folder, "metavar": "PATH"}


def check_words(words: Iterable[str], environment: Mapping[str, str]) -> None:
    """:class:`UserError` for words of a command, or paths in the environment, that nothing can be called.

    Told here, once, for all options and commands: what is not UTF-8, which no file of results could hold, and names and
    paths of more bytes than a file system takes. Between commas and slashes stand names of their own.
    """
    given = [("an argument", word) for word in words]
    given += [(name, environment[name]) for name in _PATHS if name in environment]
    for where, word in given:
        if re.search("[\ud800-\udfff]", word):
            raise UserError(f"{where}, {word!a}, is not UTF-8; rename the file, or change the word")
        longest = max(len(name.encode()) for name in re.split("[/,]", word))
        if longest > _LONGEST:
            raise UserError(f"{where}, {word[:40]!r}..., has a name of {longest:,} bytes; none has over {_LONGEST}")
        longest = max(len(path.encode()) for path in word.split(","))
        if longest > _LONGEST_PATH:
            raise UserError(
                f"{where}, {word[:40]!r}..., is a path of {longest:,} bytes; none has over {_LONGEST_PATH:,}"
            )


#: What readers call methods; :func:`derainbench.reports.titles.parse_renames` reads it.
RenameOption = Annotated[
    list[str],
    typer.Option(metavar="METHOD=TITLE", help="What readers call a method, as in nasnet='Ours'; repeatable."),
]
ColumnsOption = Annotated[
    int | None,
    typer.Option(min=1, max=2, help="LaTeX tables that fit a document of one column (12 cm), or of two (CVPR, IEEE)."),
]
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
