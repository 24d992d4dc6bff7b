"""Causes of other differences than latency: memory growth and slower starts."""

import random

import pytest

from assay.analysis.attribution.every_cause import every_cause
from assay.analysis.attribution.growth import growth
from assay.analysis.attribution.rounds import Pair, pair_of
from assay.analysis.attribution.starts import start_up
from assay.observations import Amount, Event, Observation, Place, Purpose, Round
from tests.unit.synthetic import claim, plan

NAMES = ("base", "head")
MIB = 2**20
REMEMBER = Place(function="", file="app/cache.py", line=14)
PREPARE = Place(function="prepare", file="app/main.py", line=3)
NOTHING = Pair((), ())


def one(
    side: str,
    number: int,
    purpose: Purpose = "load",
    latency: float = 0.01,
    memory: float = 0.0,
    observations: tuple[Observation, ...] = (),
) -> Round:
    return Round(
        topic="t",
        baseline=NAMES[0],
        candidate=NAMES[1],
        number=number,
        variant=side,
        purpose=purpose,
        requests=200,
        latency=latency,
        cpu=0.001,
        cpu_wait=0.0,
        memory=memory,
        observations=observations,
    )


def grown(*levels: list[float]) -> Pair:
    """Return rounds whose memory is at these levels, in MiB."""
    sides = [
        tuple(one(name, n, memory=level * MIB) for n, level in enumerate(of_side, 1))
        for name, of_side in zip(NAMES, levels, strict=True)
    ]
    return Pair(sides[0], sides[1])


def kept(size: float, place: Place | None = REMEMBER) -> Observation:
    event = Event(kind="kept", place=place)
    return Observation(event=event, amount=Amount(count=1, seconds=size))


def traced(baseline: float, candidate: float) -> Pair:
    sides = [
        tuple(one(name, n, "follow-up", observations=(kept(size),)) for n in (1, 2, 3))
        for name, size in zip(NAMES, (baseline, candidate), strict=True)
    ]
    return Pair(sides[0], sides[1])


FLAT = [100.0] * 9
STEADY = [100 + 0.5 * n for n in range(9)]


def test_memory_that_goes_on_growing_is_found_with_its_line() -> None:
    (cause,) = growth("t", NAMES, grown(FLAT, STEADY), traced(0, 2500))
    assert (cause.kind, cause.where) == ("memory growth", str(REMEMBER))
    assert cause.amount == pytest.approx(0.5 * MIB / 200) and cause.unit == "B"
    assert (
        "of what app/cache.py:14 allocates, 2.50 kB more stays alive" in cause.sentence
    )


def test_a_candidate_keeps_less_if_the_baseline_grows() -> None:
    (cause,) = growth("t", NAMES, grown(STEADY, FLAT), traced(2500, 0))
    assert cause.amount < 0 and "less memory behind" in cause.sentence
    assert "2.50 kB less stays alive" in cause.sentence


@pytest.mark.parametrize(
    "levels",
    [
        FLAT,
        [100, 104, 107, 108, 108.2, 108.2, 108.2, 108.2, 108.2],  # warm-up
        [100, 100, 100, 103, 103, 103, 103, 103, 103],  # one step
        [100, 102, 100, 102, 100, 102, 100, 102, 100],  # up and down
    ],
)
def test_what_does_not_go_on_growing_is_no_growth(levels: list[float]) -> None:
    assert growth("t", NAMES, grown(FLAT, levels), NOTHING) == []


def test_two_sides_that_grow_alike_differ_in_nothing() -> None:
    assert growth("t", NAMES, grown(STEADY, STEADY), NOTHING) == []


def test_growth_that_no_object_explains_is_the_allocators() -> None:
    (cause,) = growth("t", NAMES, grown(FLAT, STEADY), traced(0, 10))
    assert cause.kind == "allocator" and cause.where == ""


def test_growth_without_a_trace_names_no_line() -> None:
    (cause,) = growth("t", NAMES, grown(FLAT, STEADY), NOTHING)
    assert cause.kind == "memory growth" and cause.where == ""


def starts(*sides: tuple[float, tuple[Observation, ...]]) -> list[Round]:
    dice = random.Random(3)
    return [
        one(
            name,
            number,
            "start-up",
            latency=seconds + dice.gauss(0, 0.01),
            observations=observations,
        )
        for number in range(1, 6)
        for name, (seconds, observations) in zip(NAMES, sides, strict=True)
    ]


def imported(seconds: float, package: str, place: Place | None) -> Observation:
    event = Event(kind="start-up", resource=package, place=place)
    return Observation(event=event, amount=Amount(count=9, seconds=seconds))


SLOW = (imported(0.4, "pandas", PREPARE), imported(0.05, "", PREPARE))


def test_a_slower_start_names_the_line_and_what_it_imports() -> None:
    made = starts((0.8, ()), (1.3, SLOW))
    (cause,) = start_up("t", NAMES, pair_of(made, "t", NAMES, "start-up"))
    assert (cause.kind, cause.where) == ("start-up", str(PREPARE))
    assert "450 ms more at prepare (app/main.py:3), importing pandas" in cause.sentence


def test_a_start_that_takes_as_long_has_no_cause() -> None:
    made = starts((0.8, SLOW), (0.8, SLOW))
    assert start_up("t", NAMES, pair_of(made, "t", NAMES, "start-up")) == []


def test_starts_and_follow_ups_are_no_rounds_of_load() -> None:
    made = [*starts((0.8, ()), (1.3, SLOW)), *traced(0, 1).baseline]
    assert pair_of(made, "t", NAMES) == NOTHING


def test_causes_of_what_is_claimed_come_first() -> None:
    topic = plan(claim("faster", "startup")).topics[0]
    names = topic.pairs()[0]
    made = [
        item.model_copy(
            update={
                "topic": topic.name,
                "baseline": names[0],
                "candidate": names[1],
                "variant": dict(zip(NAMES, names, strict=True))[item.variant],
            }
        )
        for item in (
            *starts((0.8, ()), (1.3, SLOW)),
            *grown(FLAT, STEADY).baseline,
            *grown(FLAT, STEADY).candidate,
        )
    ]
    assert [cause.kind for cause in every_cause(topic, names, made)] == [
        "start-up",
        "memory growth",
    ]


@pytest.mark.parametrize(
    ("seconds", "first"), [(0.0003, "memory growth"), (0.003, "cpu")]
)
def test_a_leak_comes_before_a_cause_that_hardly_matters(
    seconds: float, first: str
) -> None:
    pair = grown([100.0] * 12, [100.0 + 2 * n for n in range(12)])
    dice = random.Random(1)
    made = [
        one.model_copy(
            update={
                "cpu": one.cpu
                + seconds * (one.variant == "head") * dice.gauss(1, 0.05),
                "latency": one.latency + seconds * (one.variant == "head"),
            }
        )
        for one in (*pair.baseline, *pair.candidate)
    ]
    topic = plan().topics[0].model_copy(update={"name": "t", "claims": ()})
    kinds = [cause.kind for cause in every_cause(topic, NAMES, made)]
    assert sorted(kinds) == ["cpu", "memory growth"] and kinds[0] == first
