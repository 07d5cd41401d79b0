"""Figures of papers that compare the size of modules, as data: which modules, and how many parameters they have."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tabulate import tabulate

from derainbench.errors import UserError, did_you_mean
from derainbench.support.toml import complaints, read_toml

Argument = int | float | str | bool
#: How many parameters the class at ``package.module:Class`` has, made with these arguments.
CountModule = Callable[[str, Mapping[str, Argument]], int]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModuleSeries(_Data):
    """One module in several settings: ``module`` is ``package.module:Class``, made with ``arguments`` and each of the
    ``values`` for the argument called ``vary``; ``label`` names a setting, with {} for the value. ``parameters`` are
    what was counted of each, so that a report needs no torch to show them; empty where nobody counted."""

    title: str
    module: Annotated[str, Field(pattern=r"^[\w.]+:\w+$")]
    arguments: dict[str, Argument] = {}
    vary: str
    values: Annotated[tuple[int, ...], Field(min_length=1)]
    label: Annotated[str, Field(pattern=r"^[^{}]*\{\}[^{}]*$")]
    parameters: tuple[int, ...] = ()


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


def published_figure(asked: str, count: CountModule) -> CountedFigure:
    """The figure called ``nasnet/5``, or of a TOML file, counted anew.

    :class:`UserError` for what does not exist, and for a file or a module with a mistake.
    """
    shipped = _shipped()
    if asked in shipped:
        return _with_counts(shipped[asked], asked, count)
    if not asked.endswith(".toml"):
        hint = did_you_mean(asked, sorted(shipped))
        raise UserError(f"no figure is called {asked!r}; {hint} (your own: give the path of its .toml file)")
    return _with_counts(Path(asked), Path(asked).stem, count)


def figures_of(papers: Collection[str]) -> tuple[CountedFigure, ...]:
    """The figures that come with derainbench of the papers called so (``nasnet``), with the counts in their files."""
    shipped = _shipped().items()
    return tuple(_figure(_read(path, name)) for name, path in shipped if name.partition("/")[0] in papers)


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


def _read(path: Path, name: str) -> FigureData:
    content = read_toml(path, "figure")
    try:
        return FigureData.model_validate({"name": name, **content})
    except ValidationError as error:
        raise UserError(f"figure {path}: {complaints(FigureData, error)}") from error


def _with_counts(path: Path, name: str, count: CountModule) -> CountedFigure:
    data = _read(path, name)
    counted = []
    for each in data.series:
        try:
            numbers = tuple(count(each.module, {**each.arguments, each.vary: value}) for value in each.values)
        except UserError as error:
            raise UserError(f"figure {path}: {error}") from error
        counted.append(each.model_copy(update={"parameters": numbers}))
    return _figure(data.model_copy(update={"series": tuple(counted)}))


def _figure(data: FigureData) -> CountedFigure:
    series = tuple(
        CountedSeries(
            title=each.title,
            points=tuple(
                Point(label=each.label.format(value), value=value, parameters=parameters)
                for value, parameters in zip(each.values, each.parameters, strict=True)
            ),
        )
        for each in data.series
    )
    title = f"{data.paper}, Figure {data.number}"
    return CountedFigure(name=data.name, title=title, caption=data.caption, series=series, notes=data.notes)
