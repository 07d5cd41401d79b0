"""``derainbench table``: one table, as a file asks for it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from derainbench.cli.options import OUT, ColumnsOption, PluginOption, RenameOption
from derainbench.errors import UserError

if TYPE_CHECKING:
    from derainbench.reports.own_tables.fill import Defaults
    from derainbench.reports.own_tables.table import OwnTable


class TableFormat(StrEnum):
    """How a table is written down."""

    TEX = "tex"
    MD = "md"
    CSV = "csv"
    HTML = "html"


def table(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Run folders; several are merged into one.")],
    spec: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What the table shows (TOML); default the run's comparison.")
    ] = None,
    table_format: Annotated[
        TableFormat | None, typer.Option("--format", help="Default: by the ending of --out, or md.")
    ] = None,
    columns: ColumnsOption = None,
    rename: RenameOption = [],  # noqa: B006 - typer copies it
    notes: Annotated[
        bool | None, typer.Option("--notes/--no-notes", help="Sentences below the table, whatever the file says.")
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(help="Without --spec: the protocol of the comparison; default the run's first.")
    ] = None,
    out: Annotated[Path | None, typer.Option(**OUT, help="A file to write it to; default: it is printed.")] = None,
    print_spec: Annotated[
        bool, typer.Option("--print-spec", help="Print the file that gives this table, to begin with, and no table.")
    ] = False,
    plugin: PluginOption = [],  # noqa: B006 - typer copies it
) -> None:
    """Print one table of a run: rows and columns by a file, quoted numbers among measured ones.

    What was measured under different protocols, or trained on different sets, is not set beside each other unless the
    file says so, and then it is marked.
    """
    import tomli_w

    from derainbench.reports.content import report_of
    from derainbench.reports.own_files import OwnFiles
    from derainbench.reports.own_tables.default import default_spec
    from derainbench.reports.own_tables.fill import fill_own, retitled
    from derainbench.reports.own_tables.spec import read_spec, spec_data
    from derainbench.reports.text.terminal import plain_text
    from derainbench.reports.titles import parse_renames
    from derainbench.support.atomic import write_atomic

    if protocol is not None and spec is not None:
        raise UserError(f"--protocol does not go with --spec, whose file names its protocols; write it into {spec}")
    kind = _format(table_format, out, print_spec)
    if out is not None and (out.exists() if print_spec else spec is not None and out.resolve() == spec.resolve()):
        raise UserError(f"--out {out} is there already, and may be a file that you wrote; give another name")
    own = None if out is None or print_spec else OwnFiles(out.parent)
    if out is not None and own is not None:
        own.check([out.name])
    asked, titles = None if spec is None else read_spec(spec), parse_renames(rename)
    content = report_of(runs, (), titles)
    where = "table" if spec is None else f"table spec {spec}"
    chosen = default_spec(content, protocol) if asked is None else retitled(asked, content, titles)
    if columns is not None:
        chosen = chosen.model_copy(update={"layout": chosen.layout.model_copy(update={"columns": columns})})
    if notes is not None:
        chosen = chosen.model_copy(update={"notes": notes})
    filled = fill_own(chosen, content, where, _defaults(plugin))
    text = tomli_w.dumps(spec_data(chosen)) if print_spec else _written(filled, kind)
    if out is None:
        typer.echo("\n".join(map(plain_text, text.split("\n"))), nl=False)
    else:
        if own is None:
            write_atomic(out, text.encode())
        else:
            own.write_all({out.name: text.encode()})
        typer.echo(str(out))
    if not chosen.notes and not print_spec:
        for note in filled.notes:
            typer.echo(plain_text(f"not said in the table: {note}"), err=True)


def _format(asked: TableFormat | None, out: Path | None, any_name: bool) -> TableFormat:
    """The format that is asked for, or that a file's name ends in."""
    if asked is not None or out is None or any_name:
        return asked or TableFormat.MD
    ending = out.suffix.removeprefix(".").lower()
    named = {"htm": "html", "markdown": "md"}.get(ending, ending)
    if named not in [*TableFormat]:
        raise UserError(f"--out {out}: give --format ({', '.join(TableFormat)}), or a name that ends in one of them")
    return TableFormat(named)


def _written(filled: OwnTable, kind: TableFormat) -> str:
    from derainbench.reports.latex.own_tables import own_tex
    from derainbench.reports.layout.own_tables import set_own
    from derainbench.reports.page.own_tables import own_html
    from derainbench.reports.text.own_tables import own_csv, own_markdown

    ready = set_own(filled)
    if kind is TableFormat.TEX:
        return own_tex(ready, filled.spec.layout)
    return {TableFormat.MD: own_markdown, TableFormat.CSV: own_csv, TableFormat.HTML: own_html}[kind](ready)


def _defaults(plugins: list[Path]) -> Defaults:
    """What an option is where a method's name does not say it; methods are imported when that is asked first."""
    from functools import cache

    from derainbench.reports.comparison.labels import MISSING

    @cache
    def default(method: str, option: str) -> str | None:
        from derainbench.plugins.options import option_defaults, spell
        from derainbench.plugins.registry import discover

        try:
            options = option_defaults(discover(plugins).variant(method.partition("@")[0]).method.network)
        except UserError:  # somebody else's method, which is not here
            return None
        return spell(options[option]) if option in options else MISSING

    return default
