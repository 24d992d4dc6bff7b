"""Exact percentiles in two passes, compared with those of all samples at once."""

import math
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.load_tests.quantiles import FINE_BINS, Batch, _keep, exact, rough

SHARES = (0.0, 0.5, 0.9, 0.99, 1.0)
TIMES = st.one_of(
    st.just(0.0),
    st.just(math.inf),
    st.floats(1e-9, 1e7),
    st.sampled_from([0.001, 0.002]),
)


@given(
    st.lists(st.tuples(st.integers(0, 2), TIMES), max_size=200),
    st.integers(1, 50),
    st.sampled_from([0, 3, 10**6]),
)
def test_they_are_those_of_all_samples_at_once(
    samples: list[tuple[int, float]], size: int, many: int
) -> None:
    def batches() -> Iterator[Batch]:
        for at in range(0, len(samples), size):
            part = samples[at : at + size]
            yield (
                np.array([group for group, _ in part], dtype=np.int64),
                np.array([value for _, value in part]),
            )

    result = exact(batches, 3, SHARES, many)
    for group in range(3):
        group_values = [value for number, value in samples if number == group]
        if not group_values:
            assert result[group] == [None] * len(SHARES)
            continue
        expected = np.quantile(group_values, SHARES, method="inverted_cdf")
        assert result[group] == expected.tolist()


def test_many_samples_are_not_held_at_once() -> None:
    rng = np.random.default_rng(3)
    seeds = range(40)

    def batches() -> Iterator[Batch]:
        for seed in seeds:
            values = np.random.default_rng(seed).lognormal(-5, 1, 50_000)
            yield np.zeros(50_000, dtype=np.int64), values

    everything = np.concatenate([values for _, values in batches()])
    rng.shuffle(everything)
    tracemalloc.start()
    try:
        result = exact(batches, 1, (0.5, 0.999))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A batch is a fortieth of all values, and batches are processed one at a time.
    assert peak < everything.nbytes / 2
    assert result[0] == pytest.approx(
        np.quantile(everything, [0.5, 0.999], method="inverted_cdf").tolist(), rel=0
    )


def test_a_narrow_distribution_is_not_held_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def batches() -> Iterator[Batch]:
        for seed in range(20):
            values = 0.05 + np.random.default_rng(seed).normal(0, 1e-5, 50_000)
            yield np.zeros(50_000, dtype=np.int64), values

    held = []

    def keeping(*arguments: object) -> object:
        kept = _keep(*arguments)  # type: ignore[arg-type]
        held.append(sum(len(values) for values in kept.values()))
        return kept

    monkeypatch.setattr("assay.load_tests.quantiles._keep", keeping)
    shares = (0.5, 0.9, 0.99)
    result = exact(batches, 1, shares, max_kept=10_000)
    everything = np.concatenate([values for _, values in batches()])
    expected = np.quantile(everything, shares, method="inverted_cdf")
    assert result[0] == expected.tolist()
    # All values are in one or two bins of 2 %, but these have hundreds of fine bins.
    assert held[0] < len(everything) / 10
    assert FINE_BINS > 1000


def test_rough_ones_are_within_a_hundredth() -> None:
    values = np.random.default_rng(1).lognormal(-5, 1, 100_000)
    values[:500] = math.inf

    def batches() -> Iterator[Batch]:
        yield np.zeros(len(values), dtype=np.int64), values

    shares = (0.01, 0.5, 0.9, 0.99, 0.999)
    expected = np.quantile(values, shares, method="inverted_cdf").tolist()
    assert rough(batches, shares) == pytest.approx(expected, rel=0.0101)
    assert rough(lambda: iter([]), shares) == [None] * 5
