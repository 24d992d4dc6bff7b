"""Rows of any samples, against what a few lines of plain Python count."""

import math
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.load_results import KINDS, ORDER, Name, Row
from assay.load_tests import rows
from tests.unit.load_tests.synthetic import Sample, written

LOADS = ("request", "start", "stop")
END = 10.0  # of the test
TIMES = st.integers(0, 5_000).map(lambda number: number / 1000)
NAMES = st.builds(
    Name,
    st.sampled_from(LOADS),
    st.sampled_from(["GET", "POST"]),
    st.sampled_from(["/a", "/b"]),
)
TASKS = st.sampled_from([Name("task", "", "buy"), Name("task", "", "look")])


def samples(names: st.SearchStrategy[Name]) -> st.SearchStrategy[list[Sample]]:
    def made(
        name: Name, due: float, waited: float, took: float, failed: int, answered: bool
    ) -> Sample:
        end = due + waited + 0.001 + took if answered else math.nan
        return Sample(due, end, failed if answered else 1, name, waited)

    one = st.builds(
        made, names, TIMES, TIMES, TIMES, st.sampled_from([0, 0, 1, 2]), st.booleans()
    )
    return st.lists(one, max_size=40)


def took(sample: Sample) -> float:
    """Return the latency by its definition; infinite if nobody waited for it."""
    if math.isnan(sample.end) or sample.failed == 2:
        return math.inf
    return sample.waited + sample.end - sample.start


def at_least(sample: Sample) -> float:
    if math.isnan(sample.end):
        return END - sample.due
    return sample.waited + sample.end - sample.start


def check(row: Row, own: Iterable[Sample]) -> None:
    own = list(own)
    kept = [s for s in own if s.failed == 0 or math.isinf(took(s))]
    assert row.failed == sum(sample.failed > 0 for sample in own)
    assert row.latency.count == len(kept)
    assert row.latency.unanswered == sum(math.isinf(took(s)) for s in kept)
    if not kept:
        assert row.latency.p50 is row.latency.mean is row.latency.longest is None
        return
    times = [took(sample) for sample in kept]
    for name, share in rows.SHARES.items():
        expected = float(np.quantile(times, share, method="inverted_cdf"))
        assert getattr(row.latency, name) == pytest.approx(expected)
    assert row.latency.longest == pytest.approx(max(times))
    mean = sum(at_least(sample) for sample in kept) / len(kept)
    assert row.latency.mean == pytest.approx(mean)


@given(samples(NAMES), samples(TASKS), st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_rows_count_what_there_is(
    requests: list[Sample], tasks: list[Sample], looked: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = written(Path(folder), requests, tasks)
        found = rows.counted(run, {"look": looked, "(nobody)": 3}, END)
    assert (found.requests, found.iterations) == (len(requests), len(tasks))
    load = [sample for sample in requests if sample.name.kind == "request"]
    own: dict[tuple[str, ...], Row] = {
        (row.kind, row.method, row.name): row for row in found.rows
    }
    assert len(own) == len(found.rows)
    every = own.pop(tuple(rows.ALL), None)
    assert (every is not None) == bool(load)
    if every:
        assert found.rows[0] is every and every.requests == len(load)
        check(every, load)
    assert set(own) == {tuple(sample.name) for sample in (*requests, *tasks)}
    for key, row in own.items():
        mine = [sample for sample in (*requests, *tasks) if tuple(sample.name) == key]
        ended = max(len(mine), looked) if row.name == "look" else len(mine)
        assert row.requests == ended
        check(row, mine)
    kinds = [ORDER.index(row.kind) for row in found.rows]
    assert kinds == sorted(kinds)


@given(samples(NAMES))
@settings(deadline=None, max_examples=30)
def test_curves_are_those_of_the_load(requests: list[Sample]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = written(Path(folder), requests)
        latency, service = rows.curves(run, 1, [0.0, 0.5, 1.0])
        found = rows.counted(run, {}, END)
    every = (
        found.rows[0] if found.rows and found.rows[0].title == "all requests" else None
    )
    if every is None or not every.latency.count:
        assert latency == service == [None] * 3
    else:
        assert latency[1:] == [every.latency.p50, every.latency.longest]
        assert service[1:] == [every.service.p50, every.service.longest]


def test_every_kind_has_its_place() -> None:
    assert sorted(ORDER) == sorted(KINDS)
