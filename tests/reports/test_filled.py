"""What a run scored beside what is published: which evaluation fills a row, how it is rounded, what is marked."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from derainbench.reports.comparison.cells import rounded
from derainbench.reports.comparison.labels import MISSING
from derainbench.reports.comparison.measured import measured
from derainbench.reports.layout.published import set_tables
from derainbench.reports.published.filled import FilledRow, FilledTable, fill, fill_all
from derainbench.reports.published.shipped import PaperTable, paper_tables
from derainbench.reports.text.markdown import published_markdown
from derainbench.results.results import Failure, MethodInRun, Results, TrainingInRun
from derainbench.results.run_info import PaperInfo

from .conftest import Score, cell, dataset, results, weights_info
from .conftest import method as own_method
from .published_renderings import latex, page

PROTOCOLS = ["y", "rgb-float-u7"]
AS_PUBLISHED = {"name": "paper", "comparable": True, "changes": []}
QUICK = {
    "name": "quick",
    "comparable": False,
    "changes": [
        {"method": "nasnet", "field": "length", "paper": "300,000 steps", "here": "100 steps"},
        {"method": "nasnet", "field": "lr", "paper": 0.0002, "here": 0.001},
        {"method": "nasnet", "field": "batch", "paper": 2, "here": 4},
        {"method": "prenet", "field": "length", "paper": "100 epochs", "here": "200 steps"},
    ],
}


def table(name: str) -> PaperTable:
    (found,) = paper_tables([name])
    return found


def scores(name: str, trained_on: str, where: str, psnr: float = 30.0, seeds: tuple[int, ...] = (0,)) -> list[Score]:
    return [
        (name, trained_on, seed, where, image, protocol, psnr + seed + shift, 0.9)
        for seed in seeds
        for image in ("1", "2")
        for protocol, shift in zip(PROTOCOLS, (0.0, -1.25), strict=True)
    ]


def method(name: str, parameters: int = 0) -> MethodInRun:
    """A method that was published."""
    return dataclasses.replace(own_method(name, parameters=parameters), paper=PaperInfo(title="A paper"))


def weights(name: str, trained_on: str, verified: bool = True) -> MethodInRun:
    described = weights_info(tag=name.partition("@")[2], trained_on=trained_on, verified=verified)
    return dataclasses.replace(method(name), weights=described)


def run(methods: list[MethodInRun], found: list[Score], *trainings: TrainingInRun, **changes: Any) -> Results:
    names = dict.fromkeys(score[3] for score in found)
    datasets = [dataset(name, "1", "2", title=name.title()) for name in names]
    info = {"protocols": PROTOCOLS, "recipe": AS_PUBLISHED} | changes
    return dataclasses.replace(results(found, methods, datasets, **info), trainings=trainings)


def training(name: str, where: str, **recipe: Any) -> TrainingInRun:
    return TrainingInRun(name, where, 0, Path("nowhere"), None, recipe)


def row(filled: FilledTable, title: str) -> FilledRow:
    return next(each for each in filled.rows if each.title == title)


def shown(filled: FilledTable, title: str, protocol: str = "y") -> list[str]:
    return [cell.text for cell in row(filled, title).measured[protocol]]


def otherwise(filled: FilledTable) -> list[str]:
    """What the notes say of trainings that are not the rows'."""
    told = [note.partition("trained otherwise than published, ")[2].rstrip(".") for note in filled.notes]
    return [words for words in told if words]


def test_published_weights_fill_the_row_of_the_dataset_that_they_were_trained_on() -> None:
    here = run([weights("prenet@rain100l", "rain100l")], scores("prenet@rain100l", "rain100l", "rain100l", 37.48))
    filled = fill(table("nasnet/2"), measured(here))
    assert filled.protocols == ("y", "rgb-float-u7")
    assert shown(filled, "PReNet") == ["37.48", "0.9000"]
    assert shown(filled, "PReNet", "rgb-float-u7") == ["36.23", "0.9000"]
    assert row(filled, "PReNet").filled_by == "prenet@rain100l, published weights"
    assert [each.title for each in filled.rows if each.filled_by] == ["PReNet"]
    assert shown(filled, "NASNet") == [MISSING, MISSING]
    assert not fill(table("nasnet/1"), measured(here)).filled


def test_weights_trained_on_another_dataset_fill_nothing() -> None:
    here = run([weights("prenet@rain100h", "rain100h")], scores("prenet@rain100h", "rain100h", "rain100l"))
    assert not fill(table("nasnet/2"), measured(here)).filled


def test_a_training_as_published_comes_before_weights_and_those_before_another_training() -> None:
    both = [
        method("prenet"),
        weights("prenet@mine", "rain100l", verified=False),
        weights("prenet@rain100l", "rain100l"),
    ]
    found = [s for m in both for s in scores(m.name, "rain100l", "rain100l", 31.0 if m.weights is None else 37.0)]
    as_published = fill(table("nasnet/2"), measured(run(both, found)))
    assert row(as_published, "PReNet").filled_by == "prenet, trained here"
    assert shown(as_published, "PReNet")[0] == "31.00"
    quick = fill(table("nasnet/2"), measured(run(both, found, recipe=QUICK)))
    assert row(quick, "PReNet").filled_by == "prenet@rain100l, published weights"
    only = fill(table("nasnet/2"), measured(run(both[:1], scores("prenet", "rain100l", "rain100l"), recipe=QUICK)))
    assert row(only, "PReNet").filled_by == "prenet, trained here with recipe quick"
    assert "PReNet: trained otherwise than published, 200 steps instead of 100 epochs." in only.notes
    unverified = fill(table("nasnet/2"), measured(run(both[1:2], scores("prenet@mine", "rain100l", "rain100l"))))
    assert row(unverified, "PReNet").filled_by == "prenet@mine, weights that nobody vouches for"


def test_a_score_of_images_that_were_seen_in_training_is_not_the_best() -> None:
    seen = [{"train": "rain100l", "test": "rain100l", "shared": 3, "exact": 3, "total": 100, "notice": ""}]
    found = [*scores("prenet", "rain100l", "rain100l", 40.0), *scores("nasnet", "rain100l", "rain100l", 30.0)]
    for here, ranks in ((seen, {None}), ([], {"best"})):
        filled = fill(
            table("nasnet/2"), measured(run([method("prenet"), method("nasnet")], found, seen_in_training=here))
        )
        assert {cells[0].rank for cells in row(filled, "PReNet").measured.values()} == ranks


def test_a_method_that_nobody_published_is_not_compared_with_a_publication() -> None:
    filled = fill(
        table("nasnet/2"), measured(run([own_method("prenet")], scores("prenet", "rain100l", "rain100l"), recipe=QUICK))
    )
    assert "PReNet: trained otherwise than its own recipe says, 200 steps instead of 100 epochs." in filled.notes


def test_a_row_with_a_recipe_of_its_own_is_filled_by_a_training_with_that_recipe() -> None:
    found = scores("nasnet", "spa-real", "spa-real")
    short = {"name": "paper", "changes": [
        {"method": "nasnet", "field": "length", "paper": "300,000 steps", "here": "200,000 steps"},
        {"method": "nasnet", "field": "lr", "paper": 0.0002, "here": 0.0001},
    ]}  # fmt: skip
    asked = training("nasnet", "spa-real", lr=1e-4, steps=200_000, epochs=None, batch=2)
    main, ablation = fill_all(
        paper_tables(["nasnet/3", "nasnet/7"]), measured(run([method("nasnet")], found, asked, recipe=short))
    )
    assert row(ablation, "NASNet").filled_by == "nasnet, trained here"
    assert row(main, "NASNet").filled_by == "nasnet, trained here with recipe paper"
    assert otherwise(main) == ["200,000 steps instead of 300,000 steps, lr 0.0001 instead of 0.0002"]
    long = training("nasnet", "spa-real", lr=2e-4, steps=300_000, epochs=None, batch=2)
    main, ablation = fill_all(paper_tables(["nasnet/3", "nasnet/7"]), measured(run([method("nasnet")], found, long)))
    assert row(main, "NASNet").filled_by == "nasnet, trained here"
    assert otherwise(ablation) == ["300,000 steps instead of 200,000 steps, lr 0.0002 instead of 0.0001"]


def test_a_row_with_a_recipe_of_its_own_takes_published_weights_last() -> None:
    both = [method("nasnet"), weights("nasnet@spa-real", "spa-real")]
    found = [s for m in both for s in scores(m.name, "spa-real", "spa-real")]
    quick = training("nasnet", "spa-real", lr=1e-3, steps=100)
    filled = fill(table("nasnet/7"), measured(run(both, found, quick, recipe=QUICK)))
    assert row(filled, "NASNet").filled_by == "nasnet, trained here with recipe quick"
    assert otherwise(filled) == ["100 steps instead of 200,000 steps, lr 0.001 instead of 0.0001, batch 4 instead of 2"]
    alone = fill(table("nasnet/7"), measured(run(both[1:], scores("nasnet@spa-real", "spa-real", "spa-real"))))
    assert row(alone, "NASNet").filled_by == "nasnet@spa-real, published weights"
    assert "NASNet: not trained with this row's lr 0.0001, 200,000 steps." in alone.notes


def test_rows_that_a_suite_ran_are_filled_by_what_it_ran() -> None:
    small = "nasnet[stages=2,blocks=2]"
    suite = {
        "name": "nasnet-ablations",
        "rows": [
            {"table": "nasnet/8", "row": title, "column": "rain100h", "method": name, "trained_on": "demo-streak",
             "dataset": "demo-streak"}
            for title, name in (("Stage=2", small), ("Stage=3", "nasnet"))
        ],
    }  # fmt: skip
    methods = [method(small), method("nasnet")]
    found = scores(small, "demo-streak", "demo-streak", 28.0) + scores("nasnet", "demo-streak", "demo-streak", 29.0)
    # what has the right name was not what the suite ran for the row
    found += scores("nasnet", "rain100h", "rain100h", 30.0)
    filled = fill(table("nasnet/8"), measured(run(methods, found, suite=suite)))
    assert shown(filled, "Stage=2") == ["28.0000", "0.9000"]
    assert shown(filled, "Stage=3") == ["29.0000", "0.9000"]
    assert [row(filled, title).filled_by for title in ("Stage=1", "Stage=4")] == ["", ""]
    assert row(filled, "Stage=3").measured["y"][0].rank == "best"
    notes = " ".join(filled.notes)
    assert "Measured on Demo-Streak instead of Rain100H: not comparable" in notes
    assert row(filled, "Stage=2").filled_by == f"{small}, trained here"
    assert "With other options than the row's network, named here: Stage=2." in notes


def test_scores_on_a_stand_in_are_never_ranked_with_those_on_the_dataset() -> None:
    ran = {"method": "nasnet[stages=2]", "trained_on": "demo", "dataset": "demo"}
    suite = {"name": "s", "rows": [{"table": "nasnet/8", "row": "Stage=2", "column": "rain100h", **ran}]}
    found = scores("nasnet[stages=2]", "demo", "demo", 40.0) + scores("nasnet", "rain100h", "rain100h", 30.0)
    filled = fill(table("nasnet/8"), measured(run([method("nasnet[stages=2]"), method("nasnet")], found, suite=suite)))
    assert [cell.rank for each in filled.rows for cell in each.measured["y"]] == [None] * 8


def test_a_failure_is_shown_and_an_incomplete_test_set_is_told() -> None:
    here = run([method("nasnet"), method("prenet")], scores("prenet", "rain100l", "rain100l"))
    partly = dataclasses.replace(here.datasets[0], whole=False)
    failed = Failure("train/nasnet/rain100l/seed0", "out of memory")
    filled = fill(table("nasnet/2"), measured(dataclasses.replace(here, datasets=(partly,), failures=(failed,))))
    assert shown(filled, "NASNet") == ["failed", "failed"]
    assert row(filled, "NASNet").filled_by == "nasnet, trained here (failed)"
    assert "2 test images, which is not all that Rain100L has" in " ".join(filled.notes)


def test_seeds_are_pooled_and_rounded_to_the_most_digits_of_the_column() -> None:
    names = ["nasnet", "nasnet[attention=se]"]
    found = [s for name in names for s in scores(name, "spa-real", "spa-real", 41.12345, (0, 1, 2))]
    recipes = [training(name, "spa-real", lr=1e-4, steps=200_000) for name in names]
    filled = fill(table("nasnet/7"), measured(run([method(name) for name in names], found, *recipes, seeds=[0, 1, 2])))
    four, two = (row(filled, title).measured["y"][0] for title in ("NASNet", "SENet"))
    assert (four.text, four.deviation_text, four.seeds) == ("42.1234", "1.0000", 3)
    # the paper prints 40.93 for the one and 41.1373 for the other; what is measured has one number of digits
    assert (two.text, two.deviation_text) == ("42.1234", "1.0000")


def test_a_table_of_two_datasets_says_which_of_them_a_method_filled() -> None:
    found = scores("nasnet", "mpid-streak", "mpid-streak", 30.5)
    filled = fill(table("nasnet/5"), measured(run([method("nasnet")], found)))
    assert shown(filled, "NASNet") == [MISSING, MISSING, "30.50", "0.9000"]
    assert row(filled, "NASNet").filled_by == "MPID-streak: nasnet, trained here"


def test_parameters_are_counted_not_scored() -> None:
    here = run([method("nasnet", parameters=6_508_931), method("prenet")], [])
    filled = fill(table("nasnet/6"), measured(here))
    assert [each.counts for each in filled.rows] == [("6,508,931", "6,508,931"), ("6,244,931", MISSING)]
    assert filled.filled


def test_published_numbers_are_marked_among_those_of_one_known_protocol() -> None:
    marks = {
        each.title: each.published[0].scores["psnr"].rank
        for each in fill(table("nasnet/1"), measured(run([], []))).rows
    }
    assert {title: rank for title, rank in marks.items() if rank} == {"PReNet": "best", "DDN": "second"}
    # five rows are guessed to be under one protocol, and nobody confirmed it
    assert [each.published[0].scores["ssim"].rank for each in fill(table("nasnet/3"), measured(run([], []))).rows] == [
        None
    ] * 6
    assert [each.published[0].scores["psnr"].rank for each in fill(table("nasnet/4"), measured(run([], []))).rows] == [
        None
    ] * 4
    ablation = fill(table("nasnet/8"), measured(run([], [])))
    assert [each.published[0].scores["psnr"].rank for each in ablation.rows] == [None, None, "second", "best"]


def test_every_format_says_what_a_mark_means_and_under_what_a_number_was_published() -> None:
    """37.48 is bold above 39.55: a reader must see that they are of two protocols."""
    both = [weights("prenet@rain100l", "rain100l"), method("nasnet")]
    found = [s for m in both for s in scores(m.name, "rain100l", "rain100l")]
    (shown,) = set_tables((fill(table("nasnet/2"), measured(run(both, found))),))
    rule = "Bold and underlined: best and second among rows published under one protocol"
    assert shown.legend == f"{rule}, and among those measured here, where differences are not tested."
    tex = latex((shown.filled,))
    assert tex.count(shown.legend) == 1
    assert r"\textbf{\boldmath 37.48} & \textbf{\boldmath 0.9790} & \texttt{y}\textsuperscript{c}" in tex
    assert r"39.55 & 0.9880 & \texttt{rgb-float-u7}\textsuperscript{d}" in tex
    text = "\n".join(published_markdown((shown,)))
    assert text.count(shown.legend) == 1
    unmarked, published = set_tables(fill_all(paper_tables(["nasnet/4", "nasnet/7"]), measured(run([], []))))
    assert unmarked.legend == ""
    assert published.legend == f"{rule}."


def test_no_row_is_marked_across_protocols() -> None:
    """In any table, the marked rows of a column are two or more of one protocol."""
    for filled in fill_all(paper_tables(["nasnet"]), measured(run([], []))):
        for across in range(len(filled.table.columns)):
            cells = [each.published[across] for each in filled.rows]
            for metric in ("psnr", "ssim"):
                under = {c.protocol for c in cells if c.scores[metric].rank}
                for protocol in under:
                    same = [c for c in cells if c.protocol == protocol and not c.guess]
                    best = [float(c.scores[metric].text) for c in same if c.scores[metric].rank == "best"]
                    assert len(same) > 1
                    assert best[0] == max(float(c.scores[metric].text) for c in same)


def test_not_run_stands_where_nothing_was_run() -> None:
    here = run([weights("prenet@rain100l", "rain100l")], scores("prenet@rain100l", "rain100l", "rain100l"))
    paper = fill_all(paper_tables(["nasnet/1", "nasnet/2"]), measured(here))
    assert page(paper).count("not run") == 3
    assert latex(paper).count("{not run}") == 3
    assert "Tables of the paper that this run does not measure (1)" in page(paper)


def test_latex_shows_at_most_two_protocols_first_those_that_the_table_is_printed_under() -> None:
    def blocks(*protocols: str) -> tuple[str, ...]:
        found = [(*s[:5], name, *s[6:]) for s in scores("nasnet", "rain100l", "rain100l") for name in protocols]
        here = run([method("nasnet")], found, protocols=list(protocols))
        return set_tables((fill(table("nasnet/2"), measured(here)),))[0].blocks

    assert blocks("rgb", "y-u8", "y", "rgb-float-u7") == ("y", "y-u8")
    assert blocks("rgb", "rgb-float-u7") == ("rgb-float-u7",)
    assert blocks("rgb", "rgb-zeropad") == ("rgb",)


@given(st.decimals(min_value=0, max_value=99, places=6), st.integers(0, 5))
def test_rounding_is_half_to_even_at_any_digit(value: Decimal, digits: int) -> None:
    text = rounded(float(value), digits)
    assert len(text.partition(".")[2]) == digits
    unit = Decimal(1).scaleb(-digits)
    away = abs(Decimal(text) - value)
    assert away <= unit / 2
    if away == unit / 2:
        assert int(Decimal(text) / unit) % 2 == 0


def test_the_stored_scores_of_published_weights_reproduce_the_number_of_table_2(project: Path) -> None:
    table_2 = table("nasnet/2")
    stored = pd.read_csv(project / "docs" / "reference" / "rain100l" / "scores.csv", dtype={"image": str})
    stored = stored.assign(trained_on="rain100l", seed=0, dataset="rain100l")
    names = ["method", "trained_on", "seed", "dataset", "image", "protocol", "psnr", "ssim"]
    found = list(stored[names].itertuples(index=False, name=None))
    here = run([weights("prenet@rain100l", "rain100l")], found)
    prenet = row(fill(table_2, measured(here)), "PReNet")
    assert shown(fill(table_2, measured(here)), "PReNet") == ["37.48", "0.9792"]
    assert prenet.published[0].scores["psnr"].text == "37.48"
    assert shown(fill(table_2, measured(here)), "PReNet", "rgb-float-u7") == ["36.28", "0.9760"]


def test_a_suite_s_training_for_one_row_is_not_taken_for_another_row_s() -> None:
    """Tables 7 and 8 in one quick run: what their rows were published with differs, and so does what is told."""
    changes = [
        {"method": "nasnet", "field": "length", "paper": "200,000 steps", "here": "100 steps"},
        {"method": "nasnet", "field": "length", "paper": "300,000 steps", "here": "100 steps"},
        {"method": "nasnet", "field": "blocks", "paper": 18, "here": 1, "suite": "nasnet-ablations"},
        {"method": "nasnet", "field": "dataset", "paper": "rain100h", "here": "demo", "suite": "nasnet-ablations"},
    ]
    cells = [cell("nasnet", "spa-real", row_recipe={"lr": 1e-4, "steps": 200_000})]
    found = scores("nasnet", "spa-real", "spa-real") + scores("nasnet", "rain100h", "rain100h")
    trainings = [
        training("nasnet", "spa-real", lr=1e-4, steps=100),
        training("nasnet", "rain100h", lr=2e-4, steps=100),
    ]
    quick = run([method("nasnet")], found, *trainings, recipe={"name": "quick", "changes": changes}, cells=cells)
    said = [
        otherwise(filled) for filled in fill_all(paper_tables(["nasnet/3", "nasnet/7", "nasnet/8"]), measured(quick))
    ]
    assert said == [
        ["100 steps instead of 300,000 steps, lr 0.0001 instead of what is published"],
        ["100 steps instead of 200,000 steps"],
        ["100 steps instead of 300,000 steps"],
    ]
    as_asked = [training("nasnet", "spa-real", lr=1e-4, steps=200_000)]
    main, ablation = fill_all(
        paper_tables(["nasnet/3", "nasnet/7"]),
        measured(run([method("nasnet")], scores("nasnet", "spa-real", "spa-real"), *as_asked, cells=cells)),
    )
    assert row(ablation, "NASNet").filled_by == "nasnet, trained here"
    assert otherwise(main) == ["200,000 steps instead of what is published, lr 0.0001 instead of what is published"]


def test_what_else_keeps_a_number_from_being_compared_is_told() -> None:
    """bf16, outputs truncated to 8 bit, and test scenes that the training saw."""
    prenet = weights("prenet@rain100l", "rain100l")
    assert prenet.weights is not None
    prenet = dataclasses.replace(prenet, weights=prenet.weights.model_copy(update={"quantisation": "truncate"}))
    found = scores(prenet.name, "rain100l", "rain100l")
    seen = [{"train": "rain100l", "test": "rain100l", "shared": 3, "exact": 3, "total": 100, "notice": ""}]
    told = [
        "PReNet: measured in bf16; a number to compare with the published one is one in fp32.",
        "PReNet: outputs truncated to 8 bit, as their authors did, under the protocols of 8-bit images.",
        "PReNet: copies of 3 of the 100 clean test images are in rain100l train here.",
    ]
    filled = fill(table("nasnet/2"), measured(run([prenet], found, precision="bf16", seen_in_training=seen)))
    assert [note for note in filled.notes if note.startswith("PReNet:")] == told
    in_float = run([prenet], found, precision="fp32", protocols=["rgb-float-u7"])
    assert not any(note.startswith("PReNet:") for note in fill(table("nasnet/2"), measured(in_float)).notes)


def test_what_is_no_authors_stands_under_the_table() -> None:
    proposed = dataclasses.replace(method("jorder[network=paper,recurrences=3]"), proposal="a proposal of ours")
    filled = fill(table("nasnet/1"), measured(run([proposed], scores(proposed.name, "rain100h", "rain100h"))))
    assert [note for note in filled.notes if "proposal" in note] == ["JORDER-R: a proposal of ours."]
    assert not any("proposal" in note for note in fill(table("nasnet/1"), measured(run([], []))).notes)


def test_rows_that_differ_alike_are_told_once() -> None:
    """Stage=3 is Table 7's training too, so that its differences are found in another order than those of Stage=1."""
    changes = [
        {"method": "nasnet", "field": field, "paper": paper, "here": here}
        for field, paper, here in [
            ("length", "200,000 steps", "100 steps"),
            ("lr", 1e-4, 1e-3),
            ("batch", 2, 4),
            ("length", "300,000 steps", "100 steps"),
            ("lr", 2e-4, 1e-3),
        ]
    ]
    asked = {"lr": 1e-4, "steps": 200_000}
    cells = [cell("nasnet", "rain100h", row_recipe=asked)]
    names = ["nasnet[stages=1]", "nasnet"]
    found = [score for name in names for score in scores(name, "rain100h", "rain100h")]
    quick = {"name": "quick", "changes": changes}
    trainings = [training(name, "rain100h", lr=1e-3, batch=4, steps=100) for name in names]
    here = run([method(name) for name in names], found, *trainings, recipe=quick, cells=cells)
    (told,) = [note for note in fill(table("nasnet/8"), measured(here)).notes if "trained otherwise" in note]
    assert told.startswith("Stage=1; Stage=3: trained otherwise than published, 100 steps instead of 300,000 steps, lr")
