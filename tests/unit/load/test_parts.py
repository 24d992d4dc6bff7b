"""How arrivals are split among workers, and how the workers' ticks are merged."""

import itertools
import json
import math
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.load import arrivals, protocol, shapes, ticks
from assay.load.arrivals import Part
from assay.load.control.merge import TickMerger
from assay.load.orders import RunLoad
from assay.load.recorder import MAX_NAMES, OTHER
from assay.load.ticks import Counts, Tick

SPEEDS = st.lists(st.floats(min_value=0.1, max_value=50), min_size=1, max_size=6)


@given(SPEEDS, st.integers(min_value=0, max_value=500))
def test_parts_are_the_whole(speeds: list[float], whole: int) -> None:
    parts = arrivals.split(speeds)
    assert sum(part.count(whole) for part in parts) == whole
    numbers = [
        list(itertools.takewhile(lambda n: n < whole, p.numbers())) for p in parts
    ]
    assert sorted(itertools.chain.from_iterable(numbers)) == list(range(whole))
    assert [len(own) for own in numbers] == [part.count(whole) for part in parts]


@given(SPEEDS)
def test_nobody_goes_without_and_faster_ones_do_not_get_less(
    speeds: list[float],
) -> None:
    parts = arrivals.split(speeds)
    counts = [len(part.places) for part in parts]
    assert min(counts) >= 1
    for (a, more), (b, fewer) in itertools.permutations(
        zip(speeds, counts, strict=True), 2
    ):
        assert a < b or more >= fewer


def test_what_merely_fluctuates_decides_nothing() -> None:
    assert arrivals.split([100.0, 91.0]) == arrivals.split([93.0, 100.0])
    assert arrivals.split([1.0, 1.0, 1.0])[1] == Part((1,), 3)
    assert [len(part.places) for part in arrivals.split([2.0, 1.0])] == [4, 2]


@pytest.mark.parametrize("speeds", [(1.0, 1.0), (4.0, 1.0, 2.0)])
def test_even_arrivals_of_all_workers_are_those_of_one(speeds: tuple[float]) -> None:
    shape = shapes.ramp(50, 200, 3.0)
    whole = list(arrivals.times(shape, "even", 1))
    dealt = [
        arrivals.times(shape, "even", arrivals.worker_seed(1, number), part)
        for number, part in enumerate(arrivals.split(speeds))
    ]
    assert sorted(itertools.chain.from_iterable(dealt)) == whole


def test_poisson_arrivals_of_workers_differ_and_add_up_to_the_rate() -> None:
    shape, speeds = shapes.constant(1000.0, 20.0), [4.0, 1.0]
    own = [
        list(arrivals.times(shape, "poisson", arrivals.worker_seed(7, number), part))
        for number, part in enumerate(arrivals.split(speeds))
    ]
    assert not set(own[0]) & set(own[1])
    # A Poisson count may differ by six standard deviations.
    for times, share in zip(own, (0.8, 0.2), strict=True):
        expected = share * shape.expected
        assert abs(len(times) - expected) < 6 * math.sqrt(expected)
    gaps = np.diff(sorted(own[0] + own[1]))
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)  # exponential gaps


ORDER = RunLoad(
    "target", shape=shapes.constant(10.0, 3.0), schedule="even", users=5, seed=1
)


def orders(count: int) -> list[RunLoad]:
    parts = arrivals.split([1.0] * count)
    return [replace(ORDER, part=part) for part in parts]


def tick(
    at: float, planned: int, done: int, names: list[str], rows: int = 1, **more: Any
) -> Tick:
    """Return a tick of one worker, whose clock began at 1000."""
    values = {
        "scheduled": np.full(rows, 1000.0 + at),
        "waited": np.zeros(rows),
        "start": np.full(rows, 1000.0 + at),
        "end": np.full(rows, 1000.5 + at),
        "name": np.full(rows, len(names) - 1),
        "user": np.full(rows, 2),
        "failed": np.zeros(rows),
        "status": np.full(rows, 200),
        "size": np.full(rows, 70_000),
    }
    second: dict[str, Any] = {
        "at": at,
        "began": 1000.0,
        "loaded": at,
        "last": False,
        "ended_by": "",
        "counts": Counts(planned, done, in_flight=planned - done, users=5),
        "request_columns": {
            name: values[name].astype(code) for name, code in protocol.COLUMNS
        },
        "task_columns": {
            name: values[name][:0].astype(code) for name, code in protocol.COLUMNS
        },
        "names": [("request", "GET", name) for name in names],
        "errors": {"bad": 2},
        "tasks": {"look": done},
        "raised": {},
        "lags": {"9": 1},
        "own": {},
        "lag_p50": 0.001 * at,
        "lag_p99": 0.002 * at,
        "own_p50": 0.001,
        "own_p99": 0.002,
        "stall": 0.0,
        "reconnects": 1,
        "generator_cpu": 0.5,
        "generator_run_delay": 0.0,
        "limit": "",
        "notes": [],
    }
    return Tick(**{**second, **more})


def test_a_second_comes_when_all_have_told_of_it() -> None:
    merger = TickMerger(orders(2), ["a:1", "b:2"])
    merger.add(0, tick(1.0, 5, 4, ["/x", "/y"]))
    assert merger.next_tick() is None
    merger.add(0, tick(2.0, 10, 9, ["/x", "/y"]))
    merger.add(1, tick(1.1, 6, 6, ["/z", "/y"], rows=2))
    merged = merger.next_tick()
    assert merged is not None and merger.next_tick() is None
    counts = merged.counts
    assert (counts.planned, counts.done, counts.in_flight) == (11, 10, 1)
    assert (merged.requests, merged.reconnects, merged.errors) == (3, 2, {"bad": 4})
    assert merged.at == 1.1 and merged.lag_p99 == pytest.approx(0.0022)
    # Names and users are numbered over all workers; times begin at each worker's start.
    names = [merged.names[number][2] for number in merged.request_columns["name"]]
    assert names == ["/y", "/y", "/y"] and not merged.last
    assert merged.request_columns["user"].tolist() == [2, 7, 7]
    assert merged.request_columns["scheduled"] == pytest.approx([1.0, 1.1, 1.1])


def test_a_worker_that_is_lost_is_counted_and_the_others_go_on() -> None:
    merger = TickMerger(orders(2), ["a:1", "b:2"])
    merger.add(0, tick(1.0, 5, 5, ["/x"]))
    merger.add(1, tick(1.0, 5, 3, ["/x"]))
    assert merger.next_tick() is not None
    merger.mark_lost(1, "it left")
    merger.add(1, tick(2.0, 10, 10, ["/x"]))  # too late: the worker is already lost
    merger.add(0, tick(3.0, 15, 15, ["/x"], last=True, loaded=2.9))
    merged = merger.next_tick()
    assert merged is not None and merged.last and merged.loaded == 2.9
    # 30 arrivals in 3 s: 15 belong to the lost worker, and 3 of these are done.
    counts = merged.counts
    assert (counts.planned, counts.done, counts.unserved) == (30, 18, 12)
    assert [worker.lost for worker in merged.workers] == ["", "it left"]


def test_a_lost_worker_of_a_test_that_was_stopped_owes_only_what_was_due() -> None:
    merger = TickMerger(orders(2), ["a:1", "b:2"])
    merger.mark_lost(1, "it left")
    merger.stopped = True
    merger.add(0, tick(1.0, 5, 5, ["/x"], last=True, loaded=1.0))
    merged = merger.next_tick()
    assert merged is not None
    assert (merged.counts.planned, merged.counts.unserved) == (10, 5)


def test_a_worker_that_goes_when_it_has_done_its_part_is_no_loss() -> None:
    merger = TickMerger(orders(1), ["a:1"])
    merger.add(0, tick(3.0, 30, 30, ["/x"], last=True, loaded=3.0))
    merger.mark_lost(0, "it left")
    merged = merger.next_tick()
    assert merged is not None and merged.last
    assert merged.workers[0].lost == ""
    assert (merged.counts.planned, merged.counts.unserved) == (30, 0)


def test_all_workers_lost_ends_the_test() -> None:
    merger = TickMerger(orders(2), ["a:1", "b:2"])
    for number in range(2):
        merger.mark_lost(number, "it left")
    merged = merger.next_tick()
    assert merged is not None and merged.last
    assert (merged.counts.planned, merged.counts.unserved) == (30, 30)
    assert len(merged.request_columns["end"]) == 0


def test_names_of_many_workers_are_no_more_than_of_one() -> None:
    merger = TickMerger(orders(3), ["a:1", "b:2", "c:3"])
    for worker in range(3):
        names = [f"/{worker}/{number}" for number in range(MAX_NAMES)]
        merger.add(worker, tick(1.0, 5, 5, names))
    merged = merger.next_tick()
    assert merged is not None
    assert len(merged.names) == MAX_NAMES + 1
    names = [merged.names[number][2] for number in merged.request_columns["name"]]
    assert names == [f"/0/{MAX_NAMES - 1}", OTHER, OTHER]


def sent(sent_tick: Tick) -> tuple[dict[str, Any], bytes]:
    """Return the message of a tick as it arrives."""
    header, body = ticks.encode(sent_tick)
    return json.loads(json.dumps(header)), body


def test_a_tick_arrives_as_it_was_sent() -> None:
    first = tick(1.0, 5, 4, ["/x", "/y"], rows=3, raised={"oops": 1}, notes=["so"])
    received = ticks.decode(*sent(first))
    for item in fields(Tick):
        given, found = getattr(first, item.name), getattr(received, item.name)
        if item.name in ("request_columns", "task_columns"):
            given = {name: column.tolist() for name, column in given.items()}
            found = {name: column.tolist() for name, column in found.items()}
        assert found == given, item.name


def test_a_tick_of_many_workers_is_a_row_of_plain_values() -> None:
    merger = TickMerger(orders(2), ["a:1", "b:2"])
    for worker in range(2):
        merger.add(worker, tick(1.0, 5, 4, ["/x"]))
    merged = merger.next_tick()
    assert merged is not None
    row = json.loads(json.dumps(merged.row()))
    assert (row["planned"], row["done"], row["requests"]) == (10, 8, 2)
    assert [worker["name"] for worker in row["workers"]] == ["a:1", "b:2"]
    assert row["workers"][0]["planned"] == 5 and row["workers"][0]["share"] == 0.5
    assert "names" not in row and "request_columns" not in row


@pytest.mark.parametrize(
    "changes",
    [
        {"requests": -1},
        {"requests": 2},
        {"requests": True, "errors": None},
        {"iterations": None},
        {"done": "many"},
        {"at": None},
        {"lag_p99": math.nan},
        {"loaded": "long"},
        {"names": []},
        {"names": [1]},
        {"names": "/x"},
        {"names": [["request", "/x"]]},
        {"names": [["nothing", "GET", "/x"]]},
        {"tasks": {"look": "many"}},
        {"raised": 3},
        {"notes": [1]},
        {"limit": 4},
        {"errors": {"bad": -1}},
        {"errors": []},
    ],
)
def test_a_malformed_tick_is_refused(changes: dict[str, Any]) -> None:
    header, body = sent(tick(1.0, 5, 5, ["/x"]))
    assert ticks.decode(header, body).counts.done == 5
    with pytest.raises(ValueError):
        ticks.decode({**header, **changes}, body)


@pytest.mark.parametrize("missing", ["at", "done", "requests", "names", "last"])
def test_a_tick_without_a_field_is_refused(missing: str) -> None:
    header, body = sent(tick(1.0, 5, 5, ["/x"]))
    del header[missing]
    with pytest.raises(ValueError):
        ticks.decode(header, body)
