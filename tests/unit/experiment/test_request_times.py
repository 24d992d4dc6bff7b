"""The time of each request by itself, in slices of a single user."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from assay.experiment import request_times
from assay.experiment.deadlines import NEVER, Deadline
from assay.experiment.target import RunningTarget
from assay.load.answers import Slice
from assay.load.control.generator import Generator
from tests.unit.synthetic import taken

TIMES = {"/quick": 0.001, "/slow": 0.020}


def mixed(
    times: Mapping[str, float] = TIMES,
    each: int = 20,
    variant: str = "a",
    kind: str = "request",
    **changes: Any,
) -> Slice:
    """Return a slice in which each request was answered after its own time."""
    starts = [float(n) for n in range(each) for _ in times]
    took = [seconds for _ in range(each) for seconds in times.values()]
    one = taken(
        ends=[start + seconds for start, seconds in zip(starts, took, strict=True)],
        starts=starts,
        names=[(kind, "GET", name) for name in times],
        variant=variant,
        **changes,
    )
    one.request_columns["name"][:] = list(range(len(times))) * each
    return one


def test_each_request_has_the_lower_quartile_of_its_times() -> None:
    disturbed = mixed({name: 9 * seconds for name, seconds in TIMES.items()}, each=5)
    rows = request_times.request_rows([mixed(), disturbed, mixed(variant="b")])
    assert {(row.request, row.variant): row.answers for row in rows} == {
        ("GET /quick", "a"): 25,
        ("GET /slow", "a"): 25,
        ("GET /quick", "b"): 20,
        ("GET /slow", "b"): 20,
    }
    for row in rows:
        assert row.seconds == pytest.approx(TIMES[row.request.split()[1]])


def test_failures_log_ins_and_other_names_do_not_count() -> None:
    one = mixed({"/a": 0.001, "(other names)": 0.002})
    one.request_columns["failed"][:2] = 1
    log_in = mixed({"/login": 0.3}, kind="on_start")
    (row,) = request_times.request_rows([one, log_in])
    assert (row.request, row.answers) == ("GET /a", 19)


@dataclass
class Played:
    """Takes the place of the generator; notes what was asked of it."""

    asked: list[tuple[str, float, int]] = field(default_factory=list)

    def alone(self, variant: str, duration: float, seed: int, drain: float) -> Slice:
        self.asked.append((variant, duration, seed))
        return mixed(variant=variant, each=4)


def running(*names: str) -> dict[str, RunningTarget]:
    target = cast(RunningTarget, SimpleNamespace(check_alive=lambda: None))
    return dict.fromkeys(names, target)


def test_one_user_sends_the_same_to_all_variants_in_turns() -> None:
    played = Played()
    rows = request_times.measure(
        cast(Generator, played),
        running("base", "head", "base~again"),
        1.0,
        random.Random(1),
        NEVER,
    )
    assert {row.variant for row in rows} == {"base", "head"}
    assert all(row.answers == 4 * request_times.BLOCKS for row in rows)
    assert {duration for _, duration, _ in played.asked} == {0.2}
    pairs = [played.asked[n : n + 2] for n in range(0, len(played.asked), 2)]
    for one, other in pairs:
        assert one[0] != other[0] and one[2] == other[2]
    assert len({one[2] for one, _ in pairs}) == request_times.BLOCKS
    assert len({one[0] for one, _ in pairs}) == 2  # the order changes


def test_the_end_of_the_budget_leaves_only_whole_turns() -> None:
    played = Played()
    deadline = cast(
        Deadline,
        SimpleNamespace(drain=1.0, passed=property(lambda _: False)),
    )

    class Ending(Played):
        def alone(self, *words: Any, **options: Any) -> Slice:
            deadline.passed = len(self.asked) >= 2  # type: ignore[misc]
            return super().alone(*words, **options)

    played = Ending()
    deadline.passed = False  # type: ignore[misc]
    rows = request_times.measure(
        cast(Generator, played), running("a", "b"), 1.0, random.Random(1), deadline
    )
    assert len(played.asked) == 3
    assert {(row.variant, row.answers) for row in rows} == {("a", 4), ("b", 4)}


def test_each_request_is_answered_often_enough() -> None:
    shares = {f"/{n}": 0.001 for n in range(7)}
    trial = mixed(shares, each=4, requests=28, ended=0.3)
    seconds = request_times.seconds_needed([trial, trial])
    expected = seconds * 28 / 0.3 / 7  # answers to each request
    assert 10 < expected < 40
    fast = mixed(shares, each=400, requests=2800, ended=0.3)
    assert request_times.seconds_needed([fast]) == request_times.SHORTEST
    silent = mixed(shares, each=1, requests=0, ended=0.3)
    assert request_times.seconds_needed([silent]) == request_times.LONGEST


def test_nobody_tries_after_the_deadline_or_the_second_baseline() -> None:
    played = Played()
    names = ["a", "b", "a~again"]
    seconds = request_times.try_alone(cast(Generator, played), names, NEVER)
    assert seconds >= request_times.SHORTEST
    assert {name for name, _, _ in played.asked} == {"a", "b"}
    assert len({seed for *_, seed in played.asked}) == request_times.TRIALS
    over = cast(Deadline, SimpleNamespace(drain=1.0, passed=True))
    silent = Played()
    assert request_times.try_alone(cast(Generator, silent), names, over) > 0
    assert not silent.asked


def test_only_successful_answers_show_that_a_request_is_sent_alone() -> None:
    alone = mixed({"/a": 0.001}, each=20)
    assert request_times.is_alone(alone, "GET /a")
    assert not request_times.is_alone(alone, "GET /b")
    both = mixed({"/a": 0.001, "/b": 0.001}, each=10)
    assert not request_times.is_alone(both, "GET /a")
    failing = mixed({"/a": 0.001}, each=20)
    failing.request_columns["failed"][:] = 1
    assert not request_times.is_alone(failing, "GET /a")
    assert not request_times.is_alone(
        mixed({"/a": 0.001}, each=0, requests=0), "GET /a"
    )
