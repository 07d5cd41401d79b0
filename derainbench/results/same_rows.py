"""Which methods of several runs may stand in one row of a comparison, and what the others are called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any

import pandas as pd

from derainbench.results.recorded_inputs import differences, evaluation_inputs
from derainbench.results.results import EvaluationKey, Results

#: A score's place in the table; the other columns are what was found there.
PLACE = ["method", "trained_on", "seed", "dataset", "image", "protocol", "metric"]
#: Inputs that say nothing of how a score was made: the data is another column of a report, and a row has several.
_NOT_THE_WAY = frozenset({"data", "protocols"})
_OF_ONE_TRAINING_SET = "training data"


def split_rows(names: Sequence[str], runs: Sequence[Results]) -> tuple[list[dict[str, str]], list[str]]:
    """For each of the runs called ``names`` the new names of its methods, and a sentence for each that was split.

    Runs share a row where every input that both recorded is the same, apart from data and seeds, and where they
    tested the same training on the same images, the scores are.
    """
    renamings: list[dict[str, str]] = [{} for _ in runs]
    sentences = []
    for method in dict.fromkeys(method.name for results in runs for method in results.methods):
        having = [n for n, results in enumerate(runs) if any(each.name == method for each in results.methods)]
        ways = {n: _ways(runs[n], method) for n in having}
        scores = {n: _scores_of(runs[n], method) for n in having} if len(having) > 1 else {}
        groups: list[list[int]] = []
        apart: tuple[int, int] | None = None  # the first two that do not share a row
        for n in having:
            unlike = [[m for m in g if not _one_row(ways[m], ways[n], scores[m], scores[n])] for g in groups]
            apart = apart or next(((of[0], n) for of in unlike if of), None)
            group = next((g for g, of in zip(groups, unlike, strict=True) if not of), None)
            if group is None:
                groups.append([n])
            else:
                group.append(n)
        if len(groups) == 1 or apart is None:
            continue
        for group in groups:
            for n in group:
                renamings[n][method] = f"{method} ({', '.join(names[m] for m in group)})"
        first, second = apart
        sentences.append(
            f"{method} stands in {len(groups)} rows, because its runs differ ({names[first]} -> {names[second]}): "
            f"{_why(ways[first], ways[second])}."
        )
    return renamings, sentences


#: How a method's scores were made, by training set; several where a run itself made them in several ways.
_Ways = Mapping[str, list[Mapping[str, Any]]]


def _ways(results: Results, method: str) -> _Ways:
    ways: dict[str, list[Mapping[str, Any]]] = {}
    keys: Iterable[EvaluationKey] = [key for key in results.evaluations if key[0] == method]
    for key in keys or [(method, "", 0, "")]:
        inputs = evaluation_inputs(results, key)
        way = {name: value for name, value in inputs.items() if name not in _NOT_THE_WAY}
        of_set = ways.setdefault(key[1], [])
        if way not in of_set:
            of_set.append(way)
    return ways


def _one_row(ways: _Ways, others: _Ways, scores: pd.DataFrame, other_scores: pd.DataFrame) -> bool:
    """Whether two runs' scores of a method may stand in one row."""
    shared = ways.keys() & others.keys()
    if not all(_alike(ways[each], others[each]) for each in shared) or not _alike(_pooled(ways), _pooled(others)):
        return False
    both = scores.merge(other_scores, on=PLACE)
    equal = (both["value_x"] == both["value_y"]) | (both["value_x"].isna() & both["value_y"].isna())
    return bool(equal.all())


def _pooled(ways: _Ways) -> list[Mapping[str, Any]]:
    return [{n: v for n, v in way.items() if n != _OF_ONE_TRAINING_SET} for of_set in ways.values() for way in of_set]


def _alike(ways: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]) -> bool:
    """Whether one of two runs has no way that the other does not have: then a row mixes no more than it did."""
    return not (_lacking(ways, others) and _lacking(others, ways))


def _lacking(ways: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those of ``others`` that none of ``ways`` is like."""
    return [other for other in others if all(differences(one, other) for one in ways)]


def _why(ways: _Ways, others: _Ways) -> str:
    pairs = [(ways[each][0], others[each][0]) for each in ways if each in others]
    before, now = _pooled(ways), _pooled(others)
    pairs += product(_lacking(now, before), _lacking(before, now))
    said = dict.fromkeys(words for pair in pairs for words in differences(*pair))
    return ", ".join(said) or "the same inputs gave other scores"


def _scores_of(results: Results, method: str) -> pd.DataFrame:
    scores = results.scores
    return scores.loc[scores["method"] == method, [*PLACE, "value"]]
