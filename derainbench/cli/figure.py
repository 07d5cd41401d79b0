"""``derainbench figure``: figures for papers, of crops, of costs, of trainings."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from derainbench.cli.options import OUT
from derainbench.errors import UserError, printable
from derainbench.support.words import split_list

if TYPE_CHECKING:
    from derainbench.reports.papers.files import Look
    from derainbench.reports.papers.subjects import Order, Plate


def figure(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN", help="A run's folder (several are merged), or one that derain wrote."),
    ],
    images: Annotated[
        str, typer.Option(help="Test images: 012,050 or rain100l/012; default chosen by rule, as on the page.")
    ] = "",
    window: Annotated[
        list[str],
        typer.Option(metavar="IMAGE:X,Y,WxH", help="What is magnified, in pixels; repeatable. Default by rule."),
    ] = [],  # noqa: B006 - typer copies it
    methods: Annotated[str, typer.Option(help="Methods, in this order; default all.")] = "",
    rename: Annotated[
        list[str], typer.Option(metavar="METHOD=TITLE", help="What a method is called; repeatable.")
    ] = [],  # noqa: B006
    datasets: Annotated[str, typer.Option(help="Of the run's; default all.")] = "",
    protocol: Annotated[str | None, typer.Option(help="Of the scores; default the run's first.")] = None,
    errors: Annotated[bool, typer.Option("--errors", help="Maps of the error below the crops.")] = False,
    photos: Annotated[
        list[Path], typer.Option(help="What derain was given: photographs without ground truth; repeatable.")
    ] = [],  # noqa: B006
    plot: Annotated[
        str, typer.Option(metavar="METRIC:COST", help="Instead: psnr:parameters, psnr:macs or psnr:latency.")
    ] = "",
    curves: Annotated[bool, typer.Option("--curves", help="Instead: losses and validation of the trainings.")] = False,
    formats: Annotated[
        str, typer.Option("--format", help="Any of pdf, png, latex (of charts pgf), or all.")
    ] = "pdf,png",
    template: Annotated[str, typer.Option(metavar="cvpr|ieee", help="Widths and font of whose papers.")] = "cvpr",
    columns: Annotated[int | None, typer.Option(min=1, max=2, help="Of a page; default 2, of charts 1.")] = None,
    dpi: Annotated[int, typer.Option(min=72, max=1200, help="Dots an inch of a PNG.")] = 300,
    out: Annotated[Path | None, typer.Option(**OUT, help="Folder to write to; default RUN/figures.")] = None,
    name: Annotated[str, typer.Option(help="Name of the files with crops.")] = "qualitative",
) -> None:
    """Make a figure for a paper: crops of every method, quality against cost, or training curves.

    Crops need restored images that the run kept (derainbench run --images). The same command writes the same bytes.
    """
    from derainbench.reports.content import folder_for
    from derainbench.reports.papers.files import CHART_FORMATS, PLATE_FORMATS, Look, formats_of
    from derainbench.reports.papers.subjects import Order
    from derainbench.reports.papers.template import template_of
    from derainbench.reports.papers.windows import parse_windows
    from derainbench.reports.titles import parse_renames

    if bool(plot) + curves + bool(images or window or errors or photos) > 1:
        raise UserError("--plot, --curves, and crops (--images, --window, --errors, --photos) are figures of their own")
    if curves and protocol is not None:
        raise UserError("--protocol: trainings are validated under y and have no other; leave it out with --curves")
    if not name or not all(letter.isascii() and (letter.isalnum() or letter in "-_") for letter in name):
        raise UserError(f"--name {name!r}: letters, digits, - and _ alone, for LaTeX takes no others")
    charts = bool(plot) or curves
    asked = formats_of(formats, CHART_FORMATS if charts else PLATE_FORMATS)
    look = Look(template_of(template), columns or (1 if charts else 2), dpi)
    order = Order(
        images=tuple(split_list(images)),
        windows=parse_windows(window),
        methods=tuple(split_list(methods)),
        titles=parse_renames(rename),
        datasets=tuple(split_list(datasets)),
        protocol=protocol,
        errors=errors,
    )
    folder = folder_for(runs, out, "figures")
    if charts:
        _charts(runs, plot, order, asked, look, folder)
    else:
        _crops(runs, photos, order, asked, look, folder, name)


def _charts(runs: Sequence[Path], plot: str, order: Order, formats: Sequence[str], look: Look, folder: Path) -> None:
    from derainbench.reports.content import efficiency_of
    from derainbench.reports.options import check_protocol
    from derainbench.reports.papers.files import write_charts
    from derainbench.reports.papers.plots import cost_charts, curve_charts, parse_plot
    from derainbench.results.load import load_run
    from derainbench.results.merging import merged

    if plot:
        parse_plot(plot)
    check_protocol(order.protocol, runs)
    results = merged([load_run(run) for run in runs])
    if plot:
        charts = cost_charts(results, efficiency_of(runs), plot, order, look.template, look.columns)
    else:
        charts = curve_charts(results, order, look.template, look.columns)
    for path in write_charts(charts, folder, formats, look):
        typer.echo(str(path))
    for chart in charts:
        typer.echo(chart.words)


def _crops(
    runs: Sequence[Path],
    photos: Sequence[Path],
    order: Order,
    formats: Sequence[str],
    look: Look,
    folder: Path,
    name: str,
) -> None:
    from derainbench.reports.options import check_protocol
    from derainbench.reports.papers.files import write_plate
    from derainbench.reports.papers.from_run import plate_of_run
    from derainbench.results.load import load_run
    from derainbench.results.merging import merged

    if photos:
        plate = _of_photographs(runs, photos, order)
    else:
        if len(runs) == 1 and (runs[0] / "index.html").is_file() and not (runs[0] / "run.json").is_file():
            raise UserError(f"{runs[0]} is no run: if derainbench derain wrote it, give --photos with its photographs")
        check_protocol(order.protocol, runs)
        plate = plate_of_run(merged([load_run(run) for run in runs]), order)
    paths, height = write_plate(plate, folder, name, formats, look)
    for path in paths:
        typer.echo(str(path))
    for subject in plate.subjects:
        words = " ".join(f"--window {shlex.quote(f'{subject.name}:{box}')}" for box in subject.windows)
        typer.echo(printable(f"{words}{f'  ({subject.rule})' if subject.rule else ''}"))
    if height > look.template.height:
        typer.echo(
            f"note: the figure is {height:.1f} in high, and a page of {look.template.name} {look.template.height} in; "
            "give fewer images or windows",
            err=True,
        )


def _of_photographs(runs: Sequence[Path], photos: Sequence[Path], order: Order) -> Plate:
    from derainbench.plugins.registry import discover
    from derainbench.reports.papers.from_photographs import methods_in, plate_of_photographs

    if len(runs) > 1 or not runs[0].is_dir():
        raise UserError(
            f"{', '.join(map(str, runs))}: with --photos, give the one folder that derainbench derain wrote"
        )
    if order.datasets or order.protocol:
        raise UserError("--datasets, --protocol: photographs have no scores, and are of no dataset; leave them out")
    registry, titles = discover([]), {}
    for name in methods_in(runs[0]):
        try:
            titles[name] = registry.variant(name).title
        except UserError:  # a plugin's
            titles[name] = name
    return plate_of_photographs(runs[0], photos, titles, order)
