"""Where the numbers of a report come from, as plain data: recipe, machine, versions, command, notices, failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from derainbench.results import run_info
from derainbench.results.results import Results
from derainbench.results.run_info import Circumstances, MergedRun, RunInfo, WeightsInfo
from derainbench.support.words import counted, listed

from .cells import protocol_title
from .entries import trained_seeds
from .measured import Measured

#: Changes named in the one-line warning; the provenance section lists them all.
SHOWN_CHANGES = 3


@dataclass(frozen=True)
class Change:
    """A setting that differs from the publication; ``suite`` says that it is a suite's stand-in or reduced network."""

    method: str
    field: str
    paper: str
    here: str
    suite: bool = False

    @property
    def line(self) -> str:
        """The change in a few words."""
        return f"{self.method}: {self.field} {self.here} instead of {self.paper}"


@dataclass(frozen=True)
class Provenance:
    """All that stands beside the numbers. ``facts`` are (name, value) pairs in reading order."""

    run: str
    created: str
    recipe: str
    comparable: bool
    changes: tuple[Change, ...]
    facts: tuple[tuple[str, str], ...]
    notices: tuple[str, ...]

    @property
    def stand_ins(self) -> str:
        """What a suite was changed in to be tried out: datasets, then options; empty where it was not."""
        return "; ".join(_adapted([change for change in self.changes if change.suite]))

    @property
    def summary_of_changes(self) -> str:
        """One line: all that a suite was changed in, the first few of recipes and how many more there are.

        Empty if none is recorded.
        """
        others = [change.line for change in self.changes if not change.suite]
        more = len(others) - SHOWN_CHANGES
        shown = [*filter(None, [self.stand_ins]), *others[:SHOWN_CHANGES]]
        return "; ".join([*shown, f"and {more} more"] if more > 0 else shown)


def provenance(run: Measured) -> Provenance:
    """What ``run.json`` says about the run. Anything it leaves out is left out here too."""
    results, info = run.results, run.results.info
    changes = tuple(
        Change(change.method, change.field, _value(change.paper), _value(change.here), change.suite is not None)
        for change in sorted(info.recipe.changes, key=_stand_ins_first)
    )
    return Provenance(
        run=results.folder.resolve().name,
        created=_moment(info.created),
        recipe=_recipe(info),
        comparable=info.recipe.comparable,
        changes=changes,
        facts=_facts(results, run.protocols),
        notices=(*info.notices, *_failed_checks(info)),
    )


def warning_words(recipe: str) -> tuple[str, str, str]:
    """The warning in three parts, so that a renderer can set the recipe's name in its own way."""
    return "Recipe ", recipe, ": not comparable with published numbers"


def _stand_ins_first(change: run_info.Change) -> int:
    """What was measured on other images is no such number at all; then other networks, then how they were trained."""
    return 2 if change.suite is None else int(change.field != "dataset")


def _adapted(changes: Sequence[Change]) -> list[str]:
    """The stand-in datasets, then the reduced options, each once whatever the method."""
    papers: dict[tuple[str, str], dict[str, None]] = {}
    for change in changes:
        papers.setdefault((change.field, change.here), {})[change.paper] = None
    return [f"{field} {here} instead of {listed([*instead])}" for (field, here), instead in papers.items()]


def _facts(results: Results, protocols: Sequence[str]) -> tuple[tuple[str, str], ...]:
    info = results.info
    facts = _facts_of_runs(info.runs) if info.runs else _made(info)
    facts += [("Recipe", _recipe(info))]
    facts += [("Precision", info.precision)]
    facts += [("Seeds", ", ".join(map(str, trained_seeds(results))))]
    facts += [("Protocols", "; ".join(f"{name} – {protocol_title(name)}" for name in protocols))]
    passed = {check.dataset for check in info.input_checks if not check.notice}
    for dataset in results.datasets:
        words = f"{dataset.kind}, {dataset.rain_model}, {counted(len(dataset.test), 'test image')}"
        words += ", identity check passed" if dataset.name in passed else ""
        facts.append((f"Dataset {dataset.name}", words))
    facts += [(f"Weights of {method.name}", _weights(method.weights)) for method in results.methods if method.weights]
    facts += [(f"Machine: {name}", _value(value)) for name, value in info.machine.items()]
    facts += [("derainbench", info.derainbench)]
    facts += [(f"Version of {name}", _value(value)) for name, value in info.versions.items()]
    return tuple((name, value) for name, value in facts if value)


def _made(info: Circumstances) -> list[tuple[str, str]]:
    return [("Created", _moment(info.created)), ("Command", info.command)]


def _facts_of_runs(runs: Sequence[MergedRun]) -> list[tuple[str, str]]:
    """When and by what command each of several merged runs was made, and what it says that others say differently."""
    facts = []
    said = [_said(run) for run in runs]
    for run, own in zip(runs, said, strict=True):
        differing = [f"{name} {value}" for name, value in own.items() if any(each.get(name) != value for each in said)]
        moment, command = (value for _, value in _made(run))
        facts.append((f"Run {run.name}", "; ".join([moment, *differing])))
        facts.append((f"Command of {run.name}", command))
    return facts


def _said(run: Circumstances) -> dict[str, str]:
    named = {"recipe": _recipe(run), "precision": run.precision or None, "derainbench": run.derainbench or None}
    texts = {**named, "seeds": [*run.seeds], **run.machine, **run.versions}
    return {name: _value(value) for name, value in texts.items()}


def _recipe(info: Circumstances) -> str:
    cells = info.cells if isinstance(info, RunInfo) else ()
    if info.recipes == {} or (cells and not any(cell.kind == "train" for cell in cells)):
        return "none, nothing was trained"
    return info.recipe.name


def _failed_checks(info: RunInfo) -> list[str]:
    """Test images that were in a training set, and datasets whose files are not the ones that their cards describe."""
    notices = [*(seen.notice for seen in info.seen_in_training), *(check.notice for check in info.input_checks)]
    return [notice for notice in notices if notice]


def _weights(weights: WeightsInfo) -> str:
    trained_on = f"trained on {weights.trained_on}, sha256 {weights.sha256}"
    return f"{weights.source}, {trained_on}" + ("" if weights.verified else ", unverified")


def _moment(text: str) -> str:
    """An ISO time to the minute, such as ``2026-01-02 03:04 UTC``; anything else as it is."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{moment:%Y-%m-%d %H:%M} {moment.tzname() or ''}".strip()


def _value(value: Any) -> str:
    """A value of ``run.json`` for readers: whole numbers with thousands marks, lists with commas."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        text = ", ".join(map(_value, value))
    elif isinstance(value, Mapping):
        text = ", ".join(f"{name} {_value(part)}" for name, part in value.items())
    else:
        text = str(value)
    return text or "none"
