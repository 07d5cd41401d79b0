"""Whose the files are that a report would replace: an earlier report's, or somebody's own of the same name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from derainbench.atomic import storage_error
from derainbench.errors import UserError

_TEX = b"% Written by derainbench"

#: The files of each format, and what stands in them where derainbench wrote them. ``report.pdf`` is LaTeX's work: it
#: stands and falls with its source.
SIGNS: Mapping[str, Mapping[str, bytes]] = MappingProxyType(
    {
        "html": {"index.html": " – derainbench</title>".encode()},
        "latex": {
            "report.tex": b"made by derainbench",
            "tables.tex": _TEX,
            "weights.tex": _TEX,
            "published.tex": _TEX,
            "references.bib": _TEX,
        },
        "markdown": {"report.md": b"derainbench"},
        "csv": {"scores.csv": b"method,trained_on,seed,dataset,image,"},
        "json": {"results.json": b'"derainbench-results/'},
    }
)


def refuse_to_replace(folder: Path, formats: Sequence[str]) -> None:
    """:class:`UserError` where a file that a report would write into ``folder`` is there and no report's.

    A folder of a paper has a ``references.bib`` of its own.
    """
    asked = ["latex" if name == "pdf" else name for name in formats]
    for name, sign in (each for format_ in dict.fromkeys(asked) for each in SIGNS[format_].items()):
        path = folder / name
        try:
            if path.is_file() and path.stat().st_size and sign not in path.read_bytes():
                raise UserError(f"{path} was not written by derainbench; move it away, or give another --out")
        except OSError as error:
            raise storage_error(path, error) from error
