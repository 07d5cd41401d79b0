"""Figures of papers that compare the size of modules: declared as data, counted from the modules themselves."""

from __future__ import annotations

import importlib
import json
from collections.abc import Collection
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tabulate import tabulate
from torch import nn

from derainbench.errors import UserError, did_you_mean, one_line
from derainbench.plugins.variant import bounded
from derainbench.support.toml import complaints, read_toml


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModuleSeries(_Data):
    """One module in several settings: ``module`` is ``package.module:Class``, made with ``arguments`` and each of the
    ``values`` for the argument called ``vary``; ``label`` names a setting, with {} for the value."""

    title: str
    module: Annotated[str, Field(pattern=r"^[\w.]+:\w+$")]
    arguments: dict[str, int | float | str | bool] = {}
    vary: str
    values: Annotated[tuple[int, ...], Field(min_length=1)]
    label: Annotated[str, Field(pattern=r"^[^{}]*\{\}[^{}]*$")]


class FigureData(_Data):
    """A figure's file."""

    name: str
    number: str
    paper: str
    caption: str
    series: Annotated[tuple[ModuleSeries, ...], Field(min_length=1)]
    notes: tuple[str, ...] = ()


class Point(_Data):
    """A module in one setting, and how many parameters it has."""

    label: str
    value: int
    parameters: int


class CountedSeries(_Data):
    """The settings of one module."""

    title: str
    points: tuple[Point, ...]


class CountedFigure(_Data):
    """A figure with its numbers."""

    name: str
    title: str
    caption: str
    series: tuple[CountedSeries, ...]
    notes: tuple[str, ...]


def published_figure(asked: str) -> CountedFigure:
    """The figure called ``nasnet/5``, or of a TOML file. Imports the modules that the file names.

    :class:`UserError` for what does not exist, and for a file or a module with a mistake.
    """
    shipped = _shipped()
    if asked in shipped:
        return _counted(shipped[asked], asked)
    if not asked.endswith(".toml"):
        hint = did_you_mean(asked, sorted(shipped))
        raise UserError(f"no figure is called {asked!r}; {hint} (your own: give the path of its .toml file)")
    return _counted(Path(asked), Path(asked).stem)


def figures_of(papers: Collection[str]) -> tuple[CountedFigure, ...]:
    """The figures that come with derainbench of the papers called so (``nasnet``)."""
    shipped = _shipped().items()
    return tuple(_counted(path, name) for name, path in shipped if name.partition("/")[0] in papers)


def figure_text(figure: CountedFigure) -> str:
    """The figure's numbers for a terminal."""
    body = [(point.label, f"{point.parameters:,}") for series in figure.series for point in series.points]
    table = tabulate(body, ("Module", "Parameters"), disable_numparse=True, colalign=("left", "right"))
    return "\n".join([f"{figure.title}: {figure.caption}", "", table, "", *figure.notes])


def figure_json(figure: CountedFigure) -> str:
    """The figure for a script."""
    return json.dumps(figure.model_dump(mode="json"), indent=2)


def _shipped() -> dict[str, Path]:
    root = Path(str(files("derainbench.reports.published").joinpath("tables")))
    return {f"{path.parents[1].name}/{path.stem}": path for path in sorted(root.glob("*/figures/*.toml"))}


def _counted(path: Path, name: str) -> CountedFigure:
    content = read_toml(path, "figure")
    try:
        data = FigureData.model_validate({"name": name, **content})
    except ValidationError as error:
        raise UserError(f"figure {path}: {complaints(FigureData, error)}") from error
    series = tuple(
        CountedSeries(
            title=each.title,
            points=tuple(
                Point(label=each.label.format(value), value=value, parameters=_parameters(each, value, path))
                for value in each.values
            ),
        )
        for each in data.series
    )
    title = f"{data.paper}, Figure {data.number}"
    return CountedFigure(name=data.name, title=title, caption=data.caption, series=series, notes=data.notes)


def _parameters(series: ModuleSeries, value: int, path: Path) -> int:
    """How many parameters the module has with this value; nothing is allocated."""
    package, _, name = series.module.partition(":")
    try:
        made = getattr(importlib.import_module(package), name)
        with torch.device("meta"), bounded():
            module = made(**series.arguments, **{series.vary: value})
    except Exception as error:  # whatever somebody else's module does
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise UserError(
            f"figure {path}: {series.module} with {series.vary} = {value} cannot be made ({reason})"
        ) from error
    if not isinstance(module, nn.Module):
        raise UserError(f"figure {path}: {series.module} makes a {type(module).__name__}, not a torch module")
    return sum(parameter.numel() for parameter in module.parameters())
