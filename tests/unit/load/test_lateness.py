"""When a generator was late enough to matter."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.load.lateness import binned, is_late, quantile, share_late


@pytest.mark.parametrize(
    ("lag", "median", "late"),
    [
        (1.4e-3, None, False),
        (1.6e-3, None, True),
        (1.6e-3, math.nan, True),
        (1.6e-3, math.inf, True),
        (1.6e-3, 0.001, True),
        (1.6e-3, 0.1, False),  # less than a twentieth of what requests take
        (6e-3, 0.1, True),
    ],
)
def test_lateness_counts_beside_what_requests_take(
    lag: float, median: float | None, late: bool
) -> None:
    assert is_late(lag, median) is late


LAGS = st.lists(st.floats(0.0, 10.0), min_size=1, max_size=200)


@given(LAGS, LAGS)
def test_counts_of_lags_add_up(one: list[float], other: list[float]) -> None:
    together = Counter(binned(one))
    together.update(binned(other))
    assert together == binned(one + other)


@given(LAGS, st.sampled_from([0.0, 0.5, 0.99, 1.0]))
def test_a_quantile_of_the_bins_is_that_of_the_lags(
    lags: list[float], share: float
) -> None:
    exact = sorted(lags)[int(share * (len(lags) - 1))]
    assert quantile(binned(lags), share) == pytest.approx(exact, rel=0.06, abs=2e-6)


def test_of_no_lag_there_is_no_quantile() -> None:
    assert quantile({}, 0.5) == 0.0 and share_late({}, 0.1) == 0.0
