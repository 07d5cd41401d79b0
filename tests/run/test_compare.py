"""``derainbench compare``: what changed between two runs, whether beyond chance, and why."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from derainbench.reports.text.run_comparison import comparison_json, comparison_text
from derainbench.results.comparing import RunComparison, compare_runs
from derainbench.results.load import load_run
from derainbench.stats import Paired
from tests.helpers.small_runs import Run, Score

Refused = Callable[..., AbstractContextManager[None]]

#: 24 images of 12 scenes; what the second run gains on each, and how much better it is on the whole.
BEFORE = tuple(24 + (7 * n % 24) / 4 for n in range(24))
GAIN = tuple(0.3 + 0.05 * ((5 * n) % 13) - (1.1 if n in (4, 5) else 0) for n in range(24))
AFTER = tuple(a + b for a, b in zip(BEFORE, GAIN, strict=True))


def compared(folder: Path, first: Run, second: Run, protocol: str | None = None) -> RunComparison:
    """Both runs, written into folders a and b, compared."""
    return compare_runs(load_run(first.write(folder / "a")), load_run(second.write(folder / "b")), protocol)


def strict(text: str) -> Any:
    """JSON as strict parsers read it."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_a_gain_is_tested_by_scene(tmp_path: Path) -> None:
    first, second = (Run([Score("tiny", "rain", psnr)], images=24) for psnr in (BEFORE, AFTER))
    (cell,) = compared(tmp_path, first, second).cells
    assert (cell.images, cell.alone, cell.identical) == (24, (0, 0), False)
    assert (cell.changes["psnr"].better, cell.changes["psnr"].equal, cell.changes["psnr"].worse) == (22, 0, 2)
    assert cell.changes["psnr"].first == pytest.approx(np.mean(BEFORE), abs=1e-12)
    assert cell.changes["psnr"].difference == pytest.approx(np.mean(GAIN), abs=1e-12)
    by_scene = np.reshape(GAIN, (12, 2)).mean(axis=1)
    assert isinstance(cell.changes["psnr"].test, Paired)
    assert cell.changes["psnr"].test.p == pytest.approx(stats.wilcoxon(by_scene, method="exact").pvalue, rel=1e-9)
    assert cell.changes["psnr"].test.units == 12
    assert cell.causes == ("nothing that is recorded",)


def test_the_worse_run_loses(tmp_path: Path) -> None:
    first, second = (Run([Score("tiny", "rain", psnr)], images=24) for psnr in (AFTER, BEFORE))
    (cell,) = compared(tmp_path, first, second).cells
    assert cell.changes["psnr"].difference < 0
    assert (cell.changes["psnr"].better, cell.changes["psnr"].worse) == (2, 22)
    assert isinstance(cell.changes["psnr"].test, Paired)
    assert cell.changes["psnr"].test.effect < 0


def test_p_is_adjusted_for_all_cells(tmp_path: Path) -> None:
    def run(psnr: tuple[float, ...]) -> Run:
        return Run([Score("tiny", name, psnr) for name in ("rain", "mist", "drop")], images=24)

    first, second = (Run([Score("tiny", "rain", psnr)], images=24) for psnr in (BEFORE, AFTER))
    alone = compared(tmp_path / "1", first, second)
    three = compared(tmp_path / "3", run(BEFORE), run(AFTER))
    ((single,), several) = (
        [cell.changes["psnr"].test.p for cell in each.cells if isinstance(cell.changes["psnr"].test, Paired)]
        for each in (alone, three)
    )
    assert several == [pytest.approx(3 * single)] * 3


def test_more_cells_than_scenes_support_are_refused_in_one_line(tmp_path: Path) -> None:
    """Seven scenes that all gain: 3 cells have p = 0.047 each, of 4 none could be told from chance."""
    names = ("rain", "mist", "drop", "snow")
    gained = [psnr + 0.5 + n / 100 for n, psnr in enumerate(BEFORE)]
    before, after = (Run([Score("tiny", name, psnr[:14]) for name in names], images=14) for psnr in (BEFORE, gained))
    comparison = compared(tmp_path / "4", before, after)
    text = comparison_text(comparison)
    assert "p = " not in text
    assert "Holm" not in text
    assert "4 cells: no test of PSNR and SSIM: 7 scenes allow no p below 0.062 among 4 comparisons, which" in text
    three, three_after = (Run(run.scores[:3], images=14) for run in (before, after))
    assert comparison_text(compared(tmp_path / "3", three, three_after)).count("p = 0.047") == 6


def test_equal_scores_are_identical_and_differences_beyond_them_told(tmp_path: Path) -> None:
    run = Run([Score("tiny", "rain", BEFORE)], images=24)
    comparison = compared(tmp_path, run, run)
    (cell,) = comparison.cells
    assert cell.identical
    assert cell.causes == ()
    text = comparison_text(comparison)
    assert "identical" in text
    assert "Nothing that results depend on changed" in text


def test_the_last_bit_makes_a_difference(tmp_path: Path) -> None:
    almost = (*BEFORE[:-1], math.nextafter(BEFORE[-1], 100))
    first, second = (Run([Score("tiny", "rain", psnr)], images=24, protocols=("y",)) for psnr in (BEFORE, almost))
    (cell,) = compared(tmp_path, first, second).cells
    assert not cell.identical
    assert (cell.changes["psnr"].better, cell.changes["psnr"].equal) == (1, 23)


def test_only_images_of_both_are_compared(tmp_path: Path) -> None:
    first = Run([Score("tiny", "rain", BEFORE)], images=24)
    second = Run([Score("tiny", "rain", AFTER[:20])], images=24, digests={"rain": "fewer"})
    comparison = compared(tmp_path, first, second)
    (cell,) = comparison.cells
    assert (cell.images, cell.alone) == (20, (4, 0))
    assert cell.changes["psnr"].first == pytest.approx(np.mean(BEFORE[:20]), abs=1e-12)
    text = comparison_text(comparison)
    assert "tiny on rain: 4 more test images in a only." in text
    assert "the test images are other ones" in text


def test_infinite_scores_win_but_are_not_averaged(tmp_path: Path) -> None:
    first = Run([Score("tiny", "rain", BEFORE)], images=24)
    second = Run([Score("tiny", "rain", (math.inf, *BEFORE[1:]))], images=24)
    comparison = compared(tmp_path, first, second)
    (cell,) = comparison.cells
    assert (
        cell.changes["psnr"].better,
        cell.changes["psnr"].worse,
        cell.changes["psnr"].infinite,
        cell.changes["psnr"].difference,
    ) == (1, 0, 1, 0.0)
    assert "1 image with infinite PSNR left out" in comparison_text(comparison)


def test_undefined_scores_are_left_out_and_said(tmp_path: Path) -> None:
    first = load_run(Run([Score("tiny", "rain", BEFORE)], images=24).write(tmp_path / "a"))
    second = load_run(Run([Score("tiny", "rain", AFTER)], images=24).write(tmp_path / "b"))
    scores = first.scores
    scores.loc[(scores["image"] == "photo-0") & (scores["metric"] == "psnr"), "value"] = math.nan
    comparison = compare_runs(first, second)
    (cell,) = comparison.cells
    assert cell.changes["psnr"].first == pytest.approx(np.mean(BEFORE[1:]), abs=1e-12)
    assert (cell.images, cell.changes["psnr"].better + cell.changes["psnr"].equal + cell.changes["psnr"].worse) == (
        24,
        23,
    )
    assert "tiny on rain: 1 image with undefined PSNR left out." in comparison_text(comparison)


def test_seeds_are_pooled(tmp_path: Path) -> None:
    def run(*shifts: float) -> Run:
        scores = [Score("tiny", "rain", [p + shift for p in BEFORE], seed) for seed, shift in enumerate(shifts)]
        return Run(scores, images=24)

    comparison = compared(tmp_path, run(0, 1), run(1, 2, 3))
    (cell,) = comparison.cells
    assert cell.seeds == ((0, 1), (0, 1, 2))
    assert cell.changes["psnr"].difference == pytest.approx(1.5)
    assert cell.causes == ("seeds 0, 1 -> 0, 1, 2",)


def test_what_only_one_run_has_is_named(tmp_path: Path) -> None:
    shared = Score("tiny", "rain", BEFORE)
    first = Run([shared, Score("tiny", "mist", BEFORE)], images=24)
    second = Run([shared, Score("tiny", "mist", error="out of memory"), Score("identity", "rain", BEFORE)], images=24)
    comparison = compared(tmp_path, first, second)
    states = {(cell.method, cell.dataset): cell.states for cell in comparison.cells}
    assert states == {
        ("tiny", "rain"): ("scored", "scored"),
        ("tiny", "mist"): ("scored", "failed"),
        ("identity", "rain"): ("missing", "scored"),
    }
    text = comparison_text(comparison)
    assert "tiny on mist: only in a; failed in b: out of memory" in text
    assert "identity on rain: only in b" in text


def test_scores_of_another_version_say_so(tmp_path: Path, refused: Refused) -> None:
    old = Run([Score("tiny", "rain", BEFORE)], images=24).write(tmp_path / "old")
    for path in old.glob("eval/**/done.json"):
        path.write_text(path.read_text().replace('"harness": ', '"harness": 10'))
    new = Run([Score("tiny", "rain", AFTER)], images=24).write(tmp_path / "new")
    other = Run([Score("identity", "rain", BEFORE), Score("tiny", "rain", AFTER)], images=24).write(tmp_path / "more")
    with refused("old has no scores to compare", "another version of derainbench measured it"):
        compare_runs(load_run(old), load_run(new))
    for path in other.glob("eval/tiny/**/done.json"):
        path.write_text(path.read_text().replace('"harness": ', '"harness": 10'))
    second = Run([Score("identity", "rain", BEFORE), Score("tiny", "rain", AFTER)], images=24).write(tmp_path / "last")
    text = comparison_text(compare_runs(load_run(other), load_run(second)))
    assert "tiny on rain: only in last; failed in more: out of date: another version of derainbench" in text


def test_causes_are_told_in_words(tmp_path: Path) -> None:
    scores = [Score("tiny", "rain", BEFORE), Score("identity", "rain", BEFORE)]
    first = Run(scores, images=24)
    second = Run(
        scores, images=24, steps=300, source="b" * 8, precision="bf16", machine={"device": "cuda", "cores": 2},
        changes={"versions": {"torch": "2.14"}},
    )  # fmt: skip
    text = comparison_text(compared(tmp_path, first, second))
    changed = text.partition("What changed from A to B:\n")[2].splitlines()
    assert [line.strip() for line in changed] == [
        "precision fp32 -> bf16",
        "recipe steps 200 -> 300 (tiny on rain)",
        "the method's code is another one",
        "machine: device cpu -> cuda",
        "version of torch 2.13 -> 2.14",
    ]


def test_runs_of_nothing_in_common_are_compared_without_numbers(tmp_path: Path) -> None:
    first, second = (Run([Score("tiny", name, BEFORE)], images=24) for name in ("rain", "mist"))
    text = comparison_text(compared(tmp_path, first, second))
    assert "No cell has scores in both runs." in text
    assert "tiny on rain: only in a" in text


def test_mistakes_are_refused(tmp_path: Path, refused: Refused) -> None:
    run = Run([Score("tiny", "rain", BEFORE)], images=24)
    with refused("'rgb-float-u7'", "a and b", "known: rgb, y"):
        compared(tmp_path, run, run, "rgb-float-u7")
    with refused("is given twice"):
        compare_runs(load_run(tmp_path / "a"), load_run(tmp_path / "a"))
    other = Run([Score("tiny", "rain", BEFORE)], images=24, protocols=("y-u8",))
    with refused("no scores under a common protocol"):
        compared(tmp_path, run, other)


def test_json_is_strict_and_says_the_same(tmp_path: Path) -> None:
    scores = [Score("tiny", "rain", BEFORE), Score("identity", "rain", (math.inf,) * 24)]
    second = [Score("tiny", "rain", AFTER), Score("identity", "rain", (math.inf,) * 24)]
    comparison = compared(tmp_path, Run(scores, images=24), Run(second, images=24))
    data = strict(comparison_json(comparison))
    assert data["schema"] == "derainbench-comparison/1"
    assert data["runs"] == {"a": "a", "b": "b"}
    (tiny, untouched) = data["cells"]
    assert isinstance(comparison.cells[0].changes["psnr"].test, Paired)
    assert tiny["psnr"]["p"] == comparison.cells[0].changes["psnr"].test.p
    assert tiny["psnr"]["difference"] == comparison.cells[0].changes["psnr"].difference
    assert untouched["psnr"]["a"] is None
    assert untouched["psnr"]["refused"] == "all differences are zero"
    assert untouched["identical"] is True


def test_runs_with_little_in_common_are_summed_up(tmp_path: Path) -> None:
    shared = Score("identity", "rain", BEFORE)
    own = [Score("tiny", name, BEFORE) for name in ("rain", "fog", "mist", "hail")]
    text = comparison_text(compared(tmp_path, Run([shared, *own], images=24), Run([shared], images=24)))
    assert "4 evaluations only in a (--json lists them)" in text
    assert "tiny on" not in text
    assert "Nothing that results depend on changed" not in text
    assert "No method that was trained is in both runs." in text


@pytest.mark.slow
def test_the_command_on_real_runs(workshop: Any) -> None:
    assert workshop(workshop.arguments()).returncode == 0
    workshop.edit("tiny.toml", lambda text: text.replace("5e-3", "2e-3"))
    assert workshop(workshop.arguments(out="other", protocols="rgb")).returncode == 0
    done = workshop(["compare", "run", "other"])
    assert done.returncode == 0
    assert "A = run, B = other · RGB in 8 bit" in done.stdout
    assert "recipe lr 0.005 -> 0.002 (tinycnn[dropout=0.1] on tiny)" in done.stdout
    assert "no test of PSNR and SSIM: only 2 scenes, a test needs 6." in done.stdout
    assert strict(workshop(["compare", "run", "other", "--json"]).stdout)["protocol"] == "rgb"
    missing = workshop(["compare", "run", "nowhere"])
    assert (missing.returncode, missing.stderr.count("\n")) == (2, 1)
    assert workshop(["compare", "run", "other", "--protocol", "y"]).returncode == 2
