"""The description of several runs as one: a ``run.json`` that all of them could have written together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from derainbench.plugins.names import parse_name

#: What of each run is kept as it was, under ``runs``.
_OF_EACH = (
    "recipe",
    "recipes",
    "command",
    "created",
    "derainbench",
    "machine",
    "versions",
    "precision",
    "protocols",
    "seeds",
)

Info = Mapping[str, Any]


def merged_info(
    names: Sequence[str], infos: Sequence[Info], renamings: Sequence[Mapping[str, str]], notices: Sequence[str] = ()
) -> dict[str, Any]:
    """One ``info`` of several, whose runs are called ``names``; ``notices`` stand before those of the runs.

    ``runs`` has an entry a run, with its name and what it says of how it was made. Elsewhere what all runs agree on
    is said once. Where they differ, lists are united, texts joined by commas, and notices begin with the run's name.
    ``renamings`` are the methods' new names in each run.
    """
    protocols, missing = _protocols(names, infos)
    changes = _changes(infos, renamings)
    comparable = all(info.get("recipe", {}).get("comparable", False) for info in infos)
    return {
        "schema": infos[0].get("schema"),
        "derainbench": _joined(info.get("derainbench", "") for info in infos),
        "created": max((str(info.get("created", "")) for info in infos), key=_moment),
        "command": " && ".join(dict.fromkeys(str(info["command"]) for info in infos if info.get("command"))),
        "recipe": {"name": _recipe_name(infos), "comparable": comparable, "changes": changes},
        "protocols": protocols,
        "seeds": sorted({seed for info in infos for seed in info.get("seeds", ())}),
        "precision": _joined(info.get("precision", "") for info in infos),
        "machine": _facts([info.get("machine", {}) for info in infos]),
        "versions": _facts([info.get("versions", {}) for info in infos]),
        "recipes": _by_run(names, [_recipes(info, renamed) for info, renamed in zip(infos, renamings, strict=True)]),
        "notices": [*notices, *missing, *_notices(names, infos)],
        "seen_in_training": _seen(names, infos),
        "input_checks": _unique(sorted(_listed(infos, "input_checks"), key=_passed), ("dataset",)),
        "methods": _unique(_methods(infos, renamings), ("name",)),
        "datasets": _unique(_listed(infos, "datasets"), ("name",)),
        "manifests": _by_run(names, [info.get("manifests", {}) for info in infos]),
        "cells": _unique(_cells(infos, renamings), ("folder",)),
        **_suite(infos, renamings),
        "runs": [
            {"name": name, **{key: info[key] for key in _OF_EACH if key in info}}
            for name, info in zip(names, infos, strict=True)
        ],
    }


def renamed_cell(folder: str, renamed: Mapping[str, str]) -> str:
    """A cell's place in its run folder where its method has a new name."""
    kind, method, *rest = PurePosixPath(folder).parts
    return PurePosixPath(kind, renamed.get(method, method), *rest).as_posix()


def _protocols(names: Sequence[str], infos: Sequence[Info]) -> tuple[list[str], list[str]]:
    """Those of every run first, then the others with a notice each."""
    asked = [[str(protocol) for protocol in info.get("protocols", ())] for info in infos]
    union = list(dict.fromkeys(protocol for of_run in asked for protocol in of_run))
    lacking = {
        protocol: [name for name, of_run in zip(names, asked, strict=True) if protocol not in of_run]
        for protocol in union
    }
    notices = [f"protocol {protocol} was not measured in {', '.join(of)}." for protocol, of in lacking.items() if of]
    return sorted(union, key=lambda protocol: bool(lacking[protocol])), notices


def _changes(infos: Sequence[Info], renamings: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """Departures from the publications, a method that was split under each of its new names."""
    changes = []
    for info, renamed in zip(infos, renamings, strict=True):
        for change in info.get("recipe", {}).get("changes", ()):
            of = [new for old, new in renamed.items() if change["method"] in (old, parse_name(old).base)]
            changes += [{**change, "method": name} for name in of or [change["method"]]]
    return [change for n, change in enumerate(changes) if change not in changes[:n]]


def _recipe_name(infos: Sequence[Info]) -> str:
    """The recipes by which something was trained, if anything was."""
    trained = [info for info in infos if info.get("recipes") != {}] or infos
    return _joined(info.get("recipe", {}).get("name", "unknown") for info in trained)


def _recipes(info: Info, renamed: Mapping[str, str]) -> dict[str, Any]:
    """By method, where a run's methods were all renamed under the new names."""
    recipes: dict[str, Any] = {}
    for key, recipe in info.get("recipes", {}).items():
        method, _, of = key.partition(" trained on ")
        new = [name for old, name in renamed.items() if method in (old, parse_name(old).base)]
        recipes |= {f"{name} trained on {of}" if of else name: recipe for name in new or [method]}
    return recipes


def _by_run(names: Sequence[str], mappings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The union; what several runs have under one key, and differently, stands under ``key (run)``."""
    found: dict[str, Any] = {}
    for key in dict.fromkeys(key for mapping in mappings for key in mapping):
        having = [(name, mapping[key]) for name, mapping in zip(names, mappings, strict=True) if key in mapping]
        same = all(value == having[0][1] for _, value in having)
        found |= {key: having[0][1]} if same else {f"{key} ({name})": value for name, value in having}
    return found


def _notices(names: Sequence[str], infos: Sequence[Info]) -> list[str]:
    """What every run says once, the rest under the run's name."""
    said = [[str(notice) for notice in info.get("notices", ())] for info in infos]
    common = [notice for notice in said[0] if all(notice in of_run for of_run in said)]
    own = [f"{name}: {notice}" for name, of in zip(names, said, strict=True) for notice in of if notice not in common]
    return [*common, *own]


def _seen(names: Sequence[str], infos: Sequence[Info]) -> list[dict[str, Any]]:
    """One entry a training set and test set: the one that found most; a look that was not taken counts least."""
    found: dict[tuple[str, str], list[tuple[str, dict[str, Any]]]] = {}
    for name, info in zip(names, infos, strict=True):
        for entry in info.get("seen_in_training", ()):
            found.setdefault((entry["train"], entry["test"]), []).append((name, dict(entry)))
    worst = []
    for entries in found.values():
        name, entry = max(entries, key=lambda each: -1 if each[1]["shared"] is None else each[1]["shared"])
        differ = any(other != entry for _, other in entries)
        notice = f"{name}: {entry['notice']}" if differ and entry["notice"] else entry["notice"]
        worst.append({**entry, "notice": notice})
    return worst


def _cells(infos: Sequence[Info], renamings: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    return [
        {**cell, "method": renamed.get(cell["method"], cell["method"]), "folder": renamed_cell(cell["folder"], renamed)}
        for info, renamed in zip(infos, renamings, strict=True)
        for cell in info.get("cells", ())
    ]


def _methods(infos: Sequence[Info], renamings: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    return [
        {**method, "name": name, "title": f"{method['title']}{name.removeprefix(method['name'])}"}
        for info, renamed in zip(infos, renamings, strict=True)
        for method in info.get("methods", ())
        for name in [renamed.get(method["name"], method["name"])]
    ]


def _suite(infos: Sequence[Info], renamings: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """The tables that the runs were made for; the first run that has a row fills it."""
    suites = [(info["suite"], renamed) for info, renamed in zip(infos, renamings, strict=True) if info.get("suite")]
    rows = [
        {**row, "method": renamed.get(row["method"], row["method"])}
        for suite, renamed in suites
        for row in suite["rows"]
    ]
    name = " + ".join(dict.fromkeys(part for suite, _ in suites for part in str(suite["name"]).split(" + ")))
    return {"suite": {"name": name, "rows": _unique(rows, ("table", "row", "column"))}} if suites else {}


def _listed(infos: Sequence[Info], key: str) -> list[Any]:
    return [entry for info in infos for entry in info.get(key, ())]


def _passed(check: Mapping[str, Any]) -> bool:
    return not check["notice"]


def _unique(entries: Iterable[Any], identity: Sequence[str]) -> list[Any]:
    """The first of those that agree in ``identity``."""
    found: dict[tuple[Any, ...], Any] = {}
    for entry in entries:
        found.setdefault(tuple(entry[key] for key in identity), entry)
    return list(found.values())


def _facts(mappings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What all agree on as it is, the rest as a text of all values."""
    names = dict.fromkeys(name for mapping in mappings for name in mapping)
    found = {}
    for name in names:
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
