"""What a metric's author is told: each mistake by the check that is there for it."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from derainbench.engine.metric_conformance import check_metric
from derainbench.metrics.brisque import BRISQUE
from derainbench.metrics.image_metric import ImageMetric
from derainbench.metrics.niqe import NIQE


def error(restored: Any, clean: Any) -> float:
    return float(np.abs(restored.astype(float) - clean).mean())


def changes(restored: Any, clean: Any) -> float:
    restored[0, 0] = clean[0, 0]
    return error(restored, clean)


counter = itertools.count()


def metric(**changed: Any) -> ImageMetric:
    fields = {"name": "mine", "title": "Mine", "unit": "", "digits": 2, "higher_is_better": False, "measure": error}
    return ImageMetric(**{**fields, "implementation": "me", "version": "1", "licence": "MIT", **changed})


def problems(tested: ImageMetric) -> dict[str, str]:
    return {name: outcome.problem for name, outcome in check_metric(tested) if outcome.problem}


@pytest.mark.parametrize("good", [metric(), NIQE, BRISQUE], ids=lambda each: each.name)
def test_a_good_one_passes(good: ImageMetric) -> None:
    assert problems(good) == {}


@pytest.mark.parametrize(
    ("changed", "failing"),
    [
        ({"higher_is_better": True}, {"more noise is not better", "the ground truth is best"}),
        ({"measure": changes}, {"images stay as they are"}),
        (
            {"measure": lambda restored, clean: error(restored, clean) + next(counter)},
            {"the same image, the same number"},
        ),
        ({"measure": lambda restored, clean: float("nan")}, {"any size gives a number"}),
        ({"packages": ("no-such-package",)}, {"what it needs is here"}),
    ],
)
def test_a_mistake_is_found(changed: dict[str, Any], failing: set[str]) -> None:
    assert failing <= {*problems(metric(**changed))}
    assert len(problems(metric(**changed))) <= len(failing) + 1


def test_what_it_raises_is_the_problem() -> None:
    found = problems(metric(measure=lambda restored, clean: 1 / 0))
    assert "ZeroDivisionError" in found["any size gives a number"]


def test_a_metric_without_a_reference_may_prefer_noise_and_it_is_said() -> None:
    loud = metric(needs_reference=False, measure=lambda restored: -float(restored.std()))
    outcomes = dict(check_metric(loud))
    assert not outcomes["more noise is not better"].problem
    assert "scores better" in outcomes["more noise is not better"].remark
