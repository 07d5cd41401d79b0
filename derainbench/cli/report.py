"""``derainbench report`` and ``derainbench compare``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from derainbench.cli.options import OUT, ColumnsOption, JsonOption, RenameOption


class PageImages(StrEnum):
    """Where the images of a report's page are."""

    EMBED = "embed"
    BESIDE = "beside"
    NONE = "none"


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Run folders; several are merged into one.")],
    formats: Annotated[
        str, typer.Option("--format", help="Any of html, pdf (needs LaTeX), latex, markdown, csv, json, or all.")
    ] = "html,latex,markdown,csv,json",
    protocol: Annotated[
        str | None, typer.Option(help="The protocol of the table printed here, one of the run's; default its first.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(**OUT, help="Where to write; default RUN/report, for several runs ./report.")
    ] = None,
    images: Annotated[
        PageImages, typer.Option(help="Whether the page holds the images, or has them beside it, or none.")
    ] = PageImages.EMBED,
    table: Annotated[
        list[str],
        typer.Option(help="Published tables: nasnet, nasnet/3, rain13k, a TOML file of your own, or none; repeatable."),
    ] = ["nasnet"],  # noqa: B006 - typer copies it
    siunitx: Annotated[bool, typer.Option("--siunitx", help="Set LaTeX's numbers in siunitx columns.")] = False,
    columns: ColumnsOption = None,
    rename: RenameOption = [],  # noqa: B006 - typer copies it
) -> None:
    """Write the comparison as a page, LaTeX tables, Markdown, CSV and JSON, and print it.

    Measured scores stand beside those that papers print. Several runs are merged into one report.
    """
    from derainbench.reports.content import folder_for, report_of
    from derainbench.reports.format import Style
    from derainbench.reports.latex.numbers import PLAIN, SIUNITX
    from derainbench.reports.options import check_protocol, formats_of, tables_of
    from derainbench.reports.text.terminal import terminal
    from derainbench.reports.titles import parse_renames
    from derainbench.reports.write import write_report

    style = Style(images.value, SIUNITX if siunitx else PLAIN, columns)
    titles = parse_renames(rename)
    asked, tables = formats_of(formats, style), tables_of(table, runs)
    check_protocol(protocol, runs)
    content = report_of(runs, tables, titles)
    text = terminal(content, protocol)
    path = write_report(content, folder_for(runs, out), asked, style)
    typer.echo(text)
    typer.echo(str(path))


def compare(
    first: Annotated[Path, typer.Argument(metavar="RUN_A", help="The folder of a run.")],
    second: Annotated[Path, typer.Argument(metavar="RUN_B", help="The folder of another.")],
    protocol: Annotated[
        str | None, typer.Option(help="The protocol to compare under; default the first of both.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what changed from one run to another: scores, whether beyond chance, and what they depended on.

    Exit status: 0 whatever the outcome, 2 for a mistake that you can mend.
    """
    from derainbench.reports.text.run_comparison import comparison_json, comparison_text
    from derainbench.results.comparing import compare_runs
    from derainbench.results.load import load_run

    comparison = compare_runs(load_run(first), load_run(second), protocol)
    typer.echo((comparison_json if as_json else comparison_text)(comparison), nl=False)
