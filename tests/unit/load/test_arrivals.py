"""Schedules of the open loop."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from assay.load.arrivals import poisson


@given(st.floats(0.1, 2000), st.floats(0.01, 2), st.integers(0, 2**32))
def test_arrivals_ascend_and_stay_inside(
    rate: float, duration: float, seed: int
) -> None:
    moments = poisson(rate, duration, seed)
    assert list(moments) == sorted(moments)
    assert all(0 <= moment < duration for moment in moments)
    assert moments == poisson(rate, duration, seed)


def test_gaps_are_exponential_and_the_rate_is_kept() -> None:
    moments = np.array(poisson(500, 200, seed=3))
    assert abs(len(moments) - 100_000) < 4 * np.sqrt(100_000)
    assert stats.kstest(np.diff(moments) * 500, "expon").pvalue > 1e-3


def test_another_seed_is_another_schedule() -> None:
    assert poisson(100, 1, 1) != poisson(100, 1, 2)
