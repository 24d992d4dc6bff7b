"""When the generator itself was the limit of a load test."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.load.lateness import binned
from assay.load_tests.bounds import BUSY, strain

LATE, PUNCTUAL, MEDIAN = 0.02, 0.001, 0.1


def seconds(*given: tuple[int, bool, int]) -> list[dict[str, Any]]:
    """Return ticks, each given by late requests, whether it was busy, and requests."""
    return [
        {
            **{"at": at, "requests": requests, "p50": MEDIAN},
            **{"lags": binned([LATE] * late + [PUNCTUAL] * (requests - late))},
            **{"generator_cpu": BUSY + 0.05 if busy else 0.2},
        }
        for at, (late, busy, requests) in enumerate(given, start=1)
    ]


SECOND = st.sampled_from([0, 1, 20]).flatmap(
    lambda requests: st.tuples(
        st.integers(0, requests), st.booleans(), st.just(requests)
    )
)


@given(st.lists(SECOND, max_size=40), st.booleans())
def test_it_is_where_it_is_late_for_many_or_busy_for_long(
    given: list[tuple[int, bool, int]], scheduled: bool
) -> None:
    found = strain(seconds(*given), scheduled, MEDIAN)
    asked = [one for one in given if one[2]]
    late, arrivals = sum(one[0] for one in given), sum(one[2] for one in given)
    busy = sum(busy for _, busy, _ in asked)
    assert (found.seconds, found.busy_seconds) == (len(asked), busy)
    assert found.late_share == pytest.approx(late / max(1, arrivals))
    assert found.generator_limited == (late * 20 > arrivals or busy * 10 > len(asked))
    assert found.latencies_are_lower_bounds == (found.generator_limited and scheduled)
    if found.latencies_are_lower_bounds:
        said = found.warning()
        assert ("it was late for" in said) == (late * 20 > arrivals)
        assert ("of a core in" in said) == (busy * 10 > len(asked))


def test_one_that_nobody_asked_anything_of_is_no_limit() -> None:
    assert not strain([]).generator_limited
    assert not strain(seconds(*[(0, True, 0)] * 5)).generator_limited


def test_the_warning_says_why_and_what_to_do() -> None:
    every = [*[(9, True, 9)] * 2, *[(0, False, 9)] * 8]
    said = strain(seconds(*every), True, MEDIAN).warning()
    assert "late for 20 % of the arrivals" in said
    assert "more than 90% of a core in 2 seconds of 10" in said
    assert "lower bounds (≥)" in said
    for way in ("LeanHttpUser", "--workers", "a core of its own"):
        assert way in said


def test_a_closed_loop_has_no_load_that_was_asked_for() -> None:
    said = strain(seconds(*[(0, True, 9)] * 5), False, MEDIAN)
    assert said.generator_limited and not said.latencies_are_lower_bounds
    assert "may be the generator" in said.warning()


def test_the_rest_of_a_second_says_nothing_of_a_core() -> None:
    short = {**seconds((0, False, 9))[0], "at": 0.01, "generator_cpu": 0.01}
    assert strain([short]).peak_cpu == 0.0
