"""The description of several runs as one: a ``run.json`` that all of them could have written together."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, TypeVar

from derainbench.plugins.names import parse_name
from derainbench.results.run_info import (
    CellInfo,
    Change,
    Circumstances,
    MergedRun,
    MethodInfo,
    RecipeFields,
    RecipeInfo,
    RunInfo,
    Scalar,
    SeenInfo,
    SuiteInfo,
)

_T = TypeVar("_T")
Renamings = Sequence[Mapping[str, str]]


def merged_info(
    names: Sequence[str], infos: Sequence[RunInfo], renamings: Renamings, notices: Sequence[str]
) -> RunInfo:
    """One description of several, whose runs are called ``names``; ``notices`` stand before those of the runs.

    ``runs`` has an entry a run, with its name and what it says of how it was made. Elsewhere what all runs agree on
    is said once. Where they differ, lists are united, texts joined by commas, and notices begin with the run's name.
    ``renamings`` are the methods' new names in each run.
    """
    protocols, missing = _protocols(names, infos)
    checks = sorted((check for info in infos for check in info.input_checks), key=lambda check: not check.notice)
    comparable = all(info.recipe.comparable for info in infos)
    suite = _suite(infos, renamings)
    info = RunInfo(
        schema_=infos[0].schema_,
        derainbench=_joined(info.derainbench for info in infos),
        created=max((info.created for info in infos), key=_moment),
        command=" && ".join(dict.fromkeys(info.command for info in infos if info.command)),
        recipe=RecipeInfo(name=_recipe_name(infos), comparable=comparable, changes=_changes(infos, renamings)),
        protocols=tuple(protocols),
        seeds=tuple(sorted({seed for info in infos for seed in info.seeds})),
        precision=_joined(info.precision for info in infos),
        machine=_facts([info.machine for info in infos]),
        versions=_facts([info.versions for info in infos]),
        recipes=_by_run(names, [_recipes(info, renamed) for info, renamed in zip(infos, renamings, strict=True)]),
        notices=(*notices, *missing, *_notices(names, infos)),
        seen_in_training=_seen(names, infos),
        input_checks=_unique(checks, lambda check: check.dataset),
        methods=_unique(_methods(infos, renamings), lambda method: method.name),
        datasets=_unique((each for info in infos for each in info.datasets), lambda dataset: dataset.name),
        manifests=_by_run(names, [info.manifests for info in infos]),
        cells=_unique(_cells(infos, renamings), lambda cell: cell.folder),
        runs=tuple(_circumstances(name, info) for name, info in zip(names, infos, strict=True)),
    )
    own = _unique((each for info in infos for each in info.own_protocols), lambda protocol: protocol.name)
    metrics = _unique((each for info in infos for each in info.metrics), lambda metric: metric.name)
    unions = _unique((each for info in infos for each in info.unions), lambda union: union.name)
    more = {"suite": suite, "own_protocols": own, "metrics": metrics, "unions": unions}
    return info.model_copy(update={name: value for name, value in more.items() if value})


def _circumstances(name: str, info: RunInfo) -> MergedRun:
    said = {each: getattr(info, each) for each in Circumstances.model_fields if each in info.model_fields_set}
    return MergedRun(name=name, **said)


def renamed_cell(folder: str, renamed: Mapping[str, str]) -> str:
    """A cell's place in its run folder where its method has a new name."""
    kind, method, *rest = PurePosixPath(folder).parts
    return PurePosixPath(kind, renamed.get(method, method), *rest).as_posix()


def _protocols(names: Sequence[str], infos: Sequence[RunInfo]) -> tuple[list[str], list[str]]:
    """Those of every run first, then the others with a notice each."""
    union = list(dict.fromkeys(protocol for info in infos for protocol in info.protocols))
    lacking = {
        protocol: [name for name, info in zip(names, infos, strict=True) if protocol not in info.protocols]
        for protocol in union
    }
    notices = [f"protocol {protocol} was not measured in {', '.join(of)}." for protocol, of in lacking.items() if of]
    return sorted(union, key=lambda protocol: bool(lacking[protocol])), notices


def _changes(infos: Sequence[RunInfo], renamings: Renamings) -> tuple[Change, ...]:
    """Departures from the publications, a method that was split under each of its new names."""
    changes: list[Change] = []
    for info, renamed in zip(infos, renamings, strict=True):
        for change in info.recipe.changes:
            of = [new for old, new in renamed.items() if change.method in (old, parse_name(old).base)]
            changes += [change.model_copy(update={"method": name}) for name in of or [change.method]]
    return tuple(change for n, change in enumerate(changes) if change not in changes[:n])


def _recipe_name(infos: Sequence[RunInfo]) -> str:
    """The recipes by which something was trained, if anything was."""
    trained = [info for info in infos if info.recipes != {}] or infos
    return _joined(info.recipe.name for info in trained)


def _recipes(info: RunInfo, renamed: Mapping[str, str]) -> dict[str, RecipeFields]:
    """By method, where a run's methods were all renamed under the new names."""
    recipes: dict[str, RecipeFields] = {}
    for key, recipe in (info.recipes or {}).items():
        method, _, of = key.partition(" trained on ")
        new = [name for old, name in renamed.items() if method in (old, parse_name(old).base)]
        recipes |= {f"{name} trained on {of}" if of else name: recipe for name in new or [method]}
    return recipes


def _by_run(names: Sequence[str], mappings: Sequence[Mapping[str, _T]]) -> dict[str, _T]:
    """The union; what several runs have under one key, and differently, stands under ``key (run)``."""
    found: dict[str, _T] = {}
    for key in dict.fromkeys(key for mapping in mappings for key in mapping):
        having = [(name, mapping[key]) for name, mapping in zip(names, mappings, strict=True) if key in mapping]
        same = all(value == having[0][1] for _, value in having)
        found |= {key: having[0][1]} if same else {f"{key} ({name})": value for name, value in having}
    return found


def _notices(names: Sequence[str], infos: Sequence[RunInfo]) -> list[str]:
    """What every run says once, the rest under the run's name."""
    common = [notice for notice in infos[0].notices if all(notice in info.notices for info in infos)]
    own = [
        f"{name}: {notice}"
        for name, info in zip(names, infos, strict=True)
        for notice in info.notices
        if notice not in common
    ]
    return [*common, *own]


def _seen(names: Sequence[str], infos: Sequence[RunInfo]) -> tuple[SeenInfo, ...]:
    """One entry a training set and test set: the one that found most; a look that was not taken counts least."""
    found: dict[tuple[str, str], list[tuple[str, SeenInfo]]] = {}
    for name, info in zip(names, infos, strict=True):
        for entry in info.seen_in_training:
            found.setdefault((entry.train, entry.test), []).append((name, entry))
    worst = []
    for entries in found.values():
        name, entry = max(entries, key=lambda each: -1 if each[1].shared is None else each[1].shared)
        differ = any(other != entry for _, other in entries)
        notice = f"{name}: {entry.notice}" if differ and entry.notice else entry.notice
        worst.append(entry.model_copy(update={"notice": notice}))
    return tuple(worst)


def _cells(infos: Sequence[RunInfo], renamings: Renamings) -> Iterable[CellInfo]:
    for info, renamed in zip(infos, renamings, strict=True):
        for cell in info.cells:
            new = {"method": renamed.get(cell.method, cell.method), "folder": renamed_cell(cell.folder, renamed)}
            yield cell.model_copy(update=new)


def _methods(infos: Sequence[RunInfo], renamings: Renamings) -> Iterable[MethodInfo]:
    for info, renamed in zip(infos, renamings, strict=True):
        for method in info.methods:
            name = renamed.get(method.name, method.name)
            title = f"{method.title}{name.removeprefix(method.name)}"
            yield method.model_copy(update={"name": name, "title": title})


def _suite(infos: Sequence[RunInfo], renamings: Renamings) -> SuiteInfo | None:
    """The tables that the runs were made for; the first run that has a row fills it."""
    suites = [(info.suite, renamed) for info, renamed in zip(infos, renamings, strict=True) if info.suite is not None]
    if not suites:
        return None
    rows = [
        row.model_copy(update={"method": renamed.get(row.method, row.method)})
        for suite, renamed in suites
        for row in suite.rows
    ]
    name = " + ".join(dict.fromkeys(part for suite, _ in suites for part in suite.name.split(" + ")))
    return SuiteInfo(name=name, rows=_unique(rows, lambda row: (row.table, row.row, row.column)))


def _unique(entries: Iterable[_T], identity: Callable[[_T], Hashable]) -> tuple[_T, ...]:
    """The first of those that agree in ``identity``."""
    found: dict[Hashable, _T] = {}
    for entry in entries:
        found.setdefault(identity(entry), entry)
    return tuple(found.values())


def _facts(mappings: Sequence[Mapping[str, Scalar]]) -> dict[str, Scalar]:
    """What all agree on as it is, the rest as a text of all values."""
    found: dict[str, Scalar] = {}
    for name in dict.fromkeys(name for mapping in mappings for name in mapping):
        values = [mapping[name] for mapping in mappings if name in mapping]
        found[name] = values[0] if all(value == values[0] for value in values) else _joined(values)
    return found


def _joined(values: Iterable[Any]) -> str:
    return ", ".join(dict.fromkeys(str(value) for value in values if value not in ("", None)))


def _moment(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0
