"""Rows of random samples, compared with counts by a few lines of plain Python."""

import math
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.load_results import KIND_ORDER, KINDS, Name, Row
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
    def sample(
        name: Name, due: float, waited: float, took: float, failed: int, answered: bool
    ) -> Sample:
        end = due + waited + 0.001 + took if answered else math.nan
        return Sample(due, end, failed if answered else 1, name, waited)

    samples_of_names = st.builds(
        sample, names, TIMES, TIMES, TIMES, st.sampled_from([0, 0, 1, 2]), st.booleans()
    )
    return st.lists(samples_of_names, max_size=40)


def took(sample: Sample) -> float:
    """Return the latency by its definition; infinite if there was no answer."""
    if math.isnan(sample.end) or sample.failed == 2:
        return math.inf
    return sample.waited + sample.end - sample.start


def at_least(sample: Sample) -> float:
    if math.isnan(sample.end):
        return END - sample.due
    return sample.waited + sample.end - sample.start


def check(row: Row, samples_of_row: Iterable[Sample]) -> None:
    group = list(samples_of_row)
    timed = [s for s in group if s.failed == 0 or math.isinf(took(s))]
    assert row.failed == sum(sample.failed > 0 for sample in group)
    assert row.latency.count == len(timed)
    assert row.latency.unanswered == sum(math.isinf(took(s)) for s in timed)
    if not timed:
        assert row.latency.p50 is row.latency.mean is row.latency.longest is None
        return
    times = [took(sample) for sample in timed]
    for name, share in rows.SHARES.items():
        expected = float(np.quantile(times, share, method="inverted_cdf"))
        assert getattr(row.latency, name) == pytest.approx(expected)
    assert row.latency.longest == pytest.approx(max(times))
    mean = sum(at_least(sample) for sample in timed) / len(timed)
    assert row.latency.mean == pytest.approx(mean)


@given(samples(NAMES), samples(TASKS), st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_rows_count_what_there_is(
    requests: list[Sample], tasks: list[Sample], looked: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = written(Path(folder), requests, tasks)
        summary = rows.summarise_samples(run, {"look": looked, "(nobody)": 3}, END)
    assert (summary.requests, summary.iterations) == (len(requests), len(tasks))
    load = [sample for sample in requests if sample.name.kind == "request"]
    by_name: dict[tuple[str, ...], Row] = {
        (row.kind, row.method, row.name): row for row in summary.rows
    }
    assert len(by_name) == len(summary.rows)
    total = by_name.pop(tuple(rows.ALL_REQUESTS), None)
    assert (total is not None) == bool(load)
    if total:
        assert summary.rows[0] is total and total.requests == len(load)
        check(total, load)
    assert set(by_name) == {tuple(sample.name) for sample in (*requests, *tasks)}
    for key, row in by_name.items():
        group = [sample for sample in (*requests, *tasks) if tuple(sample.name) == key]
        ended = max(len(group), looked) if row.name == "look" else len(group)
        assert row.requests == ended
        check(row, group)
    kinds = [KIND_ORDER.index(row.kind) for row in summary.rows]
    assert kinds == sorted(kinds)


@given(samples(NAMES))
@settings(deadline=None, max_examples=30)
def test_curves_are_those_of_the_load(requests: list[Sample]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = written(Path(folder), requests)
        latency, service = rows.curves(run, 1, [0.0, 0.5, 1.0])
        summary = rows.summarise_samples(run, {}, END)
    total = (
        summary.rows[0]
        if summary.rows and summary.rows[0].title == "all requests"
        else None
    )
    if total is None or not total.latency.count:
        assert latency == service == [None] * 3
    else:
        assert latency[1:] == [total.latency.p50, total.latency.longest]
        assert service[1:] == [total.service.p50, total.service.longest]


def test_every_kind_has_its_place() -> None:
    assert sorted(KIND_ORDER) == sorted(KINDS)
