"""What methods are called where readers see them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from derainbench.errors import UserError, did_you_mean
from derainbench.plugins.names import ParsedName, parse_name
from derainbench.results.results import MethodInRun, Results

#: What stands for a number that nobody has.
MISSING = "–"


def short_names(labels: Sequence[str]) -> tuple[str, ...]:
    """``labels`` without the words in parentheses at their ends, where they stay different without them."""
    names = tuple(labels)
    while (shorter := _without_the_last(names)) != names:
        names = shorter
    return names


def _without_the_last(labels: tuple[str, ...]) -> tuple[str, ...]:
    cut = [re.sub(r"(?<=\S)\s+\([^()]*\)\s*$", "", label) for label in labels]
    # a label that is another one cut would make two rows look alike
    often = Counter([*cut, *labels])
    return tuple(
        short if often[short] == 1 + (short == label) else label for short, label in zip(cut, labels, strict=True)
    )


def method_labels(methods: Iterable[MethodInRun]) -> dict[str, str]:
    """A unique label for each method: its title; with the options of its name where several share the title."""
    methods = tuple(methods)
    titles = Counter(method.title for method in methods)
    labels = {}
    for method in methods:
        options = re.match(r"[^\s\[@]*([\[@]\S*)", method.name)  # not what stands behind, which the title has too
        alone = titles[method.title] == 1
        labels[method.name] = method.title if alone or not options else f"{method.title} {options[1]}"
    repeated = Counter(labels.values())
    return {name: label if repeated[label] == 1 else f"{label} ({name})" for name, label in labels.items()}


def with_distinct_titles(results: Results) -> Results:
    """The same run, where datasets that share a title, as those made with one preset do, have their name in it too."""
    titles = Counter(dataset.title for dataset in results.datasets)
    if all(count == 1 for count in titles.values()):
        return results
    datasets = (
        dataset if titles[dataset.title] == 1 else replace(dataset, title=f"{dataset.title} ({dataset.name})")
        for dataset in results.datasets
    )
    return replace(results, datasets=tuple(datasets))


def renamed(results: Results, titles: Mapping[str, str]) -> Results:
    """The same run with titles of somebody's choice, by the names of methods; one without options and tag will do.

    UserError for a name that no method of the run has, and for one that several have.
    """
    chosen = titles_by_name(results, titles)
    methods = tuple(replace(each, title=chosen.get(each.name, each.title)) for each in results.methods)
    return replace(results, methods=methods)


def titles_by_name(results: Results, titles: Mapping[str, str]) -> dict[str, str]:
    """Titles by the methods' own names. UserError where :func:`the_method` has one, and for a method named twice."""
    asked: dict[str, str] = {}
    for name in titles:
        method = the_method(results, name).name
        if method in asked:
            raise UserError(f"--rename {asked[method]!r} and {name!r} are one method, {method!r}; keep one")
        asked[method] = name
    return {method: titles[name] for method, name in asked.items()}


def the_method(results: Results, name: str) -> MethodInRun:
    """The method of a run that a name means: its own, or without tag, or without options too where one alone has it.

    UserError where there is no such method, or several.
    """
    parsed = _parsed(name)
    ways = (
        lambda each: name == each.name,
        lambda each: parsed is not None and parsed == _parsed(each.asked),  # options in any order
        lambda each: parsed is not None and parsed == _parsed(each.asked.partition("@")[0]),
        lambda each: name == each.base,
    )
    for way in ways:
        found = [each for each in results.methods if way(each)]
        if len(found) == 1:
            return found[0]
        if found:
            raise UserError(f"{name!r} may be {', '.join(each.name for each in found)}; give one of these names")
    known = [method.name for method in results.methods]
    raise UserError(f"the run has no method {name!r}; {did_you_mean(name, known)}")


def _parsed(name: str) -> ParsedName | None:
    """A name taken apart; None for what is none, as a row of merged runs may be called."""
    try:
        return parse_name(name)
    except UserError:
        return None
