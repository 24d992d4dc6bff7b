"""A load test over time: users, requests in flight, and the busiest endpoints."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.load_curves import Timeline
from assay.load_results import Name
from assay.load_tests import summary
from assay.load_tests.samples import Groups, Samples
from assay.load_tests.timeline import MAX_ENDPOINTS, MAX_INTERVALS, Intervals
from tests.unit.load_tests.synthetic import LOOK, Sample, ticks, written

BUY = Name("request", "POST", "/orders")


def timeline(folder: Path, samples: list[Sample]) -> Timeline:
    told = ticks(samples)
    found = summary.summarise(written(folder, samples, told=told)).timeline
    assert found is not None
    return found


def counted(times: list[tuple[float, float]], end: float) -> Intervals:
    """Return the intervals of requests that were sent and answered at these times."""
    start, ended = (
        np.array(values, dtype=float) for values in zip(*times, strict=True)
    )
    zeros = np.zeros(len(times), dtype=np.int64)
    intervals = Intervals(Groups((LOOK,), np.array([0])), end)
    intervals.add(
        Samples(zeros, zeros, start, start, ended, start * 0, zeros > 0, zeros, zeros)
    )
    return intervals


def test_requests_count_where_they_ended(tmp_path: Path) -> None:
    samples = [Sample(i / 10, i / 10 + 0.5, int(i >= 60)) for i in range(95)]
    found = timeline(tmp_path, [*samples, *[Sample(3.0, 3.5, 0, BUY)] * 7])
    assert found.width == 1.0 and len(found.users) == 10
    look, buy = found.endpoints
    assert (look.label, buy.label) == ("GET /look", "POST /orders")
    assert look.requests == (5, *(10,) * 9)
    assert look.failed == (0, 0, 0, 0, 0, 0, 5, 10, 10, 10)
    assert buy.requests == (0, 0, 0, 7, 0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize("late", [-0.01, 0.003, 0.06, 0.4])
def test_users_and_waiting_arrivals_are_those_that_were_told(
    late: float, tmp_path: Path
) -> None:
    told = ticks([Sample(1.0, 1.5)])
    for second, tick in enumerate(told):
        tick |= {"at": second + 1 + late, "users": second, "backlog": 2 * second}
    told[-1] |= {"at": 10.003, "users": 0}  # all have stopped
    found = summary.summarise(written(tmp_path, [Sample(1.0, 1.5)], told=told)).timeline
    assert found is not None
    assert found.users == (0, 1, 2, 3, 4, 5, 6, 7, 8, 8)
    assert found.waiting == tuple(2 * second for second in range(10))


@given(
    st.lists(st.tuples(st.floats(0, 30), st.floats(0, 40)), min_size=1, max_size=30),
    st.floats(0.5, 400),
)
def test_the_mean_number_in_flight_is_exact(
    times: list[tuple[float, float]], end: float
) -> None:
    times = [(min(start, end), min(start + took, end)) for start, took in times]
    intervals = counted(times, end)
    found = intervals.in_flight()
    assert intervals.count <= MAX_INTERVALS and len(found) == intervals.count
    begin = 0.0
    for length, mean in zip(intervals.lengths, found, strict=True):
        overlaps = [
            max(0.0, min(answered, begin + length) - max(sent, begin))
            for sent, answered in times
        ]
        assert mean * length == pytest.approx(sum(overlaps), abs=1e-6)
        begin += length
    assert begin == pytest.approx(end)


def test_a_request_without_an_answer_is_in_flight_until_the_end() -> None:
    # The second arrival waited for a user until the end, and was never sent.
    intervals = counted([(1.0, math.nan), (math.nan, math.nan)], 4.0)
    assert intervals.in_flight() == pytest.approx([0, 1, 1, 1])
    assert intervals.endpoints() == ()


@pytest.mark.parametrize("number", [MAX_ENDPOINTS + 1, MAX_ENDPOINTS + 2, 300])
def test_the_smallest_endpoints_are_put_together(tmp_path: Path, number: int) -> None:
    samples = [
        Sample(5.0, 5.5, 0, Name("request", "GET", f"/{place}"))
        for place in range(number)
        for _ in range(1 + (place < 3))
    ]
    endpoints = timeline(tmp_path, samples).endpoints
    assert [each.label for each in endpoints[:3]] == ["GET /0", "GET /1", "GET /2"]
    assert len(endpoints) == MAX_ENDPOINTS + 1
    if number > MAX_ENDPOINTS + 1:
        assert endpoints[-1].label == f"{number - MAX_ENDPOINTS} other endpoints"
    assert sum(map(sum, (each.requests for each in endpoints))) == len(samples)


def test_requests_of_on_start_are_no_endpoints(tmp_path: Path) -> None:
    login = Sample(1.0, 1.5, 0, Name("start", "POST", "/login"))
    found = timeline(tmp_path, [login, Sample(1.0, 1.5)])
    assert [each.label for each in found.endpoints] == ["GET /look"]
    assert found.in_flight[1] > 0.9  # of both


def test_a_short_test_has_no_timeline(tmp_path: Path) -> None:
    told = ticks([Sample(0.1, 0.2)])[-1:]
    told[0] |= {"at": 2.0, "loaded": 2.0}
    run = written(tmp_path, [Sample(0.1, 0.2)], told=told)
    assert summary.summarise(run).timeline is None
