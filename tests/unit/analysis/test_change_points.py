"""Changes are found where they are, and nowhere else."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from assay.analysis import change_points
from assay.analysis.change_points import examine
from tests.unit.history.runs import changing, steady

SEEDS = range(20)


def test_two_changes_are_found_and_the_spike_is_not() -> None:
    right = 0
    for seed in SEEDS:
        found = examine(changing(seed))
        places = [(shift.earliest, shift.latest) for shift in found.shifts]
        right += len(places) == 2 and all(
            low <= true <= high
            for (low, high), true in zip(places, (20, 45), strict=True)
        )
    assert right >= 19


def test_the_sizes_of_changes_are_measured() -> None:
    inside = 0
    for seed in SEEDS:
        first, second = examine(changing(seed)).shifts
        inside += first.low <= math.log(1.08) <= first.high
        inside += second.low <= math.log(0.94) <= second.high
    assert inside >= 35  # 95 % of 40 are 38; a few less can be chance


@pytest.mark.parametrize("sd", [0.002, 0.01, 0.05])
def test_nothing_is_found_where_nothing_changes(sd: float) -> None:
    silent = 0
    for seed in SEEDS:
        logs = steady(seed, sd=sd)
        logs[7] += math.log(1.5)  # a spike is no change
        found = examine(logs)
        silent += not found.shifts and found.trend is None
    assert silent >= 19


def test_nothing_is_found_in_correlated_noise() -> None:
    silent = 0
    for seed in range(40):
        noise = np.random.default_rng(seed).normal(0, 0.02, 60)
        for run in range(1, 60):
            noise[run] += 0.4 * noise[run - 1]
        found = examine(noise)
        silent += not found.shifts and found.trend is None
    assert silent >= 37


def test_a_short_series_is_never_searched() -> None:
    step = np.repeat([0.0, 1.0], 4)
    assert examine(step) == change_points.Findings()
    longer = np.repeat([0.0, 1.0], 10) + np.tile([0.0, 0.001], 10)
    assert [shift.first for shift in examine(longer).shifts] == [10]


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_few_outliers_in_a_row_are_no_change(length: int) -> None:
    logs = steady(3)
    logs[30 : 30 + length] += math.log(1.4)
    assert not examine(logs).shifts


def test_a_steady_growth_is_a_drift() -> None:
    named = inside = 0
    for seed in SEEDS:
        found = examine(steady(seed) + np.linspace(0, math.log(1.2), 60))
        if found.trend:
            assert not found.shifts
            named += 1
            inside += found.trend.low < math.log(1.2) < found.trend.high
    assert named >= 15
    assert inside >= 0.8 * named


def test_a_step_is_no_drift() -> None:
    for seed in SEEDS:
        logs = steady(seed)
        logs[30:] += math.log(1.05)
        found = examine(logs)
        assert found.trend is None
        assert len(found.shifts) == 1


def test_counts_that_hardly_vary() -> None:
    constant = np.full(30, math.log(1_000_000))
    assert examine(constant) == change_points.Findings()
    stepped = constant.copy()
    stepped[12:] += math.log(1.02)
    (shift,) = examine(stepped).shifts
    assert (shift.first, shift.earliest, shift.latest) == (12, 12, 12)
    assert shift.size == pytest.approx(math.log(1.02))
    tiny = constant.copy()
    tiny[12:] += math.log(1.001)
    assert not examine(tiny).shifts  # too small to matter


def test_a_place_that_is_not_sure_is_a_range() -> None:
    covered, wide = 0, 0
    for seed in range(60):
        logs = steady(seed, sd=0.02)
        logs[30:] += math.log(1.05)
        for shift in examine(logs).shifts:
            assert shift.earliest <= shift.first <= shift.latest
            covered += shift.earliest <= 30 <= shift.latest
            wide += shift.latest > shift.earliest
    assert covered >= 52
    assert wide >= 5


def test_the_level_is_kept_by_the_corrected_p_value() -> None:
    below = 0
    for seed in range(200):
        x = np.random.default_rng(seed).normal(0, 1, 40)
        # The place with the smallest p-value, which a search would choose.
        p = min(
            change_points.boundary_p(x, x, place, 1.0)
            for place in range(change_points.SHORTEST_LEVEL, 37)
        )
        below += p <= 0.1
    assert below <= 28  # 10 % of 200 are 20; a few more can be chance


series = arrays.arrays(
    np.float64,
    st.integers(8, 40),
    elements=st.floats(-5, 5, allow_nan=False, width=32),
)


def _cost(x: np.ndarray, boundaries: list[int], penalty: float) -> float:
    parts = np.split(x, boundaries)
    squares = sum(float(((part - part.mean()) ** 2).sum()) for part in parts)
    return squares + penalty * len(boundaries)


@given(series, st.floats(0.5, 30))
def test_the_search_is_as_good_as_that_of_ruptures(
    x: np.ndarray, penalty: float
) -> None:
    ruptures = pytest.importorskip("ruptures")
    search = ruptures.KernelCPD(
        kernel="linear", min_size=change_points.SHORTEST_LEVEL, jump=1
    )
    theirs = [int(end) for end in search.fit(x.reshape(-1, 1)).predict(pen=penalty)]
    ours = change_points.best_boundaries(x, penalty)
    assert all(
        end - start >= change_points.SHORTEST_LEVEL
        for start, end in zip([0, *ours], [*ours, len(x)], strict=True)
    )
    # The places may differ if several are equally good.
    assert _cost(x, ours, penalty) <= _cost(x, theirs[:-1], penalty) + 1e-6


@given(series, st.floats(-10, 10))
def test_a_factor_on_all_values_changes_nothing(x: np.ndarray, factor: float) -> None:
    values = np.round(x, 2)
    places = [shift.first for shift in examine(values).shifts]
    moved = [shift.first for shift in examine(values + round(factor)).shifts]
    assert places == moved


@given(series)
def test_findings_are_well_formed(x: np.ndarray) -> None:
    found = examine(x)
    assert 0 <= found.p <= 1
    edges = [0, *(shift.first for shift in found.shifts), len(x)]
    assert all(
        end - start >= change_points.SHORTEST_LEVEL
        for start, end in zip(edges, edges[1:], strict=False)
        if found.shifts
    )
    for shift in found.shifts:
        assert shift.low <= shift.size <= shift.high
        assert 0 < shift.earliest <= shift.first <= shift.latest < len(x)


def test_without_ruptures_the_same_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    expected = [examine(changing(seed)) for seed in range(5)]
    monkeypatch.setitem(sys.modules, "ruptures", None)
    assert [examine(changing(seed)) for seed in range(5)] == expected
