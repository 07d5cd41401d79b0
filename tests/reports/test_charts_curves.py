"""Training logs as curves: whatever a log holds, few points, all of a large run at once."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from derainbench.reports.comparison.curves import POINTS, curves, read_log, thinned
from derainbench.results.results import TrainingInRun

from .conftest import dataset


def training(folder: Path, name: str, seed: int, lines: list[str] | None, trained_on: str = "a") -> TrainingInRun:
    """A training with such a log, or without one."""
    where = folder / name / trained_on / f"seed{seed}"
    where.mkdir(parents=True)
    if lines is not None:
        (where / "log.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return TrainingInRun(name, trained_on, seed, where, 1.0, {})


def losses(values: list[float]) -> list[str]:
    return [json.dumps({"step": n + 1, "loss": value}) for n, value in enumerate(values)]


def test_seeds_are_averaged_step_by_step(tmp_path: Path) -> None:
    trainings = [
        training(tmp_path, "prenet", 0, losses([1.0, 2.0])),
        training(tmp_path, "prenet", 1, losses([3.0, 6.0])),
    ]
    (found,) = curves(trainings, {"prenet": "PReNet"}, [dataset("a", title="Set A")])
    assert (found.title, found.loss, found.validation) == ("Set A", {"PReNet": ((1.0, 2.0), (2.0, 4.0))}, {})
    assert (found.logs, found.unread) == (2, 0)


def test_validation_has_a_curve_of_its_own(tmp_path: Path) -> None:
    lines = [*losses([0.5]), json.dumps({"step": 1, "validation_psnr_y": 31.5})]
    (found,) = curves([training(tmp_path, "prenet", 0, lines)], {}, [])
    assert (found.title, found.loss, found.validation) == ("a", {"prenet": ((1.0, 0.5),)}, {"prenet": ((1.0, 31.5),)})


def test_damaged_lines_are_passed_over_and_missing_logs_counted(tmp_path: Path) -> None:
    lines = ['{"step": 1, "loss": 0.5}', '{"step": 2, "lo', "", "[1, 2]", '{"step": "x", "loss": 1}', '{"loss": 1}']
    lines += ['{"step": 3, "loss": NaN}', '{"step": 4, "loss": Infinity}', '{"step": 5, "loss": true}']
    lines += [f'{{"step": 6, "loss": 1{"0" * 400}}}', '{"step": -1, "loss": 1}', '{"step": 7, "loss": 0.25}']
    trainings = [
        training(tmp_path, "prenet", 0, lines),
        training(tmp_path, "prenet", 1, None),
        training(tmp_path, "rescan", 0, ["\ufffd", "[" * 100_000]),
    ]
    (found,) = curves(trainings, {}, [])
    assert found.loss == {"prenet": ((1.0, 0.5), (7.0, 0.25))}
    assert (found.logs, found.unread) == (3, 2)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_log_without_lines_or_with_some(data: bytes) -> None:
    class Stored(type(Path())):  # type: ignore[misc]
        def read_text(self, encoding: str | None = None, errors: str | None = None) -> str:
            return data.decode(encoding or "utf-8", errors or "strict")

    for steps, values in read_log(Stored("log.jsonl")).values():
        assert len(steps) == len(values)
        assert np.isfinite(steps).all()


def test_long_logs_become_means_of_equal_stretches() -> None:
    steps = np.arange(1, 3001, dtype=float)
    points = thinned(steps, steps * 2)
    assert len(points) == POINTS
    assert points[0] == (10.5, 21.0), "the mean of steps 1 to 20"
    assert points[-1] == (2990.5, 5981.0)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(*[arrays(np.float64, n, elements=st.floats(0, 1e100))] * 2)))
def test_thinned_curves_are_short_and_stay_within_the_values(pair: tuple[np.ndarray, np.ndarray]) -> None:
    steps, values = pair
    points = thinned(steps, values)
    assert 1 <= len(points) <= POINTS
    assert all(a[0] <= b[0] for a, b in pairwise(points))
    room = 1e-9 * (1 + values.max())
    assert all(values.min() - room <= value <= values.max() + room for _, value in points)


@pytest.mark.slow
def test_the_logs_of_a_large_run_are_read_in_two_seconds(tmp_path: Path) -> None:
    lines = losses([0.1] * 1000) + [json.dumps({"step": n, "validation_psnr_y": 30.0}) for n in range(1, 41)]
    trainings = [
        training(tmp_path, f"m{number}", seed, lines, f"d{place}")
        for number in range(9)
        for place in range(7)
        for seed in range(3)
    ]
    start = time.process_time()
    found = curves(trainings, {}, [])
    assert time.process_time() - start < 2
    assert len(found) == 7
    assert all(len(each.loss) == len(each.validation) == 9 for each in found)
