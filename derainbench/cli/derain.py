"""The command ``derainbench derain``: photographs of one's own, by one method, or many by several with a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from derainbench.cli.options import (
    OUT,
    DataOption,
    DeviceOption,
    PluginOption,
    PrecisionOption,
    ThreadsOption,
    TileOption,
    say_threads,
)
from derainbench.cli.report import PageImages
from derainbench.errors import UserError, did_you_mean, printable
from derainbench.support.words import counted, split_list

if TYPE_CHECKING:
    from derainbench.engine.device import Engine
    from derainbench.metrics.image_metric import ImageMetric
    from derainbench.photographs.restore import Restoring
    from derainbench.photographs.restored import Method
    from derainbench.plugins.variant import Variant

_SHOWN = 5  # files that a line names


def derain(
    photos: Annotated[
        list[str],
        typer.Argument(
            metavar="PHOTO|FOLDER|CARD", help="Photographs of any size; with --methods also folders, or a set's name."
        ),
    ],
    method: Annotated[
        str, typer.Option(help="One method, with its options: prenet, 'nasnet[stages=2]'; writes PHOTO-METHOD.png.")
    ] = "",
    methods: Annotated[
        str, typer.Option(help="Several, with commas between: all photographs below FOLDER, and a page; needs --out.")
    ] = "",
    weights: Annotated[
        Path | None, typer.Option(help="A weights file, or the folder of a run that trained the method.")
    ] = None,
    trained_on: Annotated[str | None, typer.Option(help="Which of the run's trainings, by dataset.")] = None,
    out: Annotated[
        Path | None, typer.Option(**OUT, help="Folder for the results; of one method beside each photograph.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace results that are there.")] = False,
    images: Annotated[
        PageImages | None,
        typer.Option(help="Whether the page holds the images, or has them beside it, or none; default embed."),
    ] = None,
    metrics: Annotated[
        str,
        typer.Option(metavar="NAMES", help="Scores on the page that need no ground truth: niqe,brisque; no proof."),
    ] = "",
    tile: TileOption = "auto",
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    threads: ThreadsOption = None,
    plugin: PluginOption = [],  # noqa: B006
    data_root: DataOption = None,
) -> None:
    """Take the rain out of photographs without ground truth.

    One method: writes PHOTO-METHOD.png. Several: every photograph below a folder into OUT/METHOD/, its folders kept,
    and OUT/index.html, which shows them beside each other; the same command does only what is missing. Exit status: 0,
    2 where a photograph is left out or for a mistake that you can mend, 1 for a crash of a method.
    """
    if bool(method) == bool(methods):
        raise UserError("give --method for the results of one, or --methods A,B,... --out FOLDER for a page of several")
    if method and images is not None:
        raise UserError("--images is about the page that --methods makes; leave it out")
    if method and metrics:
        raise UserError("--metrics is about the page that --methods makes; leave it out")
    if methods and out is None:
        raise UserError("--methods needs --out FOLDER, for the results and their page")
    from derainbench.engine.device import choose_engine
    from derainbench.engine.restore import parse_tile
    from derainbench.photographs.scores import check_metrics
    from derainbench.plugins.registry import discover
    from derainbench.restored.row import is_row
    from derainbench.run.choices import choose_variants

    say_threads(threads)
    asked, registry = parse_tile(tile), discover(plugin)
    variants = choose_variants(registry, methods, None) if methods else [registry.variant(method)]
    if not variants or any(map(is_row, split_list(methods))):
        raise UserError(f"--methods {methods!r}: give methods that restore, as in prenet@rain100l,nasnet[stages=2]")
    measured = [registry.metrics.get(name) for name in split_list(metrics)]
    check_metrics(measured)
    engine = choose_engine(device, precision)
    restoring = _with_weights(variants, weights, trained_on, engine, asked)
    if out is not None and methods:
        _page_of(photos, restoring, measured, out, overwrite, images or PageImages.EMBED, data_root)
    else:
        _beside([Path(photo) for photo in photos], restoring[0], out, overwrite)


def _with_weights(
    variants: Sequence[Variant], given: Path | None, trained_on: str | None, engine: Engine, tile: int | None
) -> list[Restoring]:
    """The networks, each with its weights: a tag's, or those of the run or file that is given."""
    from derainbench.photographs.restore import Restoring
    from derainbench.plugins.weights import load_into
    from derainbench.run.trained_weights import find_weights

    without = [variant for variant in variants if variant.trainable]
    if len(variants) > 1:
        if not without and (given is not None or trained_on is not None):
            raise UserError("--weights, --trained-on: each of the methods has its own weights, or none; leave them out")
        if len(without) > 1 and given is not None and not given.is_dir():
            names = " and ".join(variant.name for variant in without)
            raise UserError(f"--weights {given} is of one network, and {names} need some: give a run's folder, or tags")
    restoring = []
    for variant in variants:
        network = variant.build()
        own = len(variants) > 1 and variant not in without  # of one method, what contradicts its name is refused
        source = find_weights(variant, None if own else given, None if own else trained_on)
        if source is not None:
            load_into(network, variant, source)
        restoring.append(Restoring(variant, network, _told(variant, source, given), engine, tile))
    return restoring


def _told(variant: Variant, weights: Path | None, given: Path | None) -> Method:
    """What readers are told of a method whose weights are in a file: a published one, or of what was given."""
    from derainbench.photographs.restored import Method
    from derainbench.plugins.names import UNTRAINED
    from derainbench.support.atomic import file_hash

    published = variant.weights
    if published is not None:
        said = published.source if published.verified else f"{published.source}, for which nobody vouches"
        return Method(variant.name, variant.title, variant.parameters(), published.trained_on, said, published.sha256)
    if weights is None or given is None:
        return Method(variant.name, variant.title, variant.parameters(), UNTRAINED)
    if given.is_dir():  # RUN/train/METHOD/DATASET/seedN/FILE
        trained_on, said = weights.parent.parent.name, f"run {given.resolve().name}, {weights.parent.name}"
    else:
        trained_on, said = "", f"file {weights.name}"
    return Method(variant.name, variant.title, variant.parameters(), trained_on, printable(said), file_hash(weights))


def _beside(photos: Sequence[Path], method: Restoring, out: Path | None, overwrite: bool) -> None:
    """Each photograph by one method, beside it or into one folder; what was there is not replaced unasked."""
    from derainbench.engine.photo import derain_photo
    from derainbench.engine.restore import restorer

    for photo in photos:
        if photo.is_dir():
            raise UserError(f"{photo} is a folder; for all photographs in it: --methods {method.name} --out FOLDER")
    targets = [(out or photo.parent) / f"{photo.stem}-{method.name}.png" for photo in photos]
    for target in targets:
        if target.exists() and not overwrite:
            raise UserError(f"{target} exists; give --overwrite or another --out")
        if targets.count(target) > 1:
            raise UserError(f"two photographs would be written to {target}; give them one at a time, or no --out")
    restore = restorer(method.engine.fabric, method.network, method.tile)
    for photo, target in zip(photos, targets, strict=True):
        derain_photo(photo, target, restore)
        typer.echo(str(target))


def _page_of(
    words: Sequence[str],
    methods: Sequence[Restoring],
    metrics: Sequence[ImageMetric],
    out: Path,
    overwrite: bool,
    images: PageImages,
    data_root: Path | None,
) -> None:
    """All photographs by all methods, into folders of their own, and the page that shows them beside each other."""
    from derainbench.photographs.find import find_photographs
    from derainbench.photographs.restore import check_place, check_results, restore_all
    from derainbench.photographs.restored import Restored
    from derainbench.photographs.scores import no_reference_scores
    from derainbench.reports.photographs import check_page, write_page
    from derainbench.support.lock import locked
    from derainbench.support.progress import progress_bar

    sources = [_source(word, data_root) for word in words]
    names = [method.name for method in methods]
    check_place(out, sources, names)
    found = find_photographs(sources, out)
    if not overwrite:
        check_page(out)
        check_results(out, found.photographs, names)
    if found.skipped:
        more = f" and {counted(len(found.skipped) - _SHOWN, 'more file')}" if len(found.skipped) > _SHOWN else ""
        typer.echo(f"skipped, no image by its name: {', '.join(found.skipped[:_SHOWN])}{more}", err=True)
    with locked(out):
        with progress_bar() as progress:
            outcome = restore_all(
                found.photographs,
                methods,
                out,
                lambda: progress("photographs", 1, len(found.photographs)),
                lambda problem: typer.echo(printable(problem), err=True),
            )
        restored = Restored(
            title=printable(", ".join(words)),
            folder=out,
            photographs=found.photographs,
            methods=tuple(method.told for method in methods),
            broken=outcome.broken,
            failed=outcome.failed,
            skipped=found.skipped,
            made_with=_made_with(methods[0]),
        )
        if metrics:
            with progress_bar() as progress:
                scores = no_reference_scores(
                    restored,
                    metrics,
                    str(methods[0].engine.device),
                    lambda: progress("scores", 1, len(found.photographs)),
                )
            restored = replace(restored, scores=scores)
        page = write_page(restored, images.value)
    failed = [f"{len(outcome.failed)} failed"] if outcome.failed else []
    left = [f"{counted(len(outcome.broken), 'photograph')} left out"] if outcome.broken else []
    typer.echo(f"{out}: {', '.join([f'{outcome.done} restored', f'{outcome.kept} kept', *failed, *left])}")
    typer.echo(str(page))
    if outcome.failed or outcome.broken:
        raise typer.Exit(1 if outcome.crashed else 2)


def _source(word: str, data_root: Path | None) -> Path:
    """A file or folder, or the folder of a set without ground truth, whose name comes before a folder of that name."""
    from derainbench.catalogue.cards import all_cards
    from derainbench.catalogue.locate import checked_root
    from derainbench.catalogue.unpaired import photographs_of, unpaired_cards

    if word in unpaired_cards():
        return photographs_of(unpaired_cards()[word], checked_root(data_root))
    path = Path(word)
    if not path.exists() and not path.is_symlink() and word in all_cards():
        raise UserError(
            f"{word} has ground truth, so that methods can be scored on it: derainbench run --methods METHOD,... "
            f"--datasets {word}; to restore photographs alone, give their folder"
        )
    if not path.exists() and not path.is_symlink():
        known = did_you_mean(word, list(unpaired_cards()))
        raise UserError(f"{word}: there is no such file or folder, nor a set of that name; {known}")
    return path


def _made_with(method: Restoring) -> dict[str, str]:
    import datetime

    from derainbench import __version__

    tile = {None: "auto", 0: "off"}.get(method.tile, f"{method.tile} pixels")
    return {
        "Created": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "Device": f"{method.engine.device.type}, {method.engine.precision}",
        "Tiles": tile,
        "derainbench": __version__,
    }
