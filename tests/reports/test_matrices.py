"""Who beats whom, and what a training is worth on another dataset."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from derainbench.reports.comparison.grids import ScoreGrid, score_grids
from derainbench.reports.comparison.matrices import duels, generalisation, signed
from derainbench.reports.comparison.measured import measured
from derainbench.reports.comparison.statistics import dataset_statistics
from derainbench.reports.content import content
from derainbench.reports.latex.documents import report_tex
from derainbench.reports.page.html import html
from derainbench.reports.page.pictures import Pictures
from derainbench.reports.text.terminal import terminal
from derainbench.results.results import Results

from .conftest import Score, dataset, method, rescored, results


def grid(psnr: np.ndarray) -> ScoreGrid:
    """Scores (images, 3 lines), each image a scene."""
    names = tuple(f"image {n}" for n in range(len(psnr)))
    scores: list[Score] = [(f"m{n}", "a", 0, "a", name, "y", 1.0, 0.9) for n in range(3) for name in names]
    lines = score_grids(measured(results(scores, [method(f"m{n}") for n in range(3)], [dataset("a", *names)])))[
        "a", "y"
    ].lines
    return ScoreGrid(dataset("a", *names), "y", lines, names, names, {"psnr": psnr, "ssim": psnr}, ())


LABELS = ("A", "B", "C")


def test_wins_are_counted_on_the_images_that_both_have() -> None:
    nan, inf = math.nan, math.inf
    found = duels(
        grid(np.array([[30, 29, nan], [31, 32, 1], [inf, inf, 5], [33, 30, 6]])), range(3), LABELS, "psnr", None
    )
    first = found.rows[0]
    assert first[0] is None
    assert first[1] is not None
    assert (first[1].share, first[1].text, first[1].told) == (0.5, "50", None)
    assert first[1].words == "A is better than B on 2 of 4 images, worse on 1, as good on 1"
    assert first[2] is not None
    assert (first[2].text, first[2].shade) == ("100", ""), "nothing is shaded that no test told apart"
    assert not found.tested


def test_what_a_test_tells_apart_is_shaded_and_said() -> None:
    scores = np.stack([np.arange(20.0), np.arange(20.0) + 1, np.arange(20.0) + np.tile([0.5, -0.5], 10)], axis=1)
    scores[0, 1] -= 2
    made = grid(scores)
    found = duels(made, range(3), LABELS, "psnr", dataset_statistics(made, "psnr"))
    better, worse, same = found.rows[1][0], found.rows[0][1], found.rows[0][2]
    assert better is not None
    assert worse is not None
    assert same is not None
    assert (better.text, better.shade, worse.text, worse.shade) == ("95", "w3", "5", "l3")
    assert better.words.startswith("B is better than A on 19 of 20 images, worse on 1; p")
    assert (same.text, same.told, same.shade) == ("50", False, "")
    assert found.tested


def test_ties_are_neither_won_nor_lost() -> None:
    """B is better on 20 images, as good on 28: 42 per cent are won, and that is a lead."""
    scores = np.tile(np.arange(48.0)[:, None], 3)
    scores[:20, 1] += 1
    found = duels(made := grid(scores), range(3), LABELS, "psnr", dataset_statistics(made, "psnr"))
    assert [(duel.text, duel.shade) for duel in (found.rows[0][1], found.rows[1][0]) if duel] == [
        ("0", "l2"),
        ("42", "w2"),
    ]


def test_the_shade_is_that_of_the_test() -> None:
    """B is worse on most images, by little, and better by much on the others: the signed ranks favour it."""
    scores = np.tile(np.arange(60.0)[:, None], 3)
    scores[:, 1] += np.where(np.arange(60) < 28, 5 + np.arange(60), -0.01 * np.arange(60))
    found = duels(made := grid(scores), range(3), LABELS, "psnr", dataset_statistics(made, "psnr"))
    assert [(duel.text, duel.shade) for duel in (found.rows[0][1], found.rows[1][0]) if duel] == [
        ("53", "l1"),
        ("47", "w1"),
    ]


def test_a_refused_test_says_why() -> None:
    made = grid(np.array([[3.0, 2.0, 1.0]] * 3) + np.arange(3)[:, None])
    found = duels(made, range(3), LABELS, "psnr", dataset_statistics(made, "psnr"))
    assert not found.tested
    assert "scene" in found.remark


@given(arrays(np.float64, (7, 3), elements=st.floats(allow_nan=True, allow_infinity=True)))
def test_wins_of_one_are_losses_of_the_other(psnr: np.ndarray) -> None:
    found = duels(grid(psnr), range(3), LABELS, "psnr", None)
    for i in range(3):
        for j in range(i):
            a, b = found.rows[i][j], found.rows[j][i]
            assert a is not None
            assert b is not None
            assert math.isnan(a.share) == math.isnan(b.share)
            assert math.isnan(a.share) or a.share + b.share <= 1


def crossed(*missing: tuple[str, str]) -> Results:
    """PReNet trained on a and b, tested on both; the input on both; two seeds."""
    values = {("a", "a"): 30.0, ("a", "b"): 22.0, ("b", "a"): 29.0, ("b", "b"): 25.0}
    scores: list[Score] = [
        ("prenet", source, seed, tested, image, "y", value + seed + step, 0.9)
        for (source, tested), value in values.items()
        if (source, tested) not in missing
        for seed in (0, 1)
        for image, step in (("one", -1.0), ("two", 1.0))
    ]
    scores += [("identity", "untrained", 0, tested, "one", "y", 20.0, 0.5) for tested in ("a", "b")]
    sets = [dataset("a", "one", "two", title="Set A"), dataset("b", "one", "two", title="Set B")]
    return results(scores, [method("identity"), method("prenet", "PReNet")], sets)


def test_generalisation_is_the_mean_and_the_drop_from_the_tested_set_s_own_training() -> None:
    run = crossed()
    (found,) = generalisation(measured(run), "y")
    assert (found.label, found.trained_on, found.tested_on) == ("PReNet", ("Set A", "Set B"), ("Set A", "Set B"))
    assert [[cell.text for cell in row] for row in found.rows] == [["30.50", "22.50"], ["29.50", "25.50"]]
    assert [[cell.drop_text for cell in row] for row in found.rows] == [["", "−3.00"], ["−1.00", ""]]
    assert [[cell.shade for cell in row] for row in found.rows] == [["", "l2"], ["l1", ""]]
    assert found.rows[0][1].words == (
        "PReNet trained on Set A, tested on Set B: 22.50 dB, −3.00 dB from the training on Set B itself"
    )
    assert found.sentence.startswith("PReNet loses 2.00 dB on average")
    assert "(2 pairs, −3.00 dB at worst)" in found.sentence


def test_the_matrix_has_the_means_of_the_comparison() -> None:
    run = crossed()
    (found,) = generalisation(measured(run), "y")
    rows = {row.entry.trained_on: row for row in content(run).tables[0].rows if row.entry.method.name == "prenet"}
    assert [cell.text for cell in rows[None].cells[::2]] == [found.rows[0][0].text, found.rows[1][1].text]
    assert rows["b"].cells[0].text == found.rows[1][0].text


def test_what_is_restored_without_error_is_infinite_and_no_gap() -> None:
    run = crossed()

    def perfect(scores: pd.DataFrame) -> pd.Series[bool]:
        return (scores["method"] == "prenet") & (scores["trained_on"] == "a") & (scores["dataset"] == "b")

    always = rescored(run, lambda scores: scores.assign(psnr=scores["psnr"].mask(perfect(scores), math.inf)))
    (found,) = generalisation(measured(always), "y")
    assert [[cell.text for cell in row] for row in found.rows] == [["30.50", "∞"], ["29.50", "25.50"]]
    assert found.rows[0][1].words == "PReNet trained on Set A, tested on Set B: ∞ dB"
    once = rescored(
        run, lambda scores: scores.assign(psnr=scores["psnr"].mask(perfect(scores) & (scores["seed"] == 0), math.inf))
    )
    (found,) = generalisation(measured(once), "y")
    assert found.rows[0][1].text == "23.00", "of the other seed, as in the table"


def test_gaps_are_dashes_and_a_run_that_crossed_nothing_has_no_matrix() -> None:
    run = crossed(("a", "b"), ("b", "b"))
    (found,) = generalisation(measured(run), "y")
    assert [[cell.text for cell in row] for row in found.rows] == [["30.50"], ["29.50"]]
    run = crossed(("a", "b"))
    (found,) = generalisation(measured(run), "y")
    assert [[cell.text for cell in row] for row in found.rows] == [["30.50", "–"], ["29.50", "25.50"]]
    run = crossed(("a", "b"), ("b", "a"))
    assert generalisation(measured(run), "y") == ()


@pytest.mark.parametrize(("value", "text"), [(-3.125, "−3.12"), (0.4, "+0.40"), (-0.001, "+0.00"), (0.0, "+0.00")])
def test_differences_have_a_sign(value: float, text: str) -> None:
    assert signed(value) == text


def one_for_all() -> Results:
    """PReNet on a union of a and b, on a and on b, tested on both."""
    values = {
        ("both", "a"): 29.0,
        ("both", "b"): 24.0,
        ("a", "a"): 30.0,
        ("a", "b"): 20.0,
        ("b", "a"): 29.0,
        ("b", "b"): 25.0,
    }
    scores: list[Score] = [
        ("prenet", source, 0, tested, image, "y", value, 0.9)
        for (source, tested), value in values.items()
        for image in ("one", "two")
    ]
    sets = [dataset("a", "one", "two", title="Set A"), dataset("b", "one", "two", title="Set B")]
    unions = [{"name": "both", "title": "Both sets", "members": ["a", "b"], "shares": [0.5, 0.5]}]
    return results(scores, [method("prenet", "PReNet")], sets, unions=unions)


def test_one_network_on_a_union_against_specialists_has_mean_ranks_and_a_worst_task() -> None:
    (found,) = generalisation(measured(one_for_all()), "y")
    assert found.trained_on == ("Both sets", "Set A", "Set B")
    assert [[cell.drop_text for cell in row] for row in found.rows] == [
        ["−1.00", "−1.00"],
        ["", "−5.00"],
        ["−1.00", ""],
    ]
    # on a: 30, then 29 and 29, which share ranks 2 and 3; on b: 25, 24, 20
    assert [standing.text for standing in found.standings] == ["2.25", "2.00", "1.75"]
    assert [standing.worst for standing in found.standings] == ["Set A −1.00", "Set B −5.00", "Set A −1.00"]
    assert found.sentence == (
        "One PReNet trained on Both sets loses 1.00 dB on average against a specialist for each of 2 tests; its worst "
        "is Set A, −1.00 dB."
    )
    shown = content(one_for_all())
    for text in (report_tex(shown), terminal(shown), html(shown, Pictures())):
        assert "Mean rank" in text
        assert "Worst task" in text
        assert "2.25" in text


def test_without_a_union_there_are_no_standings() -> None:
    (found,) = generalisation(measured(crossed()), "y")
    assert found.standings == ()
    shown = content(crossed())
    assert not any("Worst task" in text for text in (report_tex(shown), terminal(shown), html(shown, Pictures())))


def test_a_training_that_was_not_tested_everywhere_has_no_rank() -> None:
    run = one_for_all()
    gone = (run.scores["trained_on"] == "a") & (run.scores["dataset"] == "b")
    (found,) = generalisation(measured(dataclasses.replace(run, scores=run.scores[~gone])), "y")
    assert [standing.text for standing in found.standings] == ["1.75", "–", "1.25"]
