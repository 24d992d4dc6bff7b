"""How arrivals are dealt to workers, and how their seconds come together again."""

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.load import arrivals, protocol, shapes
from assay.load.answers import Tick
from assay.load.arrivals import Part
from assay.load.control.merge import Seconds, check
from assay.load.orders import RunLoad
from assay.load.recorder import MAX_NAMES, OTHER

SPEEDS = st.lists(st.floats(min_value=0.1, max_value=50), min_size=1, max_size=6)


@given(SPEEDS, st.integers(min_value=0, max_value=500))
def test_parts_are_the_whole(speeds: list[float], whole: int) -> None:
    parts = arrivals.parts(speeds)
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
    parts = arrivals.parts(speeds)
    counts = [len(part.places) for part in parts]
    assert min(counts) >= 1
    for (a, more), (b, fewer) in itertools.permutations(
        zip(speeds, counts, strict=True), 2
    ):
        assert a < b or more >= fewer


def test_what_merely_fluctuates_decides_nothing() -> None:
    assert arrivals.parts([100.0, 91.0]) == arrivals.parts([93.0, 100.0])
    assert arrivals.parts([1.0, 1.0, 1.0])[1] == Part((1,), 3)
    assert [len(part.places) for part in arrivals.parts([2.0, 1.0])] == [4, 2]


@pytest.mark.parametrize("speeds", [(1.0, 1.0), (4.0, 1.0, 2.0)])
def test_even_arrivals_of_all_workers_are_those_of_one(speeds: tuple[float]) -> None:
    shape = shapes.ramp(50, 200, 3.0)
    whole = list(arrivals.moments(shape, "even", 1))
    dealt = [
        arrivals.moments(shape, "even", arrivals.seed_of(1, number), part)
        for number, part in enumerate(arrivals.parts(speeds))
    ]
    assert sorted(itertools.chain.from_iterable(dealt)) == whole


def test_poisson_arrivals_of_workers_differ_and_add_up_to_the_rate() -> None:
    shape, speeds = shapes.constant(1000.0, 20.0), [4.0, 1.0]
    own = [
        list(arrivals.moments(shape, "poisson", arrivals.seed_of(7, number), part))
        for number, part in enumerate(arrivals.parts(speeds))
    ]
    assert not set(own[0]) & set(own[1])
    # Six standard deviations of a Poisson count.
    for moments, share in zip(own, (0.8, 0.2), strict=True):
        expected = share * shape.expected
        assert abs(len(moments) - expected) < 6 * math.sqrt(expected)
    gaps = np.diff(sorted(own[0] + own[1]))
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)  # exponential gaps


ORDER = RunLoad(
    "target", shape=shapes.constant(10.0, 3.0), schedule="even", users=5, seed=1
)


def orders(count: int) -> list[RunLoad]:
    parts = arrivals.parts([1.0] * count)
    return [replace(ORDER, part=part) for part in parts]


def tick(
    at: float, planned: int, done: int, names: list[str], rows: int = 1, **more: Any
) -> Tick:
    """Return a second of one worker, whose clock began at 1000."""
    values = {
        "scheduled": np.full(rows, 1000.0 + at),
        "waited": np.zeros(rows),
        "start": np.full(rows, 1000.0 + at),
        "end": np.full(rows, 1000.5 + at),
        "name": np.full(rows, len(names) - 1),
        "user": np.full(rows, 2),
        "failed": np.zeros(rows),
    }
    columns = {name: values[name].astype(code) for name, code in protocol.COLUMNS}
    empty = {name: values[name][:0].astype(code) for name, code in protocol.COLUMNS}
    header = {
        **{"at": at, "began": 1000.0, "planned": planned, "done": done, "dropped": 0},
        **{"in_flight": planned - done, "backlog": 0, "requests": rows},
        **{"iterations": 0, "reconnects": 1, "errors": {"bad": 2}},
        **{"names": [["request", "GET", name] for name in names]},
        **{
            "tasks": {"look": done},
            "raised": {},
            "lags": {"9": 1},
            "own": {},
            "notes": [],
            "users": 5,
        },
        **{"limit": "", "ended_by": "", "own_p50": 0.001, "own_p99": 0.002},
        **{"lag_p50": 0.001 * at, "lag_p99": 0.002 * at, "stall": 0.0},
        **{"generator_cpu": 0.5, "generator_run_delay": 0.0},
        **more,
    }
    return Tick(header, columns, empty)


def test_a_second_comes_when_all_have_told_of_it() -> None:
    seconds = Seconds(orders(2), ["a:1", "b:2"])
    seconds.add(0, tick(1.0, 5, 4, ["/x", "/y"]))
    assert seconds.ready() is None
    seconds.add(0, tick(2.0, 10, 9, ["/x", "/y"]))
    seconds.add(1, tick(1.1, 6, 6, ["/z", "/y"], rows=2))
    merged = seconds.ready()
    assert merged is not None and seconds.ready() is None
    header = merged.header
    assert (header["planned"], header["done"], header["in_flight"]) == (11, 10, 1)
    assert (header["requests"], header["reconnects"], header["errors"]) == (
        3,
        2,
        {"bad": 4},
    )
    assert (header["at"], header["lag_p99"]) == (1.1, pytest.approx(0.0022))
    # Names and users are those of all; times count from each worker's beginning.
    names = [header["names"][number][2] for number in merged.columns["name"]]
    assert names == ["/y", "/y", "/y"] and "last" not in header
    assert merged.columns["user"].tolist() == [2, 7, 7]
    assert merged.columns["scheduled"] == pytest.approx([1.0, 1.1, 1.1])


def test_a_worker_that_is_lost_is_counted_and_the_others_go_on() -> None:
    seconds = Seconds(orders(2), ["a:1", "b:2"])
    seconds.add(0, tick(1.0, 5, 5, ["/x"]))
    seconds.add(1, tick(1.0, 5, 3, ["/x"]))
    assert seconds.ready() is not None
    seconds.lose(1, "it left")
    seconds.add(1, tick(2.0, 10, 10, ["/x"]))  # too late: it was given up
    over: dict[str, Any] = {"last": True, "loaded": 2.9, "unserved": 0}
    seconds.add(0, tick(3.0, 15, 15, ["/x"], **over))
    merged = seconds.ready()
    assert merged is not None and merged.header["last"]
    # 30 arrivals in 3 s: 15 are the lost one's, of which 3 are known to be done.
    header = merged.header
    assert (header["planned"], header["done"], header["unserved"]) == (30, 18, 12)
    assert [worker["lost"] for worker in header["workers"]] == ["", "it left"]


def test_a_lost_worker_of_a_test_that_was_stopped_owes_only_what_was_due() -> None:
    seconds = Seconds(orders(2), ["a:1", "b:2"])
    seconds.lose(1, "it left")
    seconds.stopped = True
    over: dict[str, Any] = {"last": True, "loaded": 1.0, "unserved": 0}
    seconds.add(0, tick(1.0, 5, 5, ["/x"], **over))
    merged = seconds.ready()
    assert merged is not None
    assert (merged.header["planned"], merged.header["unserved"]) == (10, 5)


def test_a_worker_that_goes_when_it_has_done_its_part_is_no_loss() -> None:
    seconds = Seconds(orders(1), ["a:1"])
    over: dict[str, Any] = {"last": True, "loaded": 3.0, "unserved": 0}
    seconds.add(0, tick(3.0, 30, 30, ["/x"], **over))
    seconds.lose(0, "it left")
    merged = seconds.ready()
    assert merged is not None and merged.header["last"]
    assert merged.header["workers"][0]["lost"] == ""
    assert (merged.header["planned"], merged.header["unserved"]) == (30, 0)


def test_all_workers_lost_ends_the_test() -> None:
    seconds = Seconds(orders(2), ["a:1", "b:2"])
    for number in range(2):
        seconds.lose(number, "it left")
    merged = seconds.ready()
    assert merged is not None and merged.header["last"]
    assert (merged.header["planned"], merged.header["unserved"]) == (30, 30)
    assert len(merged.columns["end"]) == 0


def test_names_of_many_workers_are_no_more_than_of_one() -> None:
    seconds = Seconds(orders(3), ["a:1", "b:2", "c:3"])
    for worker in range(3):
        names = [f"/{worker}/{number}" for number in range(MAX_NAMES)]
        seconds.add(worker, tick(1.0, 5, 5, names))
    merged = seconds.ready()
    assert merged is not None
    assert len(merged.header["names"]) == MAX_NAMES + 1
    said = [merged.header["names"][number][2] for number in merged.columns["name"]]
    assert said == [f"/0/{MAX_NAMES - 1}", OTHER, OTHER]


@pytest.mark.parametrize(
    "changes",
    [
        {"requests": -1},
        {"requests": True, "errors": None},
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
def test_what_makes_no_sense_is_noticed(changes: dict[str, Any]) -> None:
    sound = tick(1.0, 5, 5, ["/x"])
    check(sound)
    said = Tick({**sound.header, **changes}, sound.columns, sound.iterations)
    with pytest.raises((ValueError, LookupError, TypeError, AttributeError)):
        check(said)
