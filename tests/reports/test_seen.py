"""Scores of test images that the training has seen: in no rank, marked in every format, explained once."""

from __future__ import annotations

import json
from dataclasses import replace

from derainbench.reports.comparison.measured import measured
from derainbench.reports.comparison.table import comparison_tables
from derainbench.reports.content import content
from derainbench.reports.latex.documents import tables_tex
from derainbench.reports.page.html import html
from derainbench.reports.page.overview import cards, leaks
from derainbench.reports.page.pictures import NoPictures
from derainbench.reports.text.json import results_json
from derainbench.reports.text.markdown import markdown
from derainbench.reports.text.terminal import terminal
from derainbench.results.results import Results
from derainbench.results.run_info import CellInfo

from .conftest import Score, cell, dataset, method, results, weights_info

PUBLISHED = weights_info()


def scores(name: str, trained_on: str, tested_on: str, psnr: float) -> list[Score]:
    return [(name, trained_on, 0, tested_on, f"i{n}", "y", psnr + n, psnr / 100) for n in range(8)]


def run(exact: int = 3) -> Results:
    """Trained on a and b and tested on both, better where the test images were seen."""
    seen = [
        {"train": one, "test": other, "shared": 3, "exact": exact, "total": 8, "notice": "long"}
        for one, other in (("a", "b"), ("b", "a"))
    ]
    found = [
        *scores("identity", "untrained", "a", 20.0),
        *scores("identity", "untrained", "b", 20.0),
        *scores("m", "a", "a", 30.0),
        *scores("m", "b", "b", 30.0),
        *scores("m", "a", "b", 35.0),
        *scores("m", "b", "a", 35.0),
    ]
    images = [f"i{n}" for n in range(8)]
    datasets = [dataset(name, *images, title=name.upper()) for name in "ab"]
    return results(found, [method("identity"), method("m", "M")], datasets, seen_in_training=seen, protocols=["y"])


def test_such_a_score_is_neither_best_nor_second_and_is_marked() -> None:
    shown = content(run())
    (table,) = shown.marked_tables
    cells = {row.entry.full_label: row.cells[0] for row in table.rows}
    assert [(each.rank, each.seen) for each in cells.values()] == [
        ("second", False),
        ("best", False),
        (None, False),
        (None, True),
    ]
    assert [card.winners for card in cards(shown, table)] == ["M", "M"]
    assert shown.statistics["a", "y", "psnr"].best == 1
    assert "38.50‡" in terminal(shown)
    assert "38.50‡" in markdown(shown)
    assert r"38.50\dbseen{}" in tables_tex(shown)
    assert "test images seen in training" in html(shown, NoPictures())
    (seen,) = {
        cell["text"] for cell in json.loads(results_json(shown))["tables"][0]["cells"] if cell["seen_in_training"]
    } - {"0.3500"}
    assert seen == "38.50"


def test_it_is_explained_in_one_sentence() -> None:
    (table,) = comparison_tables(measured(run()))
    said = [note for note in table.notes if "opies of test images" in note]
    assert said == [
        "Copies of test images are in training sets: 3 (exact) of 8 of A in b; 3 (exact) of 8 of B in a. Such scores "
        "are too good: they are marked ‡ and are neither best nor second."
    ]
    assert list(leaks(run())) == said


def test_likely_copies_and_published_weights_are_not_marked() -> None:
    near = comparison_tables(measured(run(exact=0)))[0]
    assert not any(cell.seen for row in near.rows for cell in row.cells)
    assert any(note.startswith("Near copies of test images") for note in near.notes)
    here = run()
    weights = replace(here, methods=(here.methods[0], replace(here.methods[1], weights=PUBLISHED)))
    table = comparison_tables(measured(weights))[0]
    assert not any(cell.seen for row in table.rows for cell in row.cells)
    assert any(
        note.endswith("whether published weights were trained on those files is not known.") for note in table.notes
    )


def test_what_was_asked_for_and_is_not_there_is_said() -> None:
    here = run()
    cells = tuple(CellInfo(**cell("m", tested, trained_on=tested)) for tested in "abc")
    info = here.info.model_copy(update={"cells": cells})
    planned = replace(here, info=info, datasets=(*here.datasets, dataset("c", "i0", title="C")))
    (table,) = comparison_tables(measured(planned))
    assert [note for note in table.notes if "not evaluated" in note] == [
        "M on C: not evaluated in this run; run the command again."
    ]


def test_truncated_outputs_are_those_that_were_scored() -> None:
    here = run()
    truncated = weights_info(quantisation="truncate")
    methods = [
        replace(method(f"{name}@w", f"{name.upper()} (published weights w)"), weights=truncated) for name in ("p", "q")
    ]
    shown = results(scores("p@w", "a", "a", 30.0), methods, [*here.datasets], protocols=["y"])
    notes = [note for note in comparison_tables(measured(shown))[0].notes if "truncated" in note]
    assert notes == ["Outputs of P are truncated to 8 bit, not rounded, as their authors did."]
