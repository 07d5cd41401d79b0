"""The commands about ways of measuring: listing them, and one output under all of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from derainbench.cli.options import JsonOption, ThreadsOption
from derainbench.errors import UserError, did_you_mean
from derainbench.support.words import counted

if TYPE_CHECKING:
    import pandas as pd

    from derainbench.results.results import EvaluationKey, Results


def protocols(
    names: Annotated[
        str,
        typer.Argument(metavar="[PROTOCOLS]", help="Which, with commas: names, TOML files of your own; default all."),
    ] = "all",
    as_json: JsonOption = False,
) -> None:
    """List the ways of measuring and who uses them; named ones with all that they do, and a line to paste.

    A TOML file of your own is checked. Exit status: 0, 2 for a mistake that you can mend.
    """
    from derainbench.cli.protocol_lists import describe_protocols, list_protocols, protocols_json
    from derainbench.metrics.protocols import get_protocol
    from derainbench.run.choices import choose_protocols

    chosen = [get_protocol(name) for name in choose_protocols(names)]
    if as_json:
        typer.echo(protocols_json(chosen))
    else:
        typer.echo(list_protocols(chosen) if names == "all" else describe_protocols(chosen))


def spread(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    method: Annotated[str | None, typer.Option(help="Of this method only.")] = None,
    dataset: Annotated[str | None, typer.Option(help="On this dataset only.")] = None,
    protocols: Annotated[str, typer.Option(help="Which protocols; default all, and the run's own.")] = "all",
    reference: Annotated[
        str | None, typer.Option(help="The protocol that others are held against; default the run's first.")
    ] = None,
    signatures: Annotated[
        bool, typer.Option("--signatures", help="Print a line a score to paste into a paper instead.")
    ] = False,
    as_json: JsonOption = False,
    threads: ThreadsOption = None,
) -> None:
    """Say how far scores of the same output lie apart under the field's protocols, and which may be compared.

    Protocols that the run did not score are measured on the restored images that it kept, which are 8-bit.
    """
    from derainbench.reports.text.spread import spread_json, spread_lines, spread_text
    from derainbench.results.load import load_run
    from derainbench.results.spread import first_seeds
    from derainbench.results.spread import spread as spread_of
    from derainbench.run.choices import choose_protocols

    results = load_run(run)
    asked = choose_protocols(protocols)
    asked += [name for name in results.info.protocols if protocols == "all" and name not in asked]
    places = _chosen(results, first_seeds(results), method, dataset)
    against = reference or next((name for name in results.info.protocols if name in asked), asked[0])
    if against not in asked:
        raise UserError(f"--reference {against!r} is not among --protocols {protocols}: {did_you_mean(against, asked)}")
    found, notes = [], []
    for place in places:
        scores, saved, missing = _scores(results, place, asked, threads)
        if missing:
            notes.append(_how_to_add(results, place, missing))
        if scores.empty or against in missing:
            continue
        found.append(spread_of(place, scores, against, saved))
    if not found:
        raise UserError(notes[0] if notes else f"{run} has no scores; run the command that made it again")
    if as_json:
        typer.echo(spread_json(found), nl=False)
    else:
        typer.echo(spread_lines(found) if signatures else spread_text(found, notes), nl=signatures)


def _chosen(
    results: Results, places: list[EvaluationKey], method: str | None, dataset: str | None
) -> list[EvaluationKey]:
    for what, word, known in (
        ("--method", method, [place[0] for place in places]),
        ("--dataset", dataset, [place[3] for place in places]),
    ):
        if word is not None and word not in known:
            raise UserError(f"{what} {word!r} was not evaluated in {results.folder}: {did_you_mean(word, known)}")
    return [p for p in places if method in (None, p[0]) and dataset in (None, p[3])]


def _scores(
    results: Results, place: EvaluationKey, asked: list[str], threads: int | None
) -> tuple[pd.DataFrame, list[str], list[str]]:
    """An evaluation's scores under the protocols asked for, which of them are of saved images, and which are not there.

    Stored ones where there are some, of the network's float output; the others are measured where every image is kept.
    """
    import pandas as pd

    from derainbench.metrics.protocols import PROTOCOLS
    from derainbench.results.spread import scores_of
    from derainbench.support.progress import progress_bar

    scores = scores_of(results, place)
    stored = [str(name) for name in scores["protocol"].unique()]
    more = [name for name in asked if name not in stored]
    test = next(each.test for each in results.datasets if each.name == place[3])
    pairs = [(pair.image, pair.clean) for pair in test]
    here = scores[scores["protocol"].isin(asked)]
    if not more:
        return here, [], []
    from derainbench.engine.kept_scores import all_kept, score_kept
    from derainbench.engine.threads import use_threads

    if not all_kept(results.evaluations[place], [image for image, _ in pairs]):
        return here, [], more
    use_threads(threads)
    known_by = next((name for name in stored if PROTOCOLS[name].eight_bit), None)
    rows = scores[(scores["protocol"] == known_by) & (scores["metric"] == "psnr")]
    known = {str(image): float(value) for image, value in zip(rows["image"], rows["value"], strict=True)}
    with progress_bar() as advance:
        measured = [
            *score_kept(
                results.evaluations[place],
                pairs,
                more,
                known,
                known_by,
                lambda: advance(f"{place[0]} on {place[3]}", 1, len(pairs)),
            )
        ]
    return pd.concat([here, pd.DataFrame(measured, columns=list(here.columns))], ignore_index=True), more, []


def _how_to_add(results: Results, place: EvaluationKey, missing: list[str]) -> str:
    return (
        f"{place[0]} on {place[3]}: {counted(len(missing), 'protocol')} not scored in {results.folder}, which does not "
        "keep all of its restored images; run the command that made it with --protocols all (it restores them again)"
    )
