"""What there is, as text for a person or JSON for a script: methods, weights, conformance checks."""

from __future__ import annotations

import dataclasses
import json
import textwrap
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tabulate import tabulate

from derainbench.errors import FOREIGN, UserError, one_line
from derainbench.plugins.method import Method
from derainbench.plugins.options import option_defaults, option_types, spell
from derainbench.plugins.perceptual import NETWORKS, features_record
from derainbench.plugins.registry import Registry
from derainbench.plugins.variant import Variant, choose
from derainbench.plugins.weights_store import known_weights, place
from derainbench.support.cache import cache_folder

if TYPE_CHECKING:
    from derainbench.engine.conformance import CheckOutcome


def list_methods(registry: Registry, as_json: bool) -> str:
    """Every registered method, broken ones with their error."""
    entries, broken = [], []
    for name in registry.names():
        try:
            entries.append(_method(registry.get(name), registry.origin(name)))
        except UserError as error:
            broken.append({"name": name, "from": registry.origin(name), "error": str(error)})
        except FOREIGN as error:  # a network that cannot be built breaks its own line, not the list
            reason = f"method {name!r} cannot be built ({type(error).__name__}: {one_line(error)})"
            broken.append({"name": name, "from": registry.origin(name), "error": reason})
    if as_json:
        return json.dumps({"methods": entries, "broken": broken}, indent=2)
    rows = []
    for entry in entries:
        options = " ".join(f"{option['name']}={option['default']}" for option in entry["options"])
        parameters = "by file" if entry["parameters"] is None else f"{entry['parameters']:,}"
        rows.append([entry["name"], parameters, textwrap.fill(options, 60), entry["from"]])
        rows += [[f"  {v['name']}", f"{v['parameters']:,}", v["title"], ""] for v in entry["variants"]]
        tags = " ".join(dict.fromkeys(f"@{weights['tag']}" for weights in entry["weights"]))
        rows += [["  weights", "", textwrap.fill(tags, 60), ""]] if tags else []
    headers = ["method", "parameters", "options and defaults", "from"]
    lines = [tabulate(rows, headers, disable_numparse=True, colalign=("left", "right", "left", "left"))]
    lines += [f"\nbroken: {entry['error']}" for entry in broken]
    return "\n".join(lines)


def _method(method: Method, origin: str) -> dict[str, Any]:
    defaults, types = option_defaults(method.network), option_types(method.network)
    options = [{"name": n, "default": spell(v), "type": _type_name(types[n])} for n, v in defaults.items()]
    return {
        "name": method.name,
        "title": method.title,
        "parameters": Variant(method).parameters() if method.opens is None else None,
        "options": options,
        "trains": method.recipe is not None,
        "variants": [_variant(choose(method, options)) for options in method.variants.values()],
        "weights": [_weights(variant) for variant in known_weights(method)],
        "paper": dataclasses.asdict(method.paper) if method.paper else None,
        "from": origin,
    }


def _variant(variant: Variant) -> dict[str, Any]:
    return {"name": variant.name, "title": variant.title, "parameters": variant.parameters()}


def list_weights(registry: Registry, as_json: bool) -> str:
    """The weights of every registered method, published or the user's own, and whether they are on this machine."""
    entries, broken = [], []
    for name in registry.names():
        try:
            entries += [_weights(variant) for variant in known_weights(registry.get(name))]
        except UserError as error:
            broken.append({"name": name, "from": registry.origin(name), "error": str(error)})
    here = {name: features_record(name) for name in NETWORKS}
    if as_json:
        known = {
            name: {"source": each.source, "sha256": each.sha256, "here": record.model_dump() if record else None}
            for (name, each), record in zip(NETWORKS.items(), here.values(), strict=True)
        }
        return json.dumps({"weights": entries, "features": known, "broken": broken}, indent=2)
    rows = [
        (e["name"], e["trained_on"], _here(e), e["licence"], f"{e['sha256'][:12]}...", e["source"]) for e in entries
    ]
    headers = ["weights", "trained on", "here", "licence", "sha256", "source"]
    by_hand = sorted({e["name"] for e in entries if e["verified"] and not e["files"]})
    lines = [tabulate(rows, headers, disable_numparse=True), f"\nhere: in {cache_folder() / 'weights'}"]
    lines.append(f"derainbench weights fetch NAME fetches them{_but(by_hand)}")
    for name, record in here.items():
        state = "not here" if record is None else f"here{'' if record.verified else ', unverified'}"
        lines.append(f"{name}, for {NETWORKS[name].used_for}: {state}; {NETWORKS[name].source}")
    return "\n".join([*lines, *(f"\nbroken: {entry['error']}" for entry in broken)])


def _but(names: list[str]) -> str:
    return f", but not {', '.join(names)}, whose file is another one than what is added" if names else ""


def _here(entry: dict[str, Any]) -> str:
    return f"{entry['here']}{'' if entry['verified'] else ', unverified'}"


def _weights(variant: Variant) -> dict[str, Any]:
    weights, (path, state) = variant.weights, place(variant)
    assert weights is not None
    return {
        "name": variant.name,
        "tag": weights.tag,
        "trained_on": weights.trained_on,
        "source": weights.source,
        "licence": weights.licence,
        "sha256": weights.sha256,
        "files": [file.model_dump(mode="json") for file in weights.files],
        "verified": weights.verified,
        "here": {"here": "yes", "missing": "no"}.get(state, state),
        "path": str(path) if state != "missing" else None,
    }


def checks_as_json(results: Mapping[str, Mapping[str, CheckOutcome]]) -> str:
    """What the conformance kit found, by method and check: an empty problem is a pass."""
    outcomes = {name: {check: o._asdict() for check, o in checks.items()} for name, checks in results.items()}
    return json.dumps(outcomes, indent=2)


def check_line(check: str, outcome: CheckOutcome, width: int) -> str:
    """One check of the conformance kit as a line; ``width`` is that of the longest check's name."""
    remedy = f"; {outcome.remedy}" if outcome.remedy else ""
    found = f"FAILS: {outcome.problem}{remedy}" if outcome.problem else f"ok  {outcome.remark}"
    return f"  {check:{width}}  {found}".rstrip()


def _type_name(annotation: Any) -> str:
    if typing.get_origin(annotation) is Annotated:
        return _type_name(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) is Literal:
        return " | ".join(spell(choice) for choice in typing.get_args(annotation))
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")
