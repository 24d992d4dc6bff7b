"""The search for the highest rate that holds, on services whose limit is known."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.load_tests.capacity import (
    MAX_PROBES,
    MIN_RATE,
    VOTES,
    Capacity,
    from_trials,
    search,
)


@given(st.floats(1, 20_000), st.floats(1, 5_000))
def test_a_sharp_limit_lies_within_the_interval(limit: float, start: float) -> None:
    result = search(lambda rate: rate <= limit, start, 50_000)
    assert result.low is not None and result.high is not None
    assert result.low <= limit < result.high
    assert result.high / result.low <= 1.05 + 1e-9
    assert result.probes <= MAX_PROBES


@given(st.floats(1, 5_000))
def test_where_every_rate_holds_the_limit_is_the_generators(start: float) -> None:
    result = search(lambda rate: True, start, 8_000)
    assert (result.low, result.high) == (8_000, None)


@given(st.floats(1, 5_000))
def test_where_no_rate_holds_there_is_no_capacity(start: float) -> None:
    result = search(lambda rate: False, start, 8_000)
    assert result.low is None
    assert result.high is not None and result.high < 2 * MIN_RATE


def test_no_rate_is_beyond_the_most() -> None:
    tried = []

    def holds(rate: float) -> bool:
        tried.append(rate)
        return rate < 900

    search(holds, 2_000, 1_000)
    assert max(tried) <= 1_000


def test_both_ends_are_confirmed() -> None:
    result = search(lambda rate: rate <= 300, 100, 10_000)
    assert result.low is not None and result.high is not None
    # Two of three trials decide, so a third one is not needed.
    for end in (result.low, result.high):
        assert len(result.votes[end]) >= VOTES // 2 + 1


@pytest.mark.parametrize("seed", range(20))
def test_a_blurred_limit_is_found_all_the_same(seed: int) -> None:
    rng = random.Random(seed)

    def holds(rate: float) -> bool:
        # At 400 the rate holds every other time; 10 % away, nearly always or never.
        return rng.random() < 1 / (1 + (rate / 400) ** 40)

    result = search(holds, 50, 10_000)
    assert result.low is not None and result.high is not None
    assert 330 < result.low < result.high < 480
    assert result.probes <= MAX_PROBES


def test_trials_of_a_search_that_was_ended_say_no_more_than_they_do() -> None:
    assert from_trials([]) == Capacity()
    result = from_trials([(100, True), (200, True), (400, False)])
    assert (result.low, result.high) == (200, 400)
    assert from_trials([(100, False), (50, False)]).low is None
    assert from_trials([(100, False), (50, False)]).high == 50
    # One vote each is no majority, so 200 is neither end.
    tied = from_trials([(100, True), (200, True), (200, False), (300, False)])
    assert (tied.low, tied.high) == (100, 300)


def test_what_ends_a_trial_ends_the_search() -> None:
    tried = []

    def holds(rate: float) -> bool:
        tried.append(rate)
        if len(tried) == 3:
            raise KeyboardInterrupt
        return True

    with pytest.raises(KeyboardInterrupt):
        search(holds, 100, 10_000)
    assert len(tried) == 3
