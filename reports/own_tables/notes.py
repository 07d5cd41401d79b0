"""The sentences below a table of one's own: how it was measured, and what to beware of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from derainbench.metrics.kinds import METRICS
from derainbench.plugins.names import NO_TRAINING_SET
from derainbench.results.results import Results
from derainbench.support.words import listed

from ..comparison.cells import NO_SCORE, Cell, Column, Row, direction_words, protocol_title
from ..comparison.entries import Entry
from ..comparison.labels import method_labels
from ..comparison.notes import AT_HOME, NOT_EVALUATED, table_notes
from ..content import Content
from ..published.filled import in_bf16, run_index
from .scores import Line, Place, Score
from .spec import ANY, TableSpec


def own_notes(
    content: Content, spec: TableSpec, lines: Sequence[Line], columns: Sequence[tuple[Place, Sequence[Score]]]
) -> list[str]:
    """What a reader must know beside the marks; ``columns`` are those of scores with what stands in them."""
    if not columns:
        return [*spec.remarks]
    notes = [*_measuring([place for place, _ in columns]), *_training(spec, columns)]
    if any(_contend(scores, metric) for place, scores in columns for metric in place.metrics):
        notes.append(f"Best in bold, second best underlined; {direction_words()}.")
    measured = [
        (place, line, score)
        for place, scores in columns
        for line, score in zip(lines, scores, strict=True)
        if score.source is not None and line.method is not None
    ]
    notes += _of_measured(content, measured)
    trained = [s for _, line, s in measured if line.method and line.method.weights is None and not _untrained(s)]
    recipe = content.results.info.recipe
    if trained and not recipe.comparable:
        notes.append(f"Trained here with recipe {recipe.name}: not comparable with published numbers.")
    return [*notes, *spec.remarks]


def _contend(scores: Sequence[Score], metric: str) -> bool:
    return sum(each.compared and each.cells[metric].cell.state == "finished" for each in scores) > 1


def _training(spec: TableSpec, columns: Sequence[tuple[Place, Sequence[Score]]]) -> list[str]:
    """What the networks of the table were trained on, but for what marks say."""
    networks = any(score.source not in NO_TRAINING_SET for _, scores in columns for score in scores)
    if not networks:
        return []
    each = "the training images of each column's own dataset"
    if spec.trained_on == ANY:
        return [f"Networks trained on {each}, where nothing else is said."]
    return [f"Networks trained on {spec.trained_on or each}."]


def _untrained(score: Score) -> bool:
    return score.source in NO_TRAINING_SET


def _measuring(places: Sequence[Place]) -> Iterator[str]:
    """Which metrics under which protocol, a sentence each; where several are, columns name theirs."""
    for protocol in dict.fromkeys(place.protocol for place in places):
        names = dict.fromkeys(m for place in places if place.protocol == protocol for m in place.metrics)
        kinds = [kind for name, kind in METRICS.items() if name in names and kind.by_protocol]
        titles = listed([f"{kind.title} in {kind.unit}" if kind.unit else kind.title for kind in kinds])
        if kinds:  # of the others it is said who measured them
            yield f"{titles} under protocol {protocol} ({protocol_title(protocol)}), means over test images."


def _of_measured(content: Content, measured: Sequence[tuple[Place, Line, Score]]) -> Iterator[str]:
    """What the comparison says below its tables, of the rows and columns that stand here."""
    titles = _titles(content, measured)
    run = _narrowed(content.results, {*titles}, {place.dataset for place, _, _ in measured})
    datasets = {each.name: each for each in run.datasets}
    rows: dict[str, dict[tuple[str, str | None], dict[Column, Cell]]] = {}
    for place, line, score in measured:
        if line.method is not None and place.dataset in datasets:
            home = score.source in (place.dataset, *NO_TRAINING_SET)
            of_protocol = rows.setdefault(place.protocol, {})
            cells = of_protocol.setdefault((line.method.name, None if home else score.source), {})
            cells |= {Column(datasets[place.dataset], metric): score.cells[metric].cell for metric in place.metrics}
    methods = {method.name: method for method in run.methods}
    for protocol, of_protocol in rows.items():
        columns = list(dict.fromkeys(column for cells in of_protocol.values() for column in cells))
        body = [
            Row(Entry(methods[name], titles[name], source), tuple(cells.get(each, NO_SCORE) for each in columns))
            for (name, source), cells in of_protocol.items()
        ]
        said = table_notes(run, protocol, body, columns)
        yield from (note for note in said if note != AT_HOME and not note.endswith(NOT_EVALUATED))
    for dataset in datasets.values():
        if not dataset.whole:
            yield f"{dataset.title}: {len(dataset.test)} test images, which is not all that it has, or too many."
    index = run_index(content.run)
    places = [(line.method.name, score.source or "", place.dataset) for place, line, score in measured if line.method]
    low = dict.fromkeys(titles[place[0]] for place in places if in_bf16(index, place))
    if low:
        yield f"Measured in bf16, where publications are in fp32: {listed([*low])}."


def _titles(content: Content, measured: Sequence[tuple[Place, Line, Score]]) -> dict[str, str]:
    """What the table calls the methods of its rows."""
    labels = method_labels(content.results.methods)
    return {line.method.name: line.row.title or labels[line.method.name] for _, line, _ in measured if line.method}


def _narrowed(results: Results, methods: set[str], datasets: set[str]) -> Results:
    """A run as if it had these methods and datasets only, so that nothing is said of others."""
    scores = results.scores
    return replace(
        results,
        methods=tuple(each for each in results.methods if each.name in methods),
        datasets=tuple(each for each in results.datasets if each.name in datasets),
        scores=scores[scores["method"].isin(methods) & scores["dataset"].isin(datasets)],
    )
