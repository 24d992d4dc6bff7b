"""Statistics against SciPy where it has the method, by simulation elsewhere."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from assay import statistics
from assay.expectations import parse

samples = st.lists(
    st.floats(-5, 5, allow_nan=False), min_size=3, max_size=20, unique=True
).map(np.array)


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_the_null_distribution_is_that_of_all_sign_patterns(n: int) -> None:
    sums = [
        sum(rank for rank, sign in zip(range(1, n + 1), signs, strict=True) if sign)
        for signs in itertools.product([0, 1], repeat=n)
    ]
    tail = statistics.signed_rank_tail(n)
    for k, probability in enumerate(tail):
        assert probability == sum(s <= k for s in sums) / 2**n


@given(samples, st.floats(-3, 3))
@settings(deadline=None)
def test_p_values_are_scipys(x: statistics.Floats, centre: float) -> None:
    shifted = x - centre
    if len(np.unique(np.abs(shifted))) < len(x) or np.any(shifted == 0):
        return  # SciPy's exact method is for untied values
    averages = (shifted[:, None] + shifted[None, :]) / 2
    if np.any(np.abs(averages) < 1e-12):
        return
    below, above = statistics.signed_rank_p(x, centre)
    less = stats.wilcoxon(shifted, alternative="less", method="exact")
    greater = stats.wilcoxon(shifted, alternative="greater", method="exact")
    assert below == pytest.approx(less.pvalue)
    assert above == pytest.approx(greater.pvalue)


@given(samples, st.sampled_from([0.05, 0.0154, 0.2]))
@settings(deadline=None)
def test_the_interval_is_what_the_test_does_not_reject(
    x: statistics.Floats, alpha: float
) -> None:
    interval = statistics.signed_rank_interval(x, alpha)
    if interval is None:
        assert 2.0 ** (1 - len(x)) > alpha
        return
    low, high = interval
    assert low <= statistics.hodges_lehmann(x) <= high
    gap = 1e-6
    assert 2 * min(statistics.signed_rank_p(x, low - gap)) <= alpha + 1e-12
    assert 2 * min(statistics.signed_rank_p(x, high + gap)) <= alpha + 1e-12
    if high - low > 3 * gap:
        middle = (low + high) / 2
        assert 2 * min(statistics.signed_rank_p(x, low + gap)) > alpha
        assert 2 * min(statistics.signed_rank_p(x, high - gap)) > alpha
        assert 2 * min(statistics.signed_rank_p(x, middle)) > alpha


@given(samples)
@settings(deadline=None)
def test_swapping_the_sides_mirrors_estimate_and_interval(
    x: statistics.Floats,
) -> None:
    assert statistics.hodges_lehmann(-x) == pytest.approx(-statistics.hodges_lehmann(x))
    interval = statistics.signed_rank_interval(x, 0.1)
    mirrored = statistics.signed_rank_interval(-x, 0.1)
    if interval and mirrored:
        assert mirrored == pytest.approx((-interval[1], -interval[0]))


def test_ties_make_the_test_more_careful() -> None:
    tied = np.array([0.0, 0.0, 0.1, 0.1, 0.2, 0.2, 0.3, 0.3])
    below, above = statistics.signed_rank_p(tied, 0.0)
    untied = tied + np.linspace(1e-9, 8e-9, 8)
    assert above > statistics.signed_rank_p(untied, 0.0)[1]
    assert below == 1.0


def test_five_equal_looks_are_at_pococks_tabled_level() -> None:
    # Pocock 1977, table 1: nominal level 0.0158 for five looks at 5 %.
    assert statistics.pocock_level((10, 20, 30, 40, 50), 0.05) == pytest.approx(
        0.0158, abs=1e-4
    )
    assert statistics.pocock_level((7,), 0.05) == pytest.approx(0.05, abs=1e-4)


def test_looking_five_times_keeps_the_level() -> None:
    looks = (12, 18, 27, 40, 60)
    level = statistics.pocock_level(looks, 0.05)
    rng = np.random.default_rng(11)
    runs = rng.standard_t(4, size=(2000, looks[-1]))
    alarms = naive = 0
    for run in runs:
        p = [2 * min(statistics.signed_rank_p(run[:n], 0.0)) for n in looks]
        alarms += min(p) <= level
        naive += min(p) <= 0.05
    # 3 standard errors of a share of 5 % in 2000 runs are 1.5 points.
    assert alarms / len(runs) < 0.065
    assert naive / len(runs) > 0.10, "without the correction it must be visible"


def test_holm_rejects_step_by_step() -> None:
    levels = [0.05 / family for family in range(1, 5)]
    assert statistics.holm([0.012, 0.2, 0.015, 0.001], levels) == [
        True,
        False,
        True,
        True,
    ]
    assert statistics.holm([0.02, 0.02, 0.02, 0.02], levels) == [False] * 4
    assert statistics.holm([], []) == []


@pytest.mark.parametrize(
    ("interval", "higher_is_better", "verdict"),
    [
        ((-0.04, 0.04), False, "same"),
        ((0.01, 0.04), False, "same"),
        ((0.01, 0.06), False, "slower"),
        ((0.01, 0.06), True, "faster"),
        ((-0.3, -0.06), False, "faster"),
        ((-0.3, -0.06), True, "slower"),
        ((-0.06, 0.01), False, "undecided"),
        (None, False, "undecided"),
    ],
)
def test_the_verdict_of_an_interval(
    interval: tuple[float, float] | None, higher_is_better: bool, verdict: str
) -> None:
    said = statistics.comparison_verdict(interval, 0.05, higher_is_better)
    assert said == verdict


def claim(x: statistics.Floats, expect: str, metric: str = "latency.mean") -> str:
    holds, refuted = statistics.claim_p(x, parse(expect, metric), 0.05)
    if min(holds, refuted) > 0.0154:
        return "undecided"
    return "holds" if holds <= refuted else "refuted"


@pytest.mark.parametrize(
    ("ratio", "expect", "verdict"),
    [
        (0.2, "<= 0.30", "holds"),
        (0.4, "<= 0.30", "refuted"),
        (0.3, "<= 0.30", "undecided"),
        (3.5, ">= 3", "holds"),
        (1.0, ">= 3", "refuted"),
        (0.8, "faster", "holds"),
        (1.2, "faster", "refuted"),
        (1.0, "faster", "refuted"),
        (1.0, "same", "holds"),
        (1.3, "same", "refuted"),
        (1.0, "not slower", "holds"),
        (1.3, "not slower", "refuted"),
    ],
)
def test_the_verdict_of_a_claim(ratio: float, expect: str, verdict: str) -> None:
    noise = 0.01 * np.array([-3, -2, -1.1, -1, -0.5, -0.1, 0, 0.2, 0.4, 1, 2, 3.1])
    assert claim(math.log(ratio) + noise, expect) == verdict


def test_a_claim_at_the_level_agrees_with_the_interval_at_the_level() -> None:
    rng = np.random.default_rng(5)
    expect = parse("<= 1", "latency.mean")
    for _ in range(300):
        x = rng.normal(-0.3, 0.6, 12)
        holds, _ = statistics.claim_p(x, expect, 0.05)
        interval = statistics.signed_rank_interval(x, 0.05)
        assert interval is not None
        assert (holds <= 0.05) == (interval[1] < 0)


def test_no_launches_decide_nothing() -> None:
    assert statistics.claim_p(np.empty(0), parse("faster", "time"), 0.05) == (1.0, 1.0)
    with pytest.raises(ValueError, match="no launches"):
        statistics.hodges_lehmann(np.empty(0))


def test_failure_rates_are_compared_exactly() -> None:
    assert statistics.failures_differ(0, 1000, 20, 1000)
    assert not statistics.failures_differ(1, 1000, 3, 1000)


@given(st.integers(0, 40), st.integers(1, 40))
@settings(deadline=None)
def test_the_binomial_interval_is_scipys(successes: int, trials: int) -> None:
    successes = min(successes, trials)
    expected = stats.binomtest(successes, trials).proportion_ci(method="exact")
    assert statistics.binomial_interval(successes, trials) == pytest.approx(
        (expected.low, expected.high)
    )
