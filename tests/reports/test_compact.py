"""Scores as integers: exactly the digits that are printed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from derainbench.metrics.kinds import METRICS
from derainbench.reports.comparison.cells import Metric, printed
from derainbench.reports.page.compact import compact


@pytest.mark.parametrize("metric", ["psnr", "ssim"])
@given(
    st.lists(
        st.one_of(
            st.floats(-5, 120),
            st.integers(-999, 99999).map(lambda tie: tie / 1000),  # ties of PSNR
            st.integers(-99999, 99999).map(lambda tie: tie / 100000),  # ties of SSIM
        )
    )
)
def test_the_digits_are_those_that_are_printed(metric: Metric, values: list[float]) -> None:
    digits = METRICS[metric].digits
    texts = [f"{int(number) / 10**digits + 0.0:.{digits}f}" for number in compact(np.array(values), metric)]  # type: ignore[arg-type]
    assert texts == [printed(value, metric) for value in values]


def test_what_is_no_number_keeps_its_meaning() -> None:
    assert compact(np.array([math.inf, math.nan, 30.0]), "psnr") == ["inf", None, 3000]
