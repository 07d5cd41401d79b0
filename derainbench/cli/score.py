"""``derainbench score``: restored images that somebody has, as rows of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from derainbench.cli.options import (
    OUT,
    CardOption,
    DataOption,
    DeviceOption,
    MetricsOption,
    PluginOption,
    ThreadsOption,
)
from derainbench.cli.run import fulfil
from derainbench.errors import UserError

if TYPE_CHECKING:
    from derainbench.catalogue.cards import Card
    from derainbench.catalogue.locate import Dataset
    from derainbench.plugins.method import Paper

_LARGEST_BIBTEX = 2**20  # bytes


def score(
    images: Annotated[
        list[str], typer.Argument(metavar="NAME=FOLDER...", help="What a row is called, and where its images are.")
    ],
    dataset: Annotated[
        str | None,
        typer.Option("--dataset", metavar="CARD", help="The card of the set whose test images they restore."),
    ] = None,
    clean: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Instead of a card: the folder with the ground truth.")
    ] = None,
    pattern: Annotated[
        str, typer.Option(help="How the names pair, where they do not tell: 'out/{id:d}_derained.*'.")
    ] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many test pairs.")] = None,
    listed: Annotated[
        Path | None,
        typer.Option("--list", metavar="FILE", help="Only the test pairs in this text file, a name a line."),
    ] = None,
    title: Annotated[str, typer.Option(help="What readers see; default the name.")] = "",
    paper: Annotated[str, typer.Option(metavar="URL|FILE.bib", help="Where the method was published.")] = "",
    parameters: Annotated[int | None, typer.Option(help="How many parameters its network has.")] = None,
    trained_on: Annotated[
        str, typer.Option(metavar="CARD", help="What it was trained on; otherwise that is unknown.")
    ] = "",
    protocols: Annotated[str, typer.Option(help="Metric protocols; default y,rgb,rgb-float-u7.")] = "",
    metrics: MetricsOption = "",
    out: Annotated[
        Path | None,
        typer.Option(**OUT, help="The run folder, a new one or one that has other rows; default runs/score."),
    ] = None,
    kept: Annotated[
        str, typer.Option("--images", metavar="none|some|all", help="Copies that the run folder keeps. Default: all.")
    ] = "",
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    data_root: DataOption = None,
    plugin: PluginOption = [],  # noqa: B006 - typer copies it
    card: CardOption = [],  # noqa: B006
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how the files pair, and stop.")] = False,
) -> None:
    """Score folders of restored images, whoever made them, beside the methods of a run.

    Files pair with the dataset's test images by their names, never by their order. The same is, among methods:
    derainbench run --methods 'images[folder=FOLDER,name=NAME]'.
    """
    from derainbench.catalogue.cards import all_cards
    from derainbench.plugins.names import UNKNOWN
    from derainbench.restored.row import Row, named_row
    from derainbench.run.plan import Order

    if len(images) > 1 and (title or paper or parameters is not None):
        raise UserError(
            "--title, --paper and --parameters describe one row; give one NAME=FOLDER at a time, with the same --out"
        )
    cards = all_cards(card)
    source = _card_of(trained_on, list(cards.values())) if trained_on else UNKNOWN
    tested = _tested(dataset, clean, limit, listed, card, data_root)
    rows = [
        Row(*named_row(word), pattern, title, _paper(paper, title) if paper else None, parameters, source)
        for word in images
    ]
    order = Order(
        methods="identity" if tested.has_input else "",
        datasets=tested.name,
        baseline=False,
        out=out or Path("runs") / "score",
        protocols=protocols,
        metrics=metrics,
        device=device,
        images=kept,
        threads=threads,
        data_root=data_root,
        plugin=plugin,
        card=card,
        image_rows=rows,
        tested_on=[tested],
    )
    fulfil(order, dry_run)


def _tested(
    dataset: str | None,
    clean: Path | None,
    limit: int | None,
    listed: Path | None,
    card: list[Path],
    data_root: Path | None,
) -> Dataset:
    """The test images that the folders restore, or the part of them that is asked for."""
    from derainbench.catalogue.clean_folder import CleanFolder
    from derainbench.catalogue.subset import first_pairs, listed_pairs
    from derainbench.run.choices import choose_datasets

    if (dataset is None) == (clean is None):
        raise UserError("give either --dataset CARD or, without a card, --clean FOLDER with the ground truth")
    if limit is not None and listed is not None:
        raise UserError("--limit and --list both choose a part of the test images; give one of them")
    whole: Dataset
    if clean is not None:
        whole = CleanFolder(clean)
    else:
        chosen = choose_datasets(dataset or "", card, data_root)
        if len(chosen) > 1:
            names = ", ".join(each.name for each in chosen)
            raise UserError(f"--dataset {dataset} means several ({names}); give one, since folders are of one set each")
        (whole,) = chosen
    if limit is not None:
        return first_pairs(whole, limit)
    return whole if listed is None else listed_pairs(whole, listed)


def _card_of(word: str, cards: list[Card]) -> str:
    """The name of the card that a word means by its name or title, in any case; the word itself where it means none."""
    meant = (card.name for card in cards if word.casefold() in (card.name.casefold(), card.title.casefold()))
    return next(meant, word)


def _paper(word: str, title: str) -> Paper:
    """Where a method was published: a BibTeX file with one entry, or an address."""
    from derainbench.plugins.method import Paper
    from derainbench.reports.tex.bibtex import unreadable
    from derainbench.support.atomic import read_regular

    if word.startswith(("https://", "http://")) and word.isprintable():
        return Paper(title=title, authors="", venue="", year=0, url=word, bibtex="")
    path = Path(word)
    if path.suffix != ".bib":
        raise UserError(f"--paper {word!r}: give the address of the paper, https://..., or a file .bib with its entry")
    if not path.is_file() or path.stat().st_size > _LARGEST_BIBTEX:
        raise UserError(f"--paper {word}: no such BibTeX file; give the path of one with the paper's entry")
    text = read_regular(path).decode(errors="replace")
    if problem := unreadable(text):
        raise UserError(f"--paper {word}: {problem}; mend the entry")
    return Paper(title=title, authors="", venue="", year=0, url="", bibtex=text)
