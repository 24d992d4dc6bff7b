"""When the generator itself was the limit of a load test."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from assay.loadtest.bounds import BUSY, strain

LATE, PUNCTUAL, MEDIAN = 0.02, 0.001, 0.1


def seconds(*given: tuple[bool, bool, int]) -> list[dict[str, Any]]:
    """Return seconds: whether each was late, busy, and how many requests it had."""
    return [
        {
            **{"at": at, "requests": requests, "p50": MEDIAN},
            **{"lag_p99": LATE if late else PUNCTUAL},
            **{"generator_cpu": BUSY + 0.05 if busy else 0.2},
        }
        for at, (late, busy, requests) in enumerate(given, start=1)
    ]


SECOND = st.tuples(st.booleans(), st.booleans(), st.sampled_from([0, 1, 500]))


@given(st.lists(SECOND, max_size=40))
def test_it_is_where_it_strains_in_more_than_a_tenth_of_the_seconds(
    given: list[tuple[bool, bool, int]],
) -> None:
    found = strain(seconds(*given))
    asked = [one for one in given if one[2]]
    late = sum(late for late, _, _ in asked)
    busy = sum(busy for _, busy, _ in asked)
    assert (found.seconds, found.late, found.busy) == (len(asked), late, busy)
    assert found.limit == (late * 10 > len(asked) or busy * 10 > len(asked))
    if found.limit:
        said = found.warning()
        assert ("it was late in" in said) == (late * 10 > len(asked))
        assert ("of a core in" in said) == (busy * 10 > len(asked))


def test_one_that_nobody_asked_anything_of_is_no_limit() -> None:
    assert not strain([]).limit
    assert not strain(seconds(*[(True, True, 0)] * 5)).limit


def test_the_warning_says_why_and_what_to_do() -> None:
    said = strain(seconds(*[(True, True, 9)] * 2, *[(False, False, 9)] * 8)).warning()
    assert "late in 2 seconds of 10, by 20.0 ms in the worst" in said
    assert "more than 90% of a core in 2 seconds of 10" in said
    assert "lower bounds (≥)" in said
    for way in ("LeanHttpUser", "--workers", "a core of its own"):
        assert way in said


def test_the_rest_of_a_second_says_nothing_of_a_core() -> None:
    short = {**seconds((False, False, 9))[0], "at": 0.01, "generator_cpu": 0.01}
    assert strain([short]).core == 0.0
