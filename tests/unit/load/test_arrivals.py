"""Schedules of the open loop."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from assay.load import shapes
from assay.load.arrivals import Arrivals, times
from tests.unit.load.test_shapes import drawn

KINDS: tuple[Arrivals, ...] = ("poisson", "even")


@given(drawn(), st.sampled_from(KINDS), st.integers(0, 2**32))
def test_arrivals_ascend_and_stay_inside(
    shape: shapes.Shape, arrivals: Arrivals, seed: int
) -> None:
    found = list(times(shape, arrivals, seed))
    assert found == sorted(found)
    assert all(0 <= time <= shape.duration * (1 + 1e-9) for time in found)
    assert found == list(times(shape, arrivals, seed))


@given(drawn())
def test_even_arrivals_keep_the_rate_exactly(shape: shapes.Shape) -> None:
    found = list(times(shape, "even", 0))
    assert abs(len(found) - shape.expected) <= 0.5 + 1e-6
    # At arrival n, counted from 0, the expected number of arrivals is n + 0.5.
    for number, time in enumerate(found):
        count = shapes_count(shape, time)
        assert count == pytest.approx(number + 0.5, rel=1e-6, abs=1e-6)


def shapes_count(shape: shapes.Shape, until: float) -> float:
    """Return the expected number of arrivals, by adding up the pieces of the shape."""
    total = 0.0
    pairs = zip(
        itertools.pairwise(shape.times), itertools.pairwise(shape.rates), strict=True
    )
    for (a, b), (low, high) in pairs:
        end = min(b, until)
        if end > a:
            at_end = low + (high - low) * (end - a) / (b - a)
            total += (low + at_end) / 2 * (end - a)
    return total


def test_gaps_are_exponential_and_the_rate_is_kept() -> None:
    found = np.array(list(times(shapes.constant(500, 200), "poisson", seed=3)))
    assert abs(len(found) - 100_000) < 4 * np.sqrt(100_000)
    assert stats.kstest(np.diff(found) * 500, "expon").pvalue > 1e-3


def test_poisson_arrivals_follow_stages_exactly() -> None:
    shape = shapes.parse("0..900 in 20s, 0 for 5s, 900 for 10s, 900..0 in 20s", None)
    found = list(times(shape, "poisson", seed=9))
    assert not [time for time in found if 20 < time < 25]
    # The expected numbers of arrivals at the arrivals are a process of rate 1, so their
    # gaps are exponential in every stage.
    counts = np.array([shapes_count(shape, time) for time in found])
    assert stats.kstest(np.diff(counts), "expon").pvalue > 1e-3
    assert stats.kstest(counts / shape.expected, "uniform").pvalue > 1e-3


def test_poisson_arrivals_follow_a_rate_that_changes() -> None:
    shape = shapes.ramp(0, 1000, 100)
    found = np.array(list(times(shape, "poisson", seed=5)))
    assert abs(len(found) - 50_000) < 4 * np.sqrt(50_000)
    # Expressed as expected numbers of arrivals, the times are a process of rate 1.
    stretched = 5 * found**2
    assert stats.kstest(np.diff(stretched), "expon").pvalue > 1e-3


def test_another_seed_is_another_schedule() -> None:
    shape = shapes.constant(100, 1)
    assert list(times(shape, "poisson", 1)) != list(times(shape, "poisson", 2))
