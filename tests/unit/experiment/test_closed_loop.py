"""Requests per second of a closed loop: what must change them, and what must not."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from assay.experiment import closed_loop
from assay.experiment.closed_loop import (
    ESTIMATORS,
    Loop,
    by_count,
    by_littles_law,
    by_settled_cycles,
)

WITHOUT_EDGE = pytest.mark.parametrize("estimator", [by_littles_law, by_settled_cycles])
seconds = st.floats(0.001, 2.0)
counts = st.integers(1, 40)


def made(
    requests: Sequence[tuple[float, float, int]], users: int, ended: float, **rest: bool
) -> Loop:
    """A slice from 0 to `ended`; each request is (start, end, user)."""
    start, end, user = (np.array(column) for column in zip(*requests, strict=True))
    return Loop(start.astype(float), end.astype(float), user, users, 0.0, ended, **rest)


def waiting(
    users: int, response: float, gap: float, length: float, spread: float = 0.0
) -> Loop:
    """A slice of users whose answers take a fixed time, whatever the others do.

    Args:
        users: The number of users.
        response: Seconds that each answer takes.
        gap: Seconds from an answer to the user's next request.
        length: Seconds in which requests begin.
        spread: Seconds over which the first requests of the users are spread.
    """
    found = []
    for user in range(users):
        at = spread * user / users
        while at < length:
            found.append((at, at + response, user))
            at += response + gap
    return made(found, users, max(end for _, end, _ in found))


def queueing(users: int, each: float, length: float) -> Loop:
    """A slice of users whose requests are served one at a time, in order."""
    found, free = [], 0.0
    due = [(0.0, user) for user in range(users)]
    while due:
        at, user = due.pop(0)
        if at < length:
            free = max(free, at) + each
            found.append((at, free, user))
            due.append((free, user))
    return made(found, users, free)


@WITHOUT_EDGE
@given(counts, seconds, st.floats(0.01, 30.0), st.floats(0.0, 0.5))
def test_a_fixed_response_time_is_exact_however_long_the_slice(
    estimator: closed_loop.Estimator,
    users: int,
    response: float,
    rounds: float,
    spread: float,
) -> None:
    # The slice may end just before or just after another round begins.
    loop = waiting(users, response, 0.0, rounds * response, spread * response)
    assume(len(loop.end) >= users)
    assert estimator(loop) == pytest.approx(users / response)


@WITHOUT_EDGE
@given(counts, st.integers(2, 12), st.floats(-1e-4, 1e-4))
def test_half_a_millisecond_decides_nothing(
    estimator: closed_loop.Estimator, users: int, rounds: int, more: float
) -> None:
    # The slice ends so close to a round's end that all, some or no users begin another.
    loop = waiting(users, 0.02, 0.0, rounds * 0.02 + more, spread=1e-4)
    assert estimator(loop) == pytest.approx(users / 0.02)


def test_the_count_jumps_where_another_round_begins() -> None:
    before, after = (waiting(8, 0.02, 0.0, 0.06 + m, 1e-4) for m in (-5e-5, 5e-5))
    assert abs(by_count(before) / by_count(after) - 1) > 0.1


@WITHOUT_EDGE
@given(counts, seconds, st.floats(0.0, 2.0), st.integers(2, 12))
def test_the_gap_to_the_next_request_is_part_of_the_cycle(
    estimator: closed_loop.Estimator,
    users: int,
    response: float,
    gap: float,
    rounds: int,
) -> None:
    loop = waiting(users, response, gap, (rounds - 0.5) * (response + gap))
    assert estimator(loop) == pytest.approx(users / (response + gap))


@WITHOUT_EDGE
@given(counts, seconds, st.floats(0.0, 100.0))
def test_where_the_slice_ends_is_nothing_to_what_was_answered(
    estimator: closed_loop.Estimator, users: int, response: float, later: float
) -> None:
    loop = waiting(users, response, 0.0, 5 * response)
    moved = Loop(loop.start, loop.end, loop.user, users, loop.began, loop.ended + later)
    assert estimator(moved) == pytest.approx(estimator(loop))


@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
@given(users=st.integers(2, 12), hung=st.integers(0, 11), later=st.floats(0.1, 10.0))
def test_a_request_that_never_ends_lowers_it(
    estimator: closed_loop.Estimator, users: int, hung: int, later: float
) -> None:
    loop = waiting(users, 0.1, 0.0, 0.45)
    # A request of the last round never ends, and so its user is unknown.
    last = len(loop.end) - 1
    order = np.argsort(loop.start, kind="stable")
    lost = order[last - hung % users]
    end, user = loop.end.copy(), loop.user.copy()
    end[lost], user[lost] = math.nan, closed_loop.NO_USER
    ended = loop.ended + later
    stuck = Loop(loop.start, end, user, users, 0.0, ended)
    assert estimator(stuck) < estimator(loop)
    if estimator is not by_count:  # the longer the wait for it, the lower
        longer = Loop(loop.start, end, user, users, 0.0, ended + 1.0)
        assert estimator(longer) < estimator(stuck)


@given(st.sampled_from([2, 4, 8, 16, 32, 64]), st.floats(24.6, 60.0))
def test_a_queue_is_served_as_quickly_as_it_is(users: int, requests: float) -> None:
    # Requests are served one at a time, 10 a second, with any number of users. All
    # users begin at once, so their first requests wait less than all later ones.
    loop = queueing(users, 0.1, requests * 0.1)
    assert by_settled_cycles(loop) == pytest.approx(10, rel=0.03)
    assert by_count(loop) == pytest.approx(10)
    assert by_littles_law(loop) > 10


def test_the_first_answers_of_a_queue_are_not_typical() -> None:
    assert by_littles_law(queueing(4, 0.1, 2.5)) == pytest.approx(10.4, rel=0.02)
    assert by_littles_law(queueing(64, 0.1, 2.5)) > 15


def test_where_there_are_few_the_first_ones_count_too() -> None:
    # If there is only a first round, its requests count: better than no number.
    loop = made([(0, 0.1, 0), (0, 0.2, 1), (0, 0.3, 2)], 3, 0.3)
    assert (
        by_settled_cycles(loop)
        == pytest.approx(by_littles_law(loop))
        == pytest.approx(3 / 0.2)
    )


def test_nothing_answered_is_nothing_a_second() -> None:
    nothing = made([(0.0, math.nan, closed_loop.NO_USER)], 4, 10.0)
    for estimator in ESTIMATORS.values():
        assert estimator(nothing) == 0.0
    empty = np.empty(0)
    none = Loop(empty, empty, empty, 4, 0.0, 1.0)
    for estimator in ESTIMATORS.values():
        assert estimator(none) == 0.0


@WITHOUT_EDGE
def test_several_requests_at_once_are_one_users_time_once(
    estimator: closed_loop.Estimator,
) -> None:
    # A task that sends three requests at once; all three end after 0.1 s.
    loop = made([(t / 10, t / 10 + 0.1, 0) for t in range(12) for _ in "abc"], 1, 1.2)
    assert estimator(loop) == pytest.approx(30)


@WITHOUT_EDGE
def test_requests_without_a_user_are_counted(estimator: closed_loop.Estimator) -> None:
    # Requests sent by helper greenlets have no user, so the cycle's length is unknown.
    loop = made([(0.0, t / 10, closed_loop.NO_USER) for t in range(1, 11)], 4, 1.0)
    assert estimator(loop) == by_count(loop) == pytest.approx(10)


@WITHOUT_EDGE
@pytest.mark.parametrize(("think", "expected"), [(False, 4 / 0.1), (True, 4 / 0.1)])
def test_users_that_never_asked_twice(
    estimator: closed_loop.Estimator, think: bool, expected: float
) -> None:
    # If users think for longer than the slice, no gap is seen, and answers are counted.
    loop = made([(0.0, 0.1, user) for user in range(4)], 4, 2.0, think_time=think)
    assert estimator(loop) == pytest.approx(expected)
    staggered = made([(0.1 * u, 0.1 * u + 0.1, u) for u in range(4)], 4, 2.0)
    assert estimator(staggered) == pytest.approx(4 / 0.1)
    thinking = made(
        [(0.1 * u, 0.1 * u + 0.1, u) for u in range(4)], 4, 2.0, think_time=True
    )
    assert estimator(thinking) == by_count(thinking) == pytest.approx(10)


def columns(
    *rows: tuple[float, float, float, int],
) -> dict[str, NDArray[Any]]:
    names = ("scheduled", "start", "end", "user")
    return dict(zip(names, map(np.array, zip(*rows, strict=True)), strict=True))


def test_as_many_users_as_took_part() -> None:
    # The locustfile has only two users, although more were requested.
    two = columns((0, 0, 0.1, 0), (0, 0, 0.1, 1), (0.1, 0.1, 0.2, 0))
    loop = closed_loop.from_columns(two, 8, 0.0, 0.2)
    assert loop.users == 2 and by_littles_law(loop) == pytest.approx(20)
    assert closed_loop.from_columns(two, 1, 0.0, 0.2).users == 1
    # A user that still waits has no number in the columns, but takes part all the same.
    stuck = columns((0, 0, 0.1, 0), (0.05, math.nan, math.nan, closed_loop.NO_USER))
    loop = closed_loop.from_columns(stuck, 8, 0.0, 0.2)
    assert loop.users == 2
    # Its request was never sent, so it counts from the moment it was due.
    assert by_littles_law(loop) == pytest.approx(2 * 1 / (0.1 + 0.15))
