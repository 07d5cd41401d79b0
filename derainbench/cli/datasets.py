"""``derainbench datasets``, and ``show``, ``fetch``, ``add``, ``verify``, ``overlap``, ``synth`` below it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from derainbench.cli.fetch import YesOption, agreed, fetch_agreed_datasets, offered_datasets
from derainbench.cli.options import MOST_WORKERS, CardOption, DataOption, JsonOption
from derainbench.cli.overlap import overlap
from derainbench.cli.synth import synth

datasets_app = typer.Typer(
    invoke_without_command=True,
    help="Datasets: what there is, fetching files, adding a card, checking files, shared scenes, making new ones.",
)
datasets_app.command()(synth)
datasets_app.command()(overlap)


@datasets_app.callback()
def list_all(
    context: typer.Context,
    card: CardOption = [],  # noqa: B006 - typer copies it
    data_root: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the datasets: rain model, counts, and whether their files are here."""
    from derainbench.catalogue.cards import all_cards
    from derainbench.catalogue.locate import checked_root
    from derainbench.catalogue.unpaired import unpaired_cards
    from derainbench.cli.dataset_lists import list_datasets

    if context.invoked_subcommand is None:
        typer.echo(list_datasets(all_cards(card), checked_root(data_root), as_json, unpaired_cards()))


@datasets_app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A dataset's name.")],
    card: CardOption = [],  # noqa: B006
    data_root: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a whole card: layouts, counts, known defects, where to get it, BibTeX."""
    from derainbench.catalogue.cards import all_cards
    from derainbench.catalogue.locate import card_named, checked_root
    from derainbench.catalogue.unpaired import unpaired_cards
    from derainbench.cli.dataset_lists import show_dataset, show_unpaired

    cards, root = all_cards(card), checked_root(data_root)
    unpaired = None if name in cards else unpaired_cards().get(name)
    if unpaired is not None:
        typer.echo(show_unpaired(unpaired, root, as_json))
    else:
        typer.echo(show_dataset(card_named(name, cards), root, as_json))


@datasets_app.command()
def fetch(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Datasets' names.")],
    layout: Annotated[
        str, typer.Option(metavar="NAME", help="Which packaging of its card; default: the first that has addresses.")
    ] = "",
    yes: YesOption = False,
    card: CardOption = [],  # noqa: B006
    data_root: DataOption = None,
) -> None:
    """Fetch a dataset from the addresses of its card, put it below the data root, and verify it.

    What it is, how large, and under which licence, is said first, and asked. Exit status 1 if it is unusable.
    """
    from derainbench.catalogue.cards import all_cards
    from derainbench.catalogue.locate import card_named, locate
    from derainbench.support.progress import progress_bar
    from derainbench.support.workers import default_workers
    from derainbench.verify.text import as_text
    from derainbench.verify.verify import verify

    cards = all_cards(card)
    asked = list({each.name: each for each in (card_named(name, cards) for name in names)}.values())
    here = {each.name: found for each in asked if not each.embedded and (found := locate(each, data_root)) is not None}
    for name, found in here.items():
        typer.echo(f"{name}: is here, {found.root}")
    wanted = [each for each in asked if each.name not in here]
    if not wanted:
        return
    agreed(offered_datasets(wanted, data_root, layout), yes)
    verdicts = []
    for dataset in fetch_agreed_datasets(wanted, data_root, layout):
        with progress_bar() as progress:
            verdicts.append(verify(dataset, default_workers(), progress))
        typer.echo(as_text(verdicts[-1]))
    raise typer.Exit(0 if all(verdict.usable for verdict in verdicts) else 1)


@datasets_app.command()
def add(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help="A dataset card of your own.")],
    data_root: DataOption = None,
) -> None:
    """Check a card of your own, say exactly what is wrong with it, and keep it: its name then works everywhere."""
    from derainbench.catalogue.added_cards import add_card
    from derainbench.catalogue.cards import SPLITS
    from derainbench.catalogue.locate import checked_root

    card, path, dataset, found = add_card(file, checked_root(data_root))
    if card.union is not None:
        typer.echo(f"made of {card.union.told()}")
    elif dataset is None:
        typer.echo("no --data-root is given: the patterns were not tried on files")
    else:
        for split, matched in found.items():
            number, expected = len(matched.rows), getattr(card.counts, split)
            said = "" if expected in (None, number) else f" (its card says {expected})"
            pair = matched.pair(matched.rows[0])
            first = f"{pair.rainy} with {pair.clean}"
            typer.echo(f"{split}: {number} pairs{said} by layout {dataset.layout.name!r}, the first {first}")
        for split in SPLITS:
            patterns = getattr(dataset.layout, split)
            if patterns is not None and split not in found:
                typer.echo(f"{split}: no file in {dataset.root} matches {patterns.rainy}")
    typer.echo(f"added {card.name}: {path}")


@datasets_app.command()
def verify(
    name: Annotated[str, typer.Argument(metavar="NAME|all", help="A dataset's name, or all that are here.")],
    card: CardOption = [],  # noqa: B006
    data_root: DataOption = None,
    as_json: JsonOption = False,
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_WORKERS, help="Processes that read files; default: the cores, at most 8."),
    ] = None,
) -> None:
    """Read every file of a dataset, say what is wrong with it, and keep a manifest: exit status 1 if it is unusable."""
    import json

    from derainbench.catalogue.cards import all_cards
    from derainbench.catalogue.locate import checked_root
    from derainbench.support.progress import progress_bar
    from derainbench.support.workers import default_workers
    from derainbench.verify.text import as_text, summary
    from derainbench.verify.verify import to_verify, verify

    datasets = to_verify(name, all_cards(card), checked_root(data_root))
    verdicts = []
    with progress_bar() as progress:
        for dataset in datasets:
            verdicts.append(verify(dataset, workers or default_workers(), progress))
            if not as_json:
                typer.echo(summary(verdicts[-1]) if name == "all" or len(datasets) > 1 else as_text(verdicts[-1]))
    usable = all(verdict.usable for verdict in verdicts)
    if as_json:
        typer.echo(json.dumps({"usable": usable, "datasets": [verdict.as_json() for verdict in verdicts]}, indent=2))
    raise typer.Exit(0 if usable else 1)
