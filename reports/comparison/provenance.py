"""Where the numbers of a report come from, as plain data: recipe, machine, versions, command, notices, failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from derainbench.results.results import Results
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
    recipe: Mapping[str, Any] = info.get("recipe", {})
    changes = tuple(
        Change(
            str(change["method"]),
            str(change["field"]),
            _value(change.get("paper")),
            _value(change.get("here")),
            "suite" in change,
        )
        for change in sorted(recipe.get("changes", ()), key=_stand_ins_first)
    )
    return Provenance(
        run=results.folder.resolve().name,
        created=_moment(str(info.get("created", ""))),
        recipe=_recipe(info),
        comparable=bool(recipe.get("comparable", False)),
        changes=changes,
        facts=_facts(results, run.protocols),
        notices=tuple(str(notice) for notice in [*info.get("notices", ()), *_failed_checks(info)]),
    )


def warning_words(recipe: str) -> tuple[str, str, str]:
    """The warning in three parts, so that a renderer can set the recipe's name in its own way."""
    return "Recipe ", recipe, ": not comparable with published numbers"


def _stand_ins_first(change: Mapping[str, Any]) -> int:
    """What was measured on other images is no such number at all; then other networks, then how they were trained."""
    return 2 if "suite" not in change else int(change["field"] != "dataset")


def _adapted(changes: Sequence[Change]) -> list[str]:
    """The stand-in datasets, then the reduced options, each once whatever the method."""
    papers: dict[tuple[str, str], dict[str, None]] = {}
    for change in changes:
        papers.setdefault((change.field, change.here), {})[change.paper] = None
    return [f"{field} {here} instead of {listed([*instead])}" for (field, here), instead in papers.items()]


def _facts(results: Results, protocols: Sequence[str]) -> tuple[tuple[str, str], ...]:
    info = results.info
    facts = _facts_of_runs(info["runs"]) if info.get("runs") else _made(info)
    facts += [("Recipe", _recipe(info))]
    facts += [("Precision", str(info.get("precision", "")))]
    facts += [("Seeds", ", ".join(map(str, trained_seeds(results))))]
    facts += [("Protocols", "; ".join(f"{name} – {protocol_title(name)}" for name in protocols))]
    passed = {check["dataset"] for check in info.get("input_checks", ()) if not check["notice"]}
    for dataset in results.datasets:
        words = f"{dataset.kind}, {dataset.rain_model}, {counted(len(dataset.test), 'test image')}"
        words += ", identity check passed" if dataset.name in passed else ""
        facts.append((f"Dataset {dataset.name}", words))
    facts += [(f"Weights of {method.name}", _weights(method.weights)) for method in results.methods if method.weights]
    facts += [(f"Machine: {name}", _value(value)) for name, value in info.get("machine", {}).items()]
    facts += [("derainbench", str(info.get("derainbench", "")))]
    facts += [(f"Version of {name}", _value(value)) for name, value in info.get("versions", {}).items()]
    return tuple((name, value) for name, value in facts if value)


def _made(info: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [("Created", _moment(str(info.get("created", "")))), ("Command", str(info.get("command", "")))]


def _facts_of_runs(runs: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """When and by what command each of several merged runs was made, and what it says that others say differently."""
    facts = []
    said = [_said(run) for run in runs]
    for run, own in zip(runs, said, strict=True):
        differing = [f"{name} {value}" for name, value in own.items() if any(each.get(name) != value for each in said)]
        moment, command = (value for _, value in _made(run))
        facts.append((f"Run {run['name']}", "; ".join([moment, *differing])))
        facts.append((f"Command of {run['name']}", command))
    return facts


def _said(run: Mapping[str, Any]) -> dict[str, str]:
    named = {"recipe": _recipe(run), "precision": run.get("precision"), "derainbench": run.get("derainbench")}
    texts = {**named, "seeds": run.get("seeds"), **run.get("machine", {}), **run.get("versions", {})}
    return {name: _value(value) for name, value in texts.items()}


def _recipe(info: Mapping[str, Any]) -> str:
    cells = info.get("cells", ())
    if info.get("recipes") == {} or (cells and not any(cell["kind"] == "train" for cell in cells)):
        return "none, nothing was trained"
    return str(info.get("recipe", {}).get("name", "unknown"))


def _failed_checks(info: Mapping[str, Any]) -> list[str]:
    """Test images that were in a training set, and datasets whose files are not the ones that their cards describe."""
    checks = [*info.get("seen_in_training", ()), *info.get("input_checks", ())]
    return [check["notice"] for check in checks if check["notice"]]


def _weights(weights: Mapping[str, Any]) -> str:
    trained_on = f"trained on {weights['trained_on']}, sha256 {weights['sha256']}"
    return f"{weights['source']}, {trained_on}" + ("" if weights["verified"] else ", unverified")


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
