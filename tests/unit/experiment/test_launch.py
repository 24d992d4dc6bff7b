"""A launch: the length and number of its slices, and when it has enough of them."""

import math
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from assay.errors import MeasureError
from assay.experiment import blocks, calibration, launch, rates
from assay.experiment.deadlines import LONGEST_DRAIN, NEVER, SHORTEST_DRAIN, Deadline
from assay.experiment.target import RunningTarget
from assay.load.answers import Slice
from assay.load.control.generator import Generator
from assay.load.recorder import TIMED_OUT
from assay.load.shapes import Shape
from assay.metrics import DECIDING_METRICS, MODES, Mode, requests_needed
from assay.plan import Load
from tests.unit.synthetic import plan, taken

TOPIC = plan().topics[0]
ROBBED = {"run_delay": 0.5, "foreign": 0.5}  # by a neighbour


@dataclass
class Played:
    """Takes the place of the generator, and returns slices with given measurements."""

    play: Callable[[str, Mode, int], Mapping[str, Any]] = lambda *_: {}
    per_second: Mapping[str, float] = field(default_factory=dict)
    orders: list[tuple[str, Mode, float, int]] = field(default_factory=list)
    touched: list[str] = field(default_factory=list)
    touches: Mapping[str, float] = field(default_factory=dict)
    first: float = 0.1  # when the first request of a touch is answered
    drains: list[float] = field(default_factory=list)
    grown: list[int] = field(default_factory=list)

    def grow(self, users: int) -> None:
        self.grown.append(users)

    def touch(self, variant: str, drain: float = 10.0) -> Slice:
        self.touched.append(variant)
        self.drains.append(drain)
        ends = [self.first, self.touches.get(variant, 0.1)]
        return taken("open", ends=ends, variant=variant)

    def closed(
        self,
        variant: str,
        users: int,
        duration: float,
        seed: int = 0,
        think_time: bool = False,
        drain: float = 10.0,
    ) -> Slice:
        self.drains.append(drain)
        return self._slice(variant, "closed", duration, seed)

    def open(
        self,
        variant: str,
        rate: float,
        duration: float,
        seed: int,
        shape: Shape | None = None,
        drain: float = 10.0,
    ) -> Slice:
        self.drains.append(drain)
        return self._slice(variant, "open", duration, seed)

    def _slice(self, variant: str, mode: Mode, duration: float, seed: int) -> Slice:
        made = sum(order[:2] == (variant, mode) for order in self.orders)
        self.orders.append((variant, mode, duration, seed))
        count = self.per_second.get(variant, 20)
        ends = [(n + 1) / count for n in range(int(count))]
        changes = dict(self.play(variant, mode, made))
        columns = changes.pop("request_columns", None)
        # Requests are served one at a time, for four users in turn.
        starts = [max(0, n - 3) / count for n in range(int(count))]
        loop = {"starts": starts, "users": [n % 4 for n in range(int(count))]}
        if mode == "open":
            loop = {}
        made_up = taken(mode, ends, variant=variant, **{**loop, **changes})
        return replace(made_up, request_columns=columns) if columns else made_up


def running(names: str) -> dict[str, RunningTarget]:
    return {
        name: cast(
            RunningTarget,
            SimpleNamespace(
                variant=SimpleNamespace(name=name),
                url=f"http://127.0.0.1:{9000 + ord(name)}",
                check_alive=lambda: None,
                child=None,
                startup=None,
            ),
        )
        for name in names
    }


def measure(
    generator: Played,
    names: str = "ab",
    pairs: Sequence[tuple[str, str]] = (("a", "b"),),
    wanted: int = 4,
    deadline: Deadline = NEVER,
) -> launch.Launch:
    schedule = calibration.Schedule(
        Load(), 10.0, dict.fromkeys(names, 0.05), 0.08, wanted, wanted
    )
    rng = random.Random(4)
    return launch.measure(
        cast(Generator, generator), running(names), schedule, pairs, (), rng, deadline
    )


def robbed(who: str, which: Callable[[int], bool]) -> Played:
    """Return a generator; a neighbour disturbs some of one variant's slices."""
    return Played(
        lambda name, mode, made: (ROBBED if name == who and which(made) else {})
    )


def test_slices_are_as_short_as_the_work_allows() -> None:
    assert blocks.slice_seconds(0.05, 10_000) == 0.05
    assert blocks.slice_seconds(0.05, 100) == pytest.approx(0.25)
    assert blocks.slice_seconds(0.05, 1) == blocks.MAX_SLICE_SECONDS
    assert blocks.slice_seconds(0.05, 0) == blocks.MAX_SLICE_SECONDS
    assert blocks.block_count(12, 0.05, 0.05) == 12
    assert blocks.block_count(12, 0.05, 2.0) == blocks.MIN_BLOCKS


@pytest.mark.parametrize(
    ("most", "shortest"),
    [
        (calibration.CLOSED_BLOCKS, calibration.CLOSED_SECONDS),
        (calibration.OPEN_BLOCKS, calibration.OPEN_SECONDS),
    ],
)
@pytest.mark.parametrize("per_second", [10_000, 1000, 500, 400])
def test_short_slices_are_many_so_that_a_launch_takes_no_longer(
    most: int, shortest: float, per_second: float
) -> None:
    seconds = blocks.slice_seconds(shortest, per_second)
    whole = blocks.block_count(most, shortest, seconds) * seconds
    assert whole == pytest.approx(most * shortest, rel=0.1)


def calibrated(
    load: Load, metrics: Sequence[str] = (), requests_per_task: int = 1
) -> calibration.Schedule:
    scenario = TOPIC.scenario.model_copy(update={"load": load})
    topic = TOPIC.model_copy(update={"scenario": scenario})
    per_second = {"a": 1000, "b": 400}

    def play(name: str, *_: object) -> dict[str, Any]:
        tasks = per_second[name] // requests_per_task
        return {"planned": tasks, "done": tasks}

    generator = Played(play, per_second)
    return calibration.calibrate(cast(Generator, generator), topic, "ab", metrics)


def test_the_rate_is_a_share_of_the_slower_variants_capacity() -> None:
    schedule = calibrated(Load(utilisation=0.25))
    assert schedule.rate == pytest.approx(100)
    assert schedule.closed_seconds["a"] == pytest.approx(25 / 1000)
    assert schedule.closed_seconds["b"] == pytest.approx(25 / 400)
    assert schedule.open_seconds == pytest.approx(25 / 100)
    assert calibrated(Load(arrival_rate=7.0)).rate == 7.0


@pytest.mark.parametrize(
    ("late", "share"),
    [
        ([], 1.0),
        # Being late once or twice can have another cause, and does not lower the rate.
        ([0], 1.0),
        ([0, 1], 1.0),
        ([0, 1, 2], rates.RATE_BACKOFF),
        ([0, 1, 2, 4], rates.RATE_BACKOFF),
        (range(6), rates.RATE_BACKOFF**2),
        # If a lower rate does not help, the rate stays.
        (range(1000), 1.0),
    ],
)
def test_a_rate_that_the_generator_cannot_keep_is_lowered(
    late: Sequence[int], share: float
) -> None:
    def play(name: str, mode: Mode, made: int) -> dict[str, Any]:
        # Answers of b cost the generator more, so trials of the rate use b.
        if mode == "closed":
            return {"generator_cpu": 0.2 if name == "b" else 0.1}
        assert name == "b"
        return {"lag_p99": 0.05 if made in late else 0.0}

    generator = Played(play, {"a": 400, "b": 400})
    made = calibration.calibrate(cast(Generator, generator), TOPIC, "ab")
    assert made.requested_rate == pytest.approx(200)
    assert made.rate == pytest.approx(200 * share)


@pytest.mark.parametrize(
    ("late", "share"), [([1, 4], 1.0), ([1, 4, 7], rates.RATE_BACKOFF), ([], 1.0)]
)
def test_a_busy_generator_must_be_in_time_more_than_once(
    late: Sequence[int], share: float
) -> None:
    def play(name: str, mode: Mode, made: int) -> dict[str, Any]:
        if mode == "closed":
            return {}
        return {"lag_p99": 0.05 if made in late else 0.0, "generator_cpu": 1.0}

    generator = Played(play, {"a": 400, "b": 400})
    made = calibration.calibrate(cast(Generator, generator), TOPIC, "ab")
    assert made.rate == pytest.approx(200 * share)


def test_a_rate_that_was_asked_for_by_its_number_is_not_lowered() -> None:
    scenario = TOPIC.scenario.model_copy(update={"load": Load(arrival_rate=200.0)})
    topic = TOPIC.model_copy(update={"scenario": scenario})
    generator = Played(lambda *_: {"lag_p99": 0.05}, {"a": 400, "b": 400})
    made = calibration.calibrate(cast(Generator, generator), topic, "ab")
    assert (made.rate, made.requested_rate) == (200.0, 200.0)


def test_what_arrives_is_a_task_of_several_requests() -> None:
    single, several = (
        calibrated(Load(utilisation=0.25), ["latency.p90"], number) for number in (1, 4)
    )
    assert several.rate == pytest.approx(single.rate / 4)
    # Slices and quantiles need a number of requests, not of arrivals.
    assert several.open_seconds == pytest.approx(single.open_seconds)
    assert several.open_blocks == single.open_blocks


@pytest.mark.parametrize("end", [float("nan"), 0.9])
def test_who_gave_up_leaves_work_behind_that_is_waited_for(end: float) -> None:
    settled: list[str] = []
    targets = running("ab")
    for name, target in targets.items():
        cast(Any, target).settle = lambda seconds, name=name: settled.append(name)
    gone = {
        "request_columns": {
            **taken(ends=[end]).request_columns,
            "failed": np.array([TIMED_OUT]),
        }
    }
    generator = Played(lambda name, *_: gone if name == "b" else {})
    schedule = calibration.Schedule(Load(), 10.0, {"a": 0.05, "b": 0.05}, 0.08, 4, 4)
    launch.measure(
        cast(Generator, generator),
        targets,
        schedule,
        [("a", "b")],
        (),
        random.Random(4),
    )
    assert settled == ["b"] * 8


def test_a_launch_holds_the_requests_that_a_quantile_needs() -> None:
    plain = calibrated(Load(arrival_rate=100.0), ["cpu_per_request", "latency.p50"])
    assert plain.open_blocks == blocks.MIN_BLOCKS
    long = calibrated(Load(arrival_rate=100.0), ["latency.p50", "latency.p99"])
    held = long.rate * long.open_seconds * long.open_blocks
    needed = requests_needed("latency.p99")
    # Three standard deviations more than needed, because arrivals are Poisson; and not
    # one block more than that.
    assert needed + 3 * needed**0.5 <= held
    assert held - long.rate * long.open_seconds < needed + 3 * needed**0.5
    # A launch for this quantile would take minutes, so it stays as short as without.
    refused = calibrated(Load(arrival_rate=100.0), ["latency.p999"])
    assert refused.open_blocks == plain.open_blocks


@pytest.mark.parametrize(
    ("metrics", "closed", "open_"),
    [
        ([], 20, 28),
        (DECIDING_METRICS, 20, 28),
        (["errors"], 20, 28),
        (["throughput"], 20, 14),
        (["throughput", "latency.p50"], 20, 28),
        (["latency.mean"], 10, 28),
        (["startup"], 10, 14),
    ],
)
def test_time_goes_to_the_load_on_which_verdicts_depend(
    metrics: Sequence[str], closed: int, open_: int
) -> None:
    play = Played(lambda *_: {"planned": 3000, "done": 3000}, {"a": 3000, "b": 3000})
    made = calibration.calibrate(cast(Generator, play), TOPIC, "ab", metrics)
    assert (made.closed_blocks, made.open_blocks) == (closed, open_)


def test_a_load_that_decides_nothing_has_two_blocks_at_least() -> None:
    made = calibrated(Load(arrival_rate=1.0), ["throughput"])
    assert made.open_blocks == blocks.MIN_BLOCKS // 2


def test_a_block_has_every_variant_once_under_the_same_arrivals() -> None:
    generator = Played()
    made = measure(generator, "abc", [("a", "b"), ("a", "c")])
    blocks = [generator.orders[n : n + 3] for n in range(0, 24, 3)]
    assert len(generator.orders) == 24
    for block in blocks:
        assert {order[0] for order in block} == set("abc")
        assert len({order[3] for order in block}) == 1
    assert len({block[0][3] for block in blocks}) == 8
    assert len({tuple(order[0] for order in block) for block in blocks}) > 1
    assert made.counts
    assert [row.position for row in made.slices] == [0, 1, 2] * 8
    value, censored = made.values["c", "throughput"]
    assert value == pytest.approx(20, rel=0.1) and not censored


def test_what_is_compared_stays_together_in_a_block() -> None:
    pairs = [("a", "d"), ("b", "e"), ("f", "d"), ("c", "c")]
    generator = Played()
    measure(generator, "abcdefg", pairs, wanted=60)
    orders = [order[0] for order in generator.orders]
    blocks = ["".join(orders[n : n + 7]) for n in range(0, len(orders), 7)]
    assert len(blocks) == 120
    for block in blocks:
        assert sorted(block) == list("abcdefg")
        for kin in ("adf", "be"):
            places = sorted(block.index(name) for name in kin)
            assert places[-1] - places[0] == len(kin) - 1
    # The order within a group, and the order of groups, are random.
    within = {"".join(name for name in block if name in "adf") for block in blocks}
    assert within == {"adf", "afd", "daf", "dfa", "fad", "fda"}
    assert {block[0] for block in blocks} == set("abcdefg")
    assert {block[-1] for block in blocks} == set("abcdefg")


def test_the_order_is_drawn_by_the_seed() -> None:
    first, second = Played(), Played()
    measure(first)
    measure(second)
    assert first.orders == second.orders


def test_disturbed_blocks_are_repeated_until_there_are_enough() -> None:
    made = measure(robbed("b", lambda number: number in (0, 2)))
    closed = [row for row in made.slices if row.mode == "closed"]
    assert len(closed) == 2 * (4 + 2)
    hit = {(row.variant, row.block, row.why) for row in closed if row.why}
    # Only b's slices were disturbed; other pairs may use the other slice of the block.
    assert hit == {("b", 0, "neighbour"), ("b", 2, "neighbour")}
    assert all(row.disturbed == bool(row.why) for row in made.slices)
    assert made.counts


def test_a_launch_without_half_of_its_blocks_does_not_count() -> None:
    made = measure(robbed("b", lambda number: number != 5))
    closed = [row for row in made.slices if row.mode == "closed"]
    assert len(closed) == 2 * 4 * launch.MAX_REPEATS
    assert not made.counts
    assert measure(robbed("b", lambda number: number not in (5, 6))).counts


@pytest.mark.parametrize("bad", MODES)
def test_one_mode_alone_can_be_too_disturbed_to_count(bad: Mode) -> None:
    generator = Played(lambda name, mode, made: ROBBED if mode == bad else {})
    assert not measure(generator).counts


def test_each_pair_needs_blocks_of_its_own() -> None:
    both = [("a", "b"), ("a", "c")]
    # b is undisturbed in odd blocks and c in even ones; both pairs get enough blocks.
    generator = Played(
        lambda name, mode, made: (ROBBED if name == "bc"[made % 2] else {})
    )
    made = measure(generator, "abc", both)
    assert made.counts
    closed = [row for row in made.slices if row.mode == "closed"]
    assert len(closed) == 3 * 8
    # A disturbed variant that is in no pair, such as the A/A arm, causes no repeats.
    spoiled = robbed("c", lambda number: True)
    made = measure(spoiled, "abc", [("a", "b")])
    assert made.counts and len(spoiled.orders) == 3 * 8
    assert not measure(robbed("c", lambda number: True), "abc", both).counts
    # A pair of a variant with itself, for a budget, needs only that variant.
    assert measure(robbed("b", lambda number: True), "ab", [("a", "a")]).counts


def test_the_values_are_those_of_undisturbed_slices() -> None:
    generator = Played(
        lambda name, mode, made: (
            {**ROBBED, "cpu": 40.0} if made == 1 else {"cpu": 2.0}
        )
    )
    made = measure(generator)
    assert made.values["a", "cpu_per_request"] == pytest.approx((0.1, False))


def test_errors_are_counted_over_the_launch_whatever_its_ports() -> None:
    url = running("b")["b"].url
    generator = Played(
        lambda name, mode, made: {"errors": {f"/: {url}/": 2}} if name == "b" else {}
    )
    assert measure(generator).errors == {"a": {}, "b": {"/: /": 16}}


def test_a_target_that_fails_every_request_is_not_measured() -> None:
    targets = list(running("ab").values())
    fine = Played(per_second={"a": calibration.WARM_UP_REQUESTS})
    calibration.warm_up(cast(Generator, fine), TOPIC, targets)
    assert fine.touched == ["a", "b"]
    # A target that has answered few requests so far is warmed up for longer.
    assert [order[0] for order in fine.orders] == ["a", "b", "b"]
    settled: list[str] = []
    for target in targets:
        cast(Any, target).settle = lambda name=target.variant.name: settled.append(name)
    slow = Played(touches={"b": float("nan")})
    calibration.warm_up(cast(Generator, slow), TOPIC, targets)
    assert settled == ["b"]
    failures = {"failed": [1] * 20, "errors": {"/nowhere: 404": 20}}
    broken = Played(lambda name, mode, made: failures if name == "b" else {})
    with pytest.raises(MeasureError, match="variant 'b' failed") as caught:
        calibration.warm_up(cast(Generator, broken), TOPIC, targets)
    assert "/nowhere: 404" in str(caught.value)
    assert "locustfile" in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="cannot pin")
def test_the_machines_speed_is_taken_and_the_cores_are_given_back() -> None:
    before = os.sched_getaffinity(0)
    assert calibration.spin([min(before)]) > 0
    assert os.sched_getaffinity(0) == before
    assert calibration.spin([]) > 0


NOTHING = {"request_columns": taken(ends=[float("nan")]).request_columns}


@pytest.mark.parametrize("mode", MODES)
def test_a_target_that_answers_nothing_is_not_waited_for_again(mode: Mode) -> None:
    hung = Played(lambda name, m, made: NOTHING if (name, m) == ("b", mode) else {})
    expected = "variant 'b' did not answer 1 of 1 requests within"
    with pytest.raises(MeasureError, match=expected):
        calibration.calibrate(
            cast(Generator, hung), TOPIC, "ab" if mode == "closed" else "b"
        )
    assert len(hung.orders) <= 2
    if mode == "closed":
        with pytest.raises(MeasureError, match=expected):
            calibration.warm_up(
                cast(Generator, hung), TOPIC, list(running("ab").values())
            )
        assert hung.touched == ["a", "b"]


def test_a_target_that_was_never_reached_is_said_at_once() -> None:
    targets = list(running("ab").values())
    silent = Played(touches={"a": math.nan}, first=math.nan)
    with pytest.raises(MeasureError, match="'a' did not answer 2 of 2 requests"):
        calibration.warm_up(cast(Generator, silent), TOPIC, targets)
    assert silent.orders == []


def test_no_slice_begins_after_the_deadline() -> None:
    over = Deadline(0.0)
    none = Played()
    made = measure(none, deadline=over)
    assert none.orders == [] and made.slices == []
    assert made.cut and not made.counts
    calibration.warm_up(
        cast(Generator, none), TOPIC, list(running("ab").values()), over
    )
    assert none.touched == []
    fine = Played()
    assert not measure(fine, deadline=Deadline(time.perf_counter() + 1000)).cut
    assert set(fine.drains) == {LONGEST_DRAIN}


def test_a_slice_waits_for_answers_no_longer_than_what_is_left() -> None:
    tight = Played()
    measure(tight, deadline=Deadline(time.perf_counter() + 5))
    assert all(SHORTEST_DRAIN <= drain <= 5 for drain in tight.drains)
    assert tight.drains == sorted(tight.drains, reverse=True)
    assert Deadline(0.0).drain == SHORTEST_DRAIN


def cut_after(slices: int) -> tuple[Played, launch.Launch]:
    """Measure a launch whose time ends after this many slices."""
    generator = Played()

    class After(Deadline):
        @property
        def passed(self) -> bool:
            return len(generator.orders) >= slices

    return generator, measure(generator, deadline=After())


@pytest.mark.parametrize(
    ("slices", "counts"), [(3, False), (8, False), (11, False), (12, True), (16, True)]
)
def test_a_launch_that_was_cut_short_counts_with_half_of_its_blocks(
    slices: int, counts: bool
) -> None:
    # A launch has four closed blocks of two slices, then four open ones.
    generator, made = cut_after(slices)
    assert len(generator.orders) == slices
    assert made.counts == counts
    assert made.cut == (slices < 16)
    assert [row.cut for row in made.slices] == [made.cut] * slices


def test_a_target_that_freezes_keeps_its_slices() -> None:
    generator = Played(
        lambda name, mode, made: {**ROBBED, "unserved": 1} if made else {}
    )
    made = measure(generator)
    assert not any(row.disturbed for row in made.slices)
    assert len(made.slices) == 16


def test_users_are_made_as_arrivals_need_them() -> None:
    def play(name: str, mode: Mode, made: int) -> dict[str, Any]:
        if mode == "open" and name == "b" and made < 2:
            return {"short": 3, "peak": 5 + made}
        return {"peak": 1}

    generator = Played(play)
    made = measure(generator)
    assert generator.grown == [5]  # the second largest peak
    assert made.users == 5 and made.counts
    late = [row.block for row in made.slices if row.why == "users"]
    assert late == [0, 1]
    # The two blocks are repeated.
    assert sum(row.mode == "open" for row in made.slices) == 2 * (4 + 2)
    # Two slices of forty met a stall; the load needs no more users.
    rare = Played(lambda name, mode, made: {"short": 9 if made in (20, 39) else 0})
    measure(rare, wanted=40)
    assert not rare.grown
    # There are never more users than `connections`.
    many = Played(lambda name, mode, made: {"short": 9, "peak": 500})
    assert measure(many).users == Load().connections
    assert many.grown == [Load().connections]
    assert measure(Played()).users == 0


def test_the_share_of_the_generator_is_noted_for_each_variant() -> None:
    def play(name: str, mode: Mode, made: int) -> dict[str, Any]:
        return {"generator_cpu": 0.97 if name == "b" else 0.3, "ended": 1.0}

    made = calibration.calibrate(cast(Generator, Played(play)), TOPIC, "ab")
    assert made.generator_share == pytest.approx({"a": 0.3, "b": 0.97})
