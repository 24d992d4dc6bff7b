"""The search for the highest rate that holds, on services whose limit is known."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.load_tests.capacity import (
    LEAST_RATE,
    MOST_PROBES,
    VOTES,
    Capacity,
    known,
    search,
)


@given(st.floats(1, 20_000), st.floats(1, 5_000))
def test_a_sharp_limit_lies_within_the_interval(limit: float, start: float) -> None:
    found = search(lambda rate: rate <= limit, start, 50_000)
    assert found.low is not None and found.high is not None
    assert found.low <= limit < found.high
    assert found.high / found.low <= 1.05 + 1e-9
    assert found.probes <= MOST_PROBES


@given(st.floats(1, 5_000))
def test_where_every_rate_holds_the_limit_is_the_generators(start: float) -> None:
    found = search(lambda rate: True, start, 8_000)
    assert (found.low, found.high) == (8_000, None)


@given(st.floats(1, 5_000))
def test_where_no_rate_holds_there_is_no_capacity(start: float) -> None:
    found = search(lambda rate: False, start, 8_000)
    assert found.low is None
    assert found.high is not None and found.high < 2 * LEAST_RATE


def test_no_rate_is_beyond_the_most() -> None:
    tried = []

    def holds(rate: float) -> bool:
        tried.append(rate)
        return rate < 900

    search(holds, 2_000, 1_000)
    assert max(tried) <= 1_000


def test_both_ends_are_confirmed() -> None:
    found = search(lambda rate: rate <= 300, 100, 10_000)
    assert found.low is not None and found.high is not None
    # Two of three agree: a third trial could change nothing.
    for end in (found.low, found.high):
        assert len(found.votes[end]) >= VOTES // 2 + 1


@pytest.mark.parametrize("seed", range(20))
def test_a_blurred_limit_is_found_all_the_same(seed: int) -> None:
    rng = random.Random(seed)

    def holds(rate: float) -> bool:
        # At 400 it holds every other time; 10 % off, nearly always or never.
        return rng.random() < 1 / (1 + (rate / 400) ** 40)

    found = search(holds, 50, 10_000)
    assert found.low is not None and found.high is not None
    assert 330 < found.low < found.high < 480
    assert found.probes <= MOST_PROBES


def test_trials_of_a_search_that_was_ended_say_no_more_than_they_do() -> None:
    assert known([]) == Capacity()
    found = known([(100, True), (200, True), (400, False)])
    assert (found.low, found.high) == (200, 400)
    assert known([(100, False), (50, False)]).low is None
    assert known([(100, False), (50, False)]).high == 50
    # One to one is no majority, whichever end it is to be.
    tied = known([(100, True), (200, True), (200, False), (300, False)])
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
