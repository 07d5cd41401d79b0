"""``derainbench leaderboard`` and ``derainbench submit``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from derainbench.cli.options import OUT, CardOption, PluginOption
from derainbench.errors import UserError

if TYPE_CHECKING:
    from derainbench.reports.board.checking import Known
    from derainbench.reports.published.paper_table import PaperTable


class _BuildsByDefault(TyperGroup):
    """``derainbench leaderboard RUN`` is ``derainbench leaderboard build RUN``."""

    by_default = "build"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        asks = [word for word in args if word in ("-h", "--help")]
        named = bool(args) and args[0] in self.commands
        found: list[str] = super().parse_args(ctx, args if named or asks or not args else [self.by_default, *args])
        return found


leaderboard_app = typer.Typer(
    cls=_BuildsByDefault, no_args_is_help=True, help="Make a site of runs and submissions: a board for each protocol."
)


class Export(StrEnum):
    """Formats of others that a site may have beside its pages."""

    NONE = "none"
    EVERY_EVAL_EVER = "every-eval-ever"


@leaderboard_app.command("build", short_help="Make the site; what is meant without a word.")
def build(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Run folders, submissions, or folders that hold them.")
    ],
    out: Annotated[Path, typer.Option(**OUT, help="The folder of the site, a new one or an earlier site.")] = Path(
        "site"
    ),
    title: Annotated[str, typer.Option(help="What the site is called.")] = "Leaderboard",
    table: Annotated[
        list[str],
        typer.Option(help="Published tables whose rows are quoted; all, none, or names as in report; repeatable."),
    ] = ["all"],  # noqa: B006 - typer copies it
    export: Annotated[Export, typer.Option(help="Records for others, beside the pages.")] = Export.NONE,
    plugin: PluginOption = [],  # noqa: B006
    card: CardOption = [],  # noqa: B006
) -> None:
    """Make a static site: a board for each set of test images, protocol and training set.

    Runs and submissions that do not add up are left out, each with a line; exit status 1 then.
    """
    from derainbench.reports.board.site import site_of, write_site
    from derainbench.reports.board.sources import find_runs, opened

    found = find_runs(runs)
    known = _known(plugin, card)
    with opened(found, known) as sources:
        for line in sources.left_out:
            typer.echo(f"left out: {line}", err=True)
        site = site_of(sources, _tables(table), title, known.cards)
        page = write_site(site, out, export is Export.EVERY_EVAL_EVER)
        rows = sum(len(board.rows) for board in site.boards)
        typer.echo(f"{rows:,} rows on {len(site.boards)} boards, of {len(sources.read)} runs")
        typer.echo(str(page))
        if sources.left_out:
            raise typer.Exit(1)


@leaderboard_app.command("check", short_help="Say whether a submission or a run adds up.")
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE|RUN", help="A submission, or a run folder.")],
    plugin: PluginOption = [],  # noqa: B006 - typer copies it
    card: CardOption = [],  # noqa: B006
) -> None:
    """Make every number again that can be made again, and compare: keys, hashes, means, images, weights, the input.

    A line for each thing that does not add up, and exit status 1 then.
    """
    from derainbench.reports.board.checking import check_file

    found = check_file(file, _known(plugin, card))
    for line in found.wrong:
        typer.echo(f"{file.name}: {line}")
    if found.wrong:
        raise typer.Exit(1)
    typer.echo(f"{file.name}: adds up: {found.told}")
    for line in found.open:
        typer.echo(f"not made again: {line}")


def submit(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    out: Annotated[Path, typer.Option(**OUT, help="The zip file to write.")],
    by: Annotated[str, typer.Option(metavar="NAME", help="Who sends it in, as the board shall say.")] = "",
    plugin: PluginOption = [],  # noqa: B006 - typer copies it
    card: CardOption = [],  # noqa: B006
) -> None:
    """Pack a run for a leaderboard: scores, keys, hashes and recipes; no images, no weights, no local paths."""
    from derainbench.reports.board.checking import check_file
    from derainbench.reports.board.submission import check_name, pack

    check_name(by)
    if out.suffix != ".zip":
        raise UserError(f"--out {out}: a submission is a zip file; give a name that ends in .zip")
    wrong = check_file(run, _known(plugin, card)).wrong
    if wrong:
        raise UserError(
            f"{run} does not add up, and would be refused: {wrong[0]}; derainbench leaderboard check says all"
        )
    said = pack(run, out, by)
    typer.echo(f"{len(said.files)} files, {len(said.means)} means, {out.stat().st_size:,} bytes")
    typer.echo(str(out))


def _tables(names: list[str]) -> tuple[PaperTable, ...]:
    from derainbench.reports.published.shipped import paper_tables, shipped_tables

    if names == ["none"]:
        return ()
    return paper_tables([*shipped_tables()] if names == ["all"] else names)


def _known(plugin: list[Path], card: list[Path]) -> Known:
    """What is known here of datasets and published weights."""
    from derainbench.catalogue.cards import all_cards
    from derainbench.plugins.registry import discover
    from derainbench.plugins.weights_store import known_weights
    from derainbench.reports.board.checking import Known
    from derainbench.run.description import weights_info

    registry = discover(plugin)
    published = {
        variant.name: variant
        for name in registry.working()
        for variant in known_weights(registry.get(name))
        if variant.weights is not None and variant.weights.verified
    }
    weights = {
        name: weights_info(variant.weights) for name, variant in published.items() if variant.weights is not None
    }
    # asked for only where a run has it, for a network is built to count; never by options that somebody else chose
    return Known(all_cards(card), weights, lambda name: published[name].parameters() if name in published else None)
