"""The command ``derainbench datasets synth``."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from derainbench.cli.options import MOST_WORKERS, OUT, JsonOption
from derainbench.errors import UserError, printable

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
    split: Annotated[Split | None, typer.Option(help="Which split the images are; default test.")] = None,
    test_share: Annotated[
        float | None,
        typer.Option(
            help="Both splits from one folder: this part of the photographs for test, the others for train, copies of"
            " one together; for example 0.2."
        ),
    ] = None,
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
    from derainbench.synth.synthesize import synthesize, synthesize_both

    if split is not None and test_share is not None:
        raise UserError("--split and --test-share contradict each other; with --test-share both splits are made")
    chosen = choose_preset(model, preset)
    of: SplitName = "train" if split is Split.TRAIN else "test"
    request = Request(chosen, clean, out, of, per_image, seed, depth, name)
    outcomes: dict[SplitName, Synthesized]
    with progress_bar() as progress:
        if test_share is None:
            outcomes = {of: synthesize(request, workers or default_workers(), progress)}
        else:
            outcomes = synthesize_both(request, test_share, workers or default_workers(), progress)
    if as_json:
        data = {each: _as_data(request, each, outcome) for each, outcome in outcomes.items()}
        typer.echo(json.dumps(data if test_share is not None else data[of], indent=2, ensure_ascii=False))
    else:
        typer.echo("\n".join([*(_as_text(request, *each) for each in outcomes.items()), *_next(outcomes)]))
    failures = [line for outcome in outcomes.values() for line in outcome.failures]
    for line in failures:
        typer.echo(printable(f"error: {line}"), err=True)
    if failures:
        raise typer.Exit(2)


def _as_text(request: Request, split: SplitName, outcome: Synthesized) -> str:
    from derainbench.synth.measured import side_by_side

    lines = [f"{request.out}: {split}, {outcome.made} rainy images made, {outcome.kept} kept"]
    if outcome.gone:
        lines.append(f"note: no longer in {request.clean}, their finished pairs stay: {_few(outcome.gone)}")
    if outcome.dropped:
        lines.append(f"note: no longer in {request.clean}, and unfinished, so removed: {_few(outcome.dropped)}")
    other = "test" if split == "train" else "train"
    seen = "scores would be of images seen in training; give each split photographs of its own, as --test-share does"
    if outcome.twice:
        lines.append(f"warning: the same clean images are in {other}: {_few(outcome.twice)}; {seen}")
    if outcome.alike:
        what = f"the same photographs, resized, cropped or compressed, are in {other}"
        lines.append(f"warning: {what}: {_few(outcome.alike)}; {seen}")
    if outcome.measured:
        lines += ["", side_by_side(request.preset, outcome.name, outcome.measured), ""]
    return "\n".join(lines)


def _few(names: Sequence[str]) -> str:
    return f"{', '.join(names[:5])}{', ...' if len(names) > 5 else ''} ({len(names)})"


def _next(outcomes: Mapping[SplitName, Synthesized]) -> list[str]:
    """What a run can do with the splits that are there: a network needs both."""
    outcome = [*outcomes.values()][-1]
    if outcome.card is None:
        return []
    if "test" not in outcome.splits:
        return ["next: the same command with --split test and other clean images, to score on"]
    method = "prenet" if "train" in outcome.splits else "identity"  # the published one that a laptop trains in a minute
    card = shlex.quote(str(outcome.card))
    return [f"next: derainbench run --card {card} --datasets {outcome.name} --methods {method}"]


def _as_data(request: Request, split: SplitName, outcome: Synthesized) -> dict[str, Any]:
    from derainbench.synth.measured import beside_as_data, summary

    return {
        "name": outcome.name,
        "card": str(outcome.card) if outcome.card is not None else None,
        "split": split,
        "model": outcome.model.name,
        "preset": request.preset,
        "made": outcome.made,
        "kept": outcome.kept,
        "failures": outcome.failures,
        "gone": outcome.gone,
        "dropped": outcome.dropped,
        "in_both_splits": outcome.twice,
        "alike_in_both_splits": outcome.alike,
        "measured_images": len(outcome.measured),
        "measured": summary(outcome.measured),
        "beside": beside_as_data(request.preset),
    }
