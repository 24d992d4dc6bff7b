"""The counts of a round, per request, and the arrival rate of rounds."""

import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from assay.errors import MeasureError
from assay.experiment.calibration import Schedule
from assay.experiment.rounds import (
    HEADROOM,
    Rounds,
    bearable_rate,
    is_outside,
    per_request,
)
from assay.load.answers import Slice
from assay.observations import Amount, Event, Round
from assay.plan import Load
from assay.profilers.probe import Between
from assay.profilers.pyspy import OUTSIDE
from tests.unit.synthetic import plan, taken


def counted(kind: str, count: float, seconds: float) -> Between:
    event = Event(kind=kind)
    return Between({event: Amount(count=count, seconds=seconds, longest=0.1)}, 0.0)


def test_counts_and_seconds_are_divided_by_the_requests() -> None:
    (one,) = per_request(counted("query", 40, 0.2), 20)
    assert (one.amount.count, one.amount.seconds, one.amount.longest) == (2, 0.01, 0.1)


class Generator:
    """Takes the place of the generator; gives each trial its number of requests."""

    def __init__(self, **requests: int) -> None:
        self._requests = requests

    def closed(self, name: str, users: int, seconds: float, request: str = "") -> Slice:
        number = self._requests[name]
        ends = [(n + 1) / number for n in range(number)]
        starts = [n / number for n in range(number)]
        return taken(ends=ends, starts=starts, users=[0] * number, variant=name)


def schedule(**capacity: float) -> Schedule:
    load = Load(users=1)
    return Schedule(load, 100.0, {}, 1.0, 1, 1, capacity=capacity)


def test_the_rate_is_lowered_by_as_much_as_the_probe_lowers_the_capacity() -> None:
    topic = plan().topics[0]
    topic = topic.model_copy(
        update={"scenario": topic.scenario.model_copy(update={"load": Load(users=1)})}
    )
    pair = ("a", "b")
    generator: Any = Generator(a=200, b=100)
    rate = bearable_rate(generator, topic, pair, schedule(a=200.0, b=200.0))
    assert rate == pytest.approx(50 * HEADROOM, rel=0.05)
    # After a small loss, the rate is not reduced further.
    rate = bearable_rate(generator, topic, pair, schedule(a=200.0, b=110.0))
    assert rate == pytest.approx(100 * 100 / 110, rel=0.05)
    # A probe that costs nothing leaves the rate; chance must never raise it.
    rate = bearable_rate(generator, topic, pair, schedule(a=150.0, b=100.0))
    assert rate == pytest.approx(100, rel=0.05) and rate <= 100


def test_a_request_alone_has_a_rate_of_its_own() -> None:
    topic = plan().topics[0]
    generator: Any = Generator(a=200, b=100)
    capacity = schedule(a=9.0, b=9.0)  # of the whole load
    rate = bearable_rate(generator, topic, ("a", "b"), capacity, request="GET /")
    assert rate == pytest.approx(topic.scenario.load.utilisation * 100, rel=0.05)


def test_a_side_that_answers_nothing_has_no_rate() -> None:
    topic = plan().topics[0]
    generator: Any = Generator(a=0, b=0)
    with pytest.raises(MeasureError):
        bearable_rate(generator, topic, ("a", "b"), schedule(a=9.0, b=9.0))


def profiled(cpu: float, outside: float, variant: str = "a") -> Round:
    """Return a round with these seconds of CPU time, in total and outside the GIL."""
    stacks = (
        (("handler (./app.py:1)",), cpu - outside),
        ((OUTSIDE,), outside),
    )
    return Round(
        topic="t",
        baseline="a",
        candidate="b",
        number=1,
        variant=variant,
        requests=1,
        latency=1.0,
        cpu=cpu,
        cpu_wait=0.0,
        stacks=stacks,
    )


def sampled_rounds(
    monkeypatch: pytest.MonkeyPatch, shares: Sequence[float]
) -> list[Round]:
    """Return the rounds of a pair whose rounds spend these shares outside the GIL."""

    def both(self: Rounds, number: int, purpose: str) -> list[Round]:
        share = shares[min(number, len(shares)) - 1] if self.gil else 0.0
        of_both = {"topic": self.topic.name, "number": number, "samples": 9}
        return [
            profiled(1.0, share, name).model_copy(
                update={**of_both, "latency": latency}
            )
            for name, latency in (("a", 1.0), ("b", 2.0))  # the difference is clear
        ]

    monkeypatch.setattr(Rounds, "_both", both)
    anything: Any = None
    pair_rounds = Rounds(
        plan().topics[0],
        ("a", "b"),
        {},
        {},
        anything,
        random.Random(1),
        (),
        Path(),
    )
    kept: dict[tuple[int, str], Round] = {}
    for one in pair_rounds.measure(time.monotonic() + 60):
        kept[one.number, one.variant] = one  # as `PairProfiling._keep` does
    return list(kept.values())


def test_if_all_threads_must_be_sampled_no_other_stacks_are_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    enough = sampled_rounds(monkeypatch, [0.1])
    assert all(one.stacks for one in enough)
    at_once = sampled_rounds(monkeypatch, [0.5])
    assert len(at_once) == len(enough) and all(one.stacks for one in at_once)
    later = sampled_rounds(monkeypatch, [0.1, 0.4, 0.5])
    assert {one.number for one in later if not one.stacks} == {1, 2, 3}
    assert not any(one.samples for one in later if not one.stacks)
    assert sum(bool(one.stacks) for one in later) >= len(enough)


@pytest.mark.parametrize(
    "baseline, candidate, outside",
    [
        ((1.0, 0.4), (1.0, 0.1), True),  # much of one side
        ((1.0, 0.05), (1.2, 0.25), True),  # all of the difference
        ((1.0, 0.05), (1.2, 0.05), False),
        ((1.0, 0.05), (1.02, 0.07), False),  # hardly any difference
    ],
)
def test_all_threads_are_sampled_if_a_difference_is_outside_the_interpreter(
    baseline: tuple[float, float], candidate: tuple[float, float], outside: bool
) -> None:
    assert is_outside([profiled(*candidate, "b"), profiled(*baseline)]) == outside
