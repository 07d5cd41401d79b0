"""The command ``derainbench datasets synth``."""

from __future__ import annotations

import json
import shlex
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from derainbench.cli.options import MOST_WORKERS, OUT, JsonOption
from derainbench.errors import printable

if TYPE_CHECKING:
    from derainbench.catalogue.cards import SplitName
    from derainbench.synth.request import Request
    from derainbench.synth.synthesize import Synthesized


class Split(StrEnum):
    """What the images are for."""

    TEST = "test"
    TRAIN = "train"


def synth(
    clean: Annotated[Path, typer.Option(help="Folder of clean images, with those in folders below it.")],
    out: Annotated[Path, typer.Option(**OUT, help="Folder for the dataset; card.toml in it is its card.")],
    model: Annotated[str | None, typer.Option(help="streak, drop or mist; the preset tells it.")] = None,
    preset: Annotated[str | None, typer.Option(help="rain100l, rain100h, drops or mist.")] = None,
    split: Annotated[Split, typer.Option(help="Which split the images are.")] = Split.TEST,
    per_image: Annotated[int, typer.Option(min=1, max=10_000, help="Rains on each clean image.")] = 1,
    seed: Annotated[
        int, typer.Option(min=0, max=2**63 - 1, help="Of all rains; the same seed gives the same files.")
    ] = 0,
    depth: Annotated[
        Path | None,
        typer.Option(help="Mist: folder of depth maps named as the clean images, grey, larger is farther."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_WORKERS, help="Processes; the files are the same. Default: a core each, at most 8."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="The dataset's name; default that of the folder --out.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Put rain on clean images: a new paired dataset with its card and layers, beside what real sets measure.

    The same command goes on where it was interrupted. Exit status: 0, 2 where a clean image could not be used.
    """
    from derainbench.support.progress import progress_bar
    from derainbench.support.workers import default_workers
    from derainbench.synth.request import Request, choose_preset
    from derainbench.synth.synthesize import synthesize

    chosen = choose_preset(model, preset)
    of: SplitName = "train" if split is Split.TRAIN else "test"
    request = Request(chosen, clean, out, of, per_image, seed, depth, name)
    with progress_bar() as progress:
        outcome = synthesize(request, workers or default_workers(), progress)
    typer.echo(_as_json(request, outcome) if as_json else _as_text(request, outcome))
    for line in outcome.failures:
        typer.echo(printable(f"error: {line}"), err=True)
    if outcome.failures:
        raise typer.Exit(2)


def _as_text(request: Request, outcome: Synthesized) -> str:
    from derainbench.synth.measured import side_by_side

    lines = [f"{request.out}: {request.split}, {outcome.made} rainy images made, {outcome.kept} kept"]
    if outcome.gone:
        names = ", ".join(outcome.gone[:5]) + (", ..." if len(outcome.gone) > 5 else "")
        lines.append(f"note: no longer in {request.clean}, their finished pairs stay: {names} ({len(outcome.gone)})")
    if outcome.dropped:
        names = ", ".join(outcome.dropped[:5]) + (", ..." if len(outcome.dropped) > 5 else "")
        lines.append(
            f"note: no longer in {request.clean}, and unfinished, so removed: {names} ({len(outcome.dropped)})"
        )
    if outcome.twice:
        other = "test" if request.split == "train" else "train"
        names = ", ".join(outcome.twice[:5]) + (", ..." if len(outcome.twice) > 5 else "")
        lines.append(
            f"note: the same clean images are in {other} ({len(outcome.twice)}: {names}): scores would be of images "
            "seen in training; give each split photographs of its own"
        )
    if outcome.measured:
        lines += ["", side_by_side(request.preset, outcome.name, outcome.measured), ""]
    if outcome.card is not None:
        lines.append(f"next: {_next(outcome.card, outcome)}")
    return "\n".join(lines)


def _next(card: Path, outcome: Synthesized) -> str:
    """What a run can do with the splits that are there: a network needs both."""
    if "test" not in outcome.splits:
        return "the same command with --split test and other clean images, to score on"
    method = "nasnet" if "train" in outcome.splits else "identity"
    return f"derainbench run --card {shlex.quote(str(card))} --datasets {outcome.name} --methods {method}"


def _as_json(request: Request, outcome: Synthesized) -> str:
    from derainbench.synth.measured import beside_as_data, summary

    return json.dumps(
        {
            "name": outcome.name,
            "card": str(outcome.card) if outcome.card is not None else None,
            "split": request.split,
            "model": outcome.model.name,
            "preset": request.preset,
            "made": outcome.made,
            "kept": outcome.kept,
            "failures": outcome.failures,
            "gone": outcome.gone,
            "dropped": outcome.dropped,
            "in_both_splits": outcome.twice,
            "measured_images": len(outcome.measured),
            "measured": summary(outcome.measured),
            "beside": beside_as_data(request.preset),
        },
        indent=2,
        ensure_ascii=False,
    )
