"""Known answers and symmetries of the rules that Assay is compared with."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import pytest_benchmark.utils
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.analysis.statistics import Floats
from assay.results import Verdict
from scripts.studies import rivals

Rule = Callable[[Floats, Floats], Verdict]


def by_tachometer(baseline: Floats, candidate: Floats) -> Verdict:
    return rivals.tachometer(baseline, candidate, minimum=3)[0]


TWO_SIDED: list[Rule] = [
    rivals.threshold,
    rivals.welch,
    rivals.mann_whitney,
    by_tachometer,
]
RULES: list[Rule] = [*TWO_SIDED, rivals.benchmark_compare]

times = st.lists(st.integers(50, 200), min_size=3, max_size=40).map(
    lambda values: np.array(values, dtype=float)
)


def around(centre: float, sd: float, n: int, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).normal(centre, sd, n)


@pytest.mark.parametrize("rule", RULES)
@given(times)
@settings(deadline=None, max_examples=30)
def test_a_side_does_not_differ_from_itself(rule: Rule, x: Floats) -> None:
    assert rule(x, x) in ("same", "undecided")


@pytest.mark.parametrize("rule", RULES)
@given(times)
@settings(deadline=None, max_examples=30)
def test_five_times_as_long_is_slower(rule: Rule, x: Floats) -> None:
    # For the rank test, three samples are too few, whatever their values.
    x = np.tile(x, 4)
    assert rule(x, 5 * x) == "slower"


@pytest.mark.parametrize("rule", TWO_SIDED)
@given(times, times)
@settings(deadline=None, max_examples=30)
def test_swapping_the_sides_never_keeps_the_direction(
    rule: Rule, baseline: Floats, candidate: Floats
) -> None:
    words = {rule(baseline, candidate), rule(candidate, baseline)}
    assert words not in ({"faster"}, {"slower"})


@pytest.mark.parametrize("rule", RULES)
@given(times, times, st.sampled_from([0.001, 0.5, 1024.0]))
@settings(deadline=None, max_examples=30)
def test_the_unit_does_not_matter(
    rule: Rule, baseline: Floats, candidate: Floats, unit: float
) -> None:
    # This factor avoids ratios exactly at a limit, where rounding would decide.
    candidate = candidate * 1.000137
    assert rule(baseline * unit, candidate * unit) == rule(baseline, candidate)


@pytest.mark.parametrize(
    ("change", "limit", "verdict"),
    [
        (0.06, 0.05, "slower"),
        (0.04, 0.05, "same"),
        (-0.04, 0.05, "same"),
        (-0.06, 0.05, "faster"),
        (0.06, 0.07, "same"),
        (0.02, 0.01, "slower"),
    ],
)
def test_the_threshold_is_on_the_mean(
    change: float, limit: float, verdict: Verdict
) -> None:
    # Most requests are as fast as before: a median would not see the change.
    baseline = np.array([1.0, 1.0, 1.0, 1.0, 6.0])
    candidate = np.array([1.0, 1.0, 1.0, 1.0, 6.0 + 10 * change])
    assert rivals.threshold(baseline, candidate, limit) == verdict
    assert rivals.threshold(baseline, (1 + change) * baseline, limit) == verdict


def test_the_default_threshold_is_five_percent() -> None:
    x = np.array([1.0, 2.0, 3.0])
    assert rivals.threshold(x, 1.051 * x) == "slower"
    assert rivals.threshold(x, 1.049 * x) == "same"


# By Welch's formulas t = 2.4554 on 24.99 degrees of freedom, so p = 0.02138.
TABULATED = (
    [27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6]
    + [19.0, 21.7, 21.4],
    [27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1]
    + [22.9, 20.5, 24.4],
)


def test_welch_gives_the_tabulated_answer() -> None:
    first, second = (np.array(values) for values in TABULATED)
    assert rivals.welch(first, second) == "slower"
    assert rivals.welch(second, first) == "faster"
    assert rivals.welch(first, second, alpha=0.022) == "slower"
    assert rivals.welch(first, second, alpha=0.021) == "undecided"


def test_welch_does_not_pool_the_variances() -> None:
    # Pooling would apply the spread of the many quiet numbers to the few wild ones.
    baseline = np.array([10.0, 10.1, 9.9, 10.05, 9.95] * 8)
    candidate = np.array([10.0, 13.0, 11.5])
    assert rivals.welch(baseline, candidate) == "undecided"


def test_welch_ignores_the_pairing() -> None:
    launches = around(10, 1, 12)
    assert rivals.welch(launches, launches * 1.03) == "undecided"


def test_welch_without_any_spread() -> None:
    x = np.full(4, 2.0)
    assert rivals.welch(x, x + 1) == "slower"
    assert rivals.welch(x, x) == "undecided"


def test_mann_whitney_gives_the_exact_answer_of_small_sides() -> None:
    baseline = np.array([1.0, 2.0, 3.0, 4.0])
    candidate = np.array([5.0, 6.0, 7.0, 8.0])
    # 2 of the 70 ways to assign the ranks are as extreme: p = 0.0286.
    assert rivals.mann_whitney(baseline, candidate) == "slower"
    assert rivals.mann_whitney(candidate, baseline) == "faster"
    assert rivals.mann_whitney(baseline, candidate, alpha=0.028) == "undecided"


def test_mann_whitney_follows_the_ranks_and_not_the_means() -> None:
    baseline = np.append(np.linspace(1.0, 1.1, 99), 1000.0)
    candidate = np.linspace(1.2, 1.3, 100)
    assert candidate.mean() < baseline.mean()
    assert rivals.mann_whitney(baseline, candidate) == "slower"


def test_tachometer_stops_at_once_where_the_difference_is_clear() -> None:
    baseline, candidate = around(10, 1, 400), around(12, 1, 400, seed=2)
    assert rivals.tachometer(baseline, candidate) == ("slower", 50)
    assert rivals.tachometer(candidate, baseline) == ("faster", 50)
    assert rivals.tachometer(baseline, candidate, minimum=80) == ("slower", 80)


def test_tachometer_samples_ten_at_a_time_until_the_first_clear_look() -> None:
    baseline, candidate = around(10, 1, 4000), around(10.2, 1, 4000, seed=2)
    verdict, used = rivals.tachometer(baseline, candidate)
    assert verdict == "slower"
    assert 50 < used < 4000 and used % 10 == 0
    before = rivals.tachometer(baseline[: used - 10], candidate[: used - 10])
    assert before == ("undecided", used - 10)


def test_tachometer_is_undecided_at_its_time_limit() -> None:
    x = around(10, 1, 300)
    assert rivals.tachometer(x, x) == ("undecided", 300)
    assert rivals.tachometer(x, x, most=95) == ("undecided", 95)


def test_tachometer_resolves_a_horizon_on_both_sides_of_zero() -> None:
    baseline = around(10, 1, 5000)
    results = {}
    for ratio in (0.92, 1.0, 1.08):
        candidate = around(10 * ratio, 1, 5000, seed=2)
        results[ratio] = rivals.tachometer(baseline, candidate, horizon=0.1)
    # Wholly between -10 % and +10 % is resolved, and still slower or faster than 0.
    assert results[0.92][0] == "faster" and results[1.08][0] == "slower"
    assert results[1.0] == ("undecided", 50)
    assert all(50 < results[ratio][1] < 5000 for ratio in (0.92, 1.08))


@pytest.mark.parametrize("ratio", [0.9, 1.1])
def test_tachometer_cannot_resolve_a_difference_on_its_horizon(ratio: float) -> None:
    baseline = around(10, 1, 4000)
    result = rivals.tachometer(baseline, ratio * baseline, horizon=0.1)
    assert result == ("faster" if ratio < 1 else "slower", 4000)


def test_the_interval_is_that_of_tachometers_source() -> None:
    a, b = np.array([1.0, 2.0, 3.0]), np.array([4.0, 6.0, 8.0])
    absolute, relative = rivals._differences(a, b)
    # t(0.975, 2) = 4.30265; variances of the means 1/3 and 4/3; means 2 and 6.
    half = 4.30265 * (5 / 3) ** 0.5
    assert absolute == pytest.approx((4 - half, 4 + half), rel=1e-5)
    half = 4.30265 * ((1 / 3 * 36 + 4 / 3 * 4) / 16) ** 0.5
    assert relative == pytest.approx((2 - half, 2 + half), rel=1e-5)


def test_tachometer_needs_both_directions_to_be_clear() -> None:
    # The interval from the baseline's side excludes 0; the candidate's contains it.
    baseline = np.array([9.0, 11.0, 10.0, 8.6, 11.4] * 2)
    candidate = baseline * 0.89
    low, high = rivals._differences(baseline, candidate)[1]
    mirrored = rivals._differences(candidate, baseline)[1]
    assert high < 0 and mirrored[0] <= 0 <= mirrored[1]
    assert not rivals._resolved(baseline, candidate, 0.0)


@pytest.mark.parametrize(
    ("ratio", "limit", "verdict"),
    [
        (1.051, 0.05, "slower"),
        (1.049, 0.05, "same"),
        (0.5, 0.05, "same"),
        (1.051, 0.06, "same"),
        (1.02, 0.01, "slower"),
    ],
)
def test_the_plugin_fails_a_median_above_its_limit(
    ratio: float, limit: float, verdict: Verdict
) -> None:
    baseline = np.array([1.0, 2.0, 300.0])
    candidate = np.array([1.0, 2.0 * ratio, 9.0])
    assert rivals.benchmark_compare(baseline, candidate, limit) == verdict


@given(times, times)
@settings(deadline=None, max_examples=30)
def test_the_plugins_own_check_agrees(baseline: Floats, candidate: Floats) -> None:
    plugin: Any = pytest_benchmark.utils
    check = plugin.parse_compare_fail("median:5%")
    failed = check.fails(
        {"median": np.median(candidate)}, {"median": np.median(baseline)}
    )
    expected = "slower" if failed else "same"
    assert rivals.benchmark_compare(baseline, candidate) == expected


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0, -1.0])
def test_numbers_that_are_not_times_are_refused(rule: Rule, bad: float) -> None:
    good, spoilt = np.full(60, 2.0), np.append(np.full(59, 2.0), bad)
    with pytest.raises(ValueError, match="the candidate has others: leave out"):
        rule(good, spoilt)
    with pytest.raises(ValueError, match="the baseline has others: leave out"):
        rule(spoilt, good)


@pytest.mark.parametrize("rule", RULES)
def test_too_few_numbers_are_refused(rule: Rule) -> None:
    with pytest.raises(ValueError, match="or more numbers of the baseline, got 0"):
        rule(np.empty(0), np.ones(60))


def test_tachometer_needs_its_minimum() -> None:
    with pytest.raises(ValueError, match="needs 50 or more numbers .* got 49"):
        rivals.tachometer(np.ones(50), np.ones(49))
