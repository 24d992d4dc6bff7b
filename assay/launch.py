"""One launch: fresh servers, then many blocks of short slices.

A block is one slice of every variant, back to back, in an order drawn anew. The
host's speed wanders over tenths of seconds, so what is compared must be close in
time; and a launch has a speed of its own, so it counts as one number.
"""

import math
import os
import random
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assay import blocks, disturbance, rates, slices
from assay.deadlines import NEVER, Deadline
from assay.errors import MeasureError
from assay.load.remote import Generator, Slice
from assay.load.shapes import Shape
from assay.plan import MODES, Load, Mode, Topic, modes_of
from assay.processes import memory_peak
from assay.target import RunningTarget

# Where a machine's speed jumps by half every tenth of a second, as beside a busy
# neighbour on the same physical core, two slices differ by as much however long they
# are, and a median of many short ones is known far better than one of few long ones.
CLOSED_SECONDS, OPEN_SECONDS = 0.0125, 0.02
# So few that fifteen launches take less than a minute (see `Settings.looks`): of CPU
# time another launch soon says more than another block does. Latency gets most of the
# time: a queue makes more of whatever happens to a core, and a comparison is decided
# no sooner than its noisiest metric.
CLOSED_BLOCKS, OPEN_BLOCKS = 20, 28
SHAPED_BLOCKS = 2  # of an arrival rate with a shape, each of which takes seconds
# A service that has answered so many requests is warm; a slower one is given longer.
WARM_UP_SECONDS, WARM_UP_REQUESTS, WARM_UP_MORE = 0.15, 60, 0.1
ENOUGH_ARRIVALS = 100  # to say what share of them finds no idle user
REPEAT = 3  # disturbed blocks are repeated, up to this many times the plan
SPIN = 0.02  # seconds


@dataclass(frozen=True)
class Schedule:
    """How a topic's launches are measured; the same for all of them.

    Attributes:
        rate: Arrivals per second of the open loop, for every variant.
        closed_seconds: Length of a closed-loop slice of each variant.
        open_seconds: Length of an open-loop slice.
        closed_blocks: Undisturbed blocks wanted of each kind.
        open_blocks: The same for the open loop.
        shape: How the arrival rate changes over an open-loop slice, if it does.
        wanted: The rate that the load asks for; more than the generator can send in
            time, where it is more than `rate`.
        generator: The share of its core that the generator took in the closed loop of
            each variant.
    """

    load: Load
    rate: float
    closed_seconds: Mapping[str, float]
    open_seconds: float
    closed_blocks: int
    open_blocks: int
    shape: Shape | None = None
    wanted: float = 0.0
    generator: Mapping[str, float] = field(default_factory=dict)


@dataclass
class Launch:
    """What one launch measured.

    Attributes:
        slices: One dictionary for each slice, see `RunDirectory.slices`.
        values: One number for each variant and metric, and whether it is only a
            lower bound.
        counts: Whether enough blocks were undisturbed.
        errors: Request errors and how often they came, by variant.
        cut: Whether the end of the time budget ended it.
        users: How many users it needed, where those that there were had not been
            enough; else 0.
    """

    slices: list[dict[str, Any]] = field(default_factory=list)
    samples: list[tuple[dict[str, Any], Slice]] = field(default_factory=list)
    values: dict[tuple[str, str], tuple[float, bool]] = field(default_factory=dict)
    errors: dict[str, Counter[str]] = field(default_factory=dict)
    counts: bool = True
    cut: bool = False
    users: int = 0


def warm_up(
    generator: Generator,
    topic: Topic,
    running: Sequence[RunningTarget],
    deadline: Deadline = NEVER,
) -> None:
    """Open every connection, then load every variant for a moment.

    Raises:
        MeasureError: A variant answers nothing, or fails every request.
    """
    for target in running:
        if deadline.passed:
            return
        name = target.variant.name
        touched = generator.touch(name, drain=deadline.drain)
        rates.check_answers(topic.name, touched)
        if slices.given_up(touched.columns).any():
            target.settle()  # more connections at once than it has patience for
        users = topic.scenario.load.users
        drain = deadline.drain
        first = generator.closed(name, users, WARM_UP_SECONDS, drain=drain)
        target.check_alive()
        rates.check_answers(topic.name, first, users)
        _check_any_fine(topic, first)
        if touched.requests + first.requests < WARM_UP_REQUESTS:
            more = generator.closed(name, users, WARM_UP_MORE, drain=deadline.drain)
            target.check_alive()
            rates.check_answers(topic.name, more, users)


def _check_any_fine(topic: Topic, first: Slice) -> None:
    """Make sure that something of what was tried succeeded.

    Raises:
        MeasureError: Nothing did.
    """
    every = bool(first.requests and first.failed == first.requests)
    raised = bool(first.raised and not first.requests)
    if every or raised:
        said = first.errors if every else first.raised
        what = "every request" if every else "every task"
        errors = "\n".join(f"    {error}" for error in list(said)[:3])
        raise MeasureError(
            f"{topic.scenario.locustfile}: {what} to variant {first.variant!r} "
            f"failed:\n{errors}\n  does the locustfile ask for paths that the "
            "target has?"
        )


def calibrate(
    generator: Generator,
    topic: Topic,
    names: Sequence[str],
    metrics: Collection[str] = (),
    deadline: Deadline = NEVER,
) -> Schedule:
    """Choose rate and slice lengths from each variant's capacity.

    Call it on warm servers, once for a topic.

    Args:
        generator: To which the variants are attached.
        topic: For its load.
        names: The variants.
        metrics: What verdicts are wanted on; all if empty. A launch is made long
            enough for their quantiles, within reason, and spends half as much on a
            load under which none of them is measured.
        deadline: After which nothing is tried any more.

    Raises:
        MeasureError: A variant answers nothing.
    """
    load = topic.scenario.load
    tried = {
        name: generator.closed(name, load.users, 0.3, drain=deadline.drain)
        for name in names
    }
    for measured in tried.values():
        rates.check_answers(topic.name, measured, load.users)
    capacity = {
        name: slices.throughput(measured, load.users)
        for name, measured in tried.items()
    }
    per_task = _requests_per_task(tried)
    wanted = load.arrival_rate or load.utilisation * min(
        capacity[name] / per_task[name] for name in names
    )
    rate = wanted
    if not load.arrival_rate:
        rate = rates.in_time(
            generator, topic.name, tried, wanted, deadline, most_users(load)
        )
    requests_per_second = rate * min(per_task.values())
    closed = blocks.alike(
        {
            name: blocks.slice_seconds(CLOSED_SECONDS, per_second)
            for name, per_second in capacity.items()
        }
    )
    shape = None
    open_ = blocks.slice_seconds(OPEN_SECONDS, requests_per_second)
    judged = {mode for metric in metrics for mode in modes_of(metric)}
    judged = judged if metrics else set(MODES)
    open_blocks = blocks.number(OPEN_BLOCKS, OPEN_SECONDS, open_, "open" in judged)
    if load.times:
        shape = Shape(load.times, load.multiples).times_rate(rate)
        open_, open_blocks = shape.duration, SHAPED_BLOCKS
    if load.think_time:
        closed = dict.fromkeys(names, blocks.LONGEST_SLICE)
    # Long slices hold more each: fewer of them carry the same information, and
    # a launch must stay short, because launches are what counts.
    longest = max(closed.values())
    open_blocks = blocks.enough(open_blocks, open_, requests_per_second, metrics)
    return Schedule(
        load=load,
        rate=rate,
        closed_seconds=closed,
        open_seconds=open_,
        closed_blocks=blocks.number(
            CLOSED_BLOCKS, CLOSED_SECONDS, longest, "closed" in judged, _busiest(tried)
        ),
        open_blocks=open_blocks,
        shape=shape,
        wanted=wanted,
        generator={
            name: measured.generator_cpu / measured.duration
            for name, measured in tried.items()
        },
    )


def _busiest(tried: Mapping[str, Slice]) -> float:
    """Return the share of a core that the busiest variant used; 1 if nobody knows."""
    shares = [measured.cpu / measured.duration for measured in tried.values()]
    return max(shares) if all(shares) else 1.0


def _requests_per_task(tried: Mapping[str, Slice]) -> dict[str, float]:
    """Return how many requests an arrival makes, which is a task, by variant."""
    return {
        name: max(measured.requests, 1) / max(measured.planned, 1)
        for name, measured in tried.items()
    }


def measure(
    generator: Generator,
    running: Mapping[str, RunningTarget],
    schedule: Schedule,
    pairs: Sequence[tuple[str, str]],
    cores: Sequence[int],
    rng: random.Random,
    deadline: Deadline = NEVER,
) -> Launch:
    """Measure the blocks of one launch, on warm servers.

    Args:
        generator: To which the servers are attached.
        running: Variant to its server.
        schedule: How long and how often.
        pairs: Which variants are compared: each pair needs blocks of its own in
            which neither side was disturbed.
        cores: That the servers are pinned to; empty if they are not.
        rng: Draws orders and arrivals.
        deadline: After which no further slice begins. A launch counts if it has at
            least half of its blocks by then.
    """
    made = _Blocks(generator, running, schedule, pairs, cores, deadline)
    launch = made.launch
    # A generator of its own for each mode: blocks that one repeats must not change
    # what the next one draws.
    draws = {mode: random.Random(rng.getrandbits(64)) for mode in MODES}
    for mode in MODES:
        wanted = schedule.closed_blocks if mode == "closed" else schedule.open_blocks
        fewest = made.measure(mode, wanted, draws[mode])
        launch.counts = launch.counts and fewest * 2 >= wanted
    for row in launch.slices:
        row["cut"] = launch.cut
    for name, target in running.items():
        for metric, value in slices.values(launch.samples, name).items():
            launch.values[name, metric] = value
        if target.child and target.startup is not None:
            launch.values[name, "startup"] = target.startup, False
            launch.values[name, "memory.peak"] = memory_peak(target.child.pid), False
    return launch


def spin(cores: Sequence[int]) -> float:
    """Return the seconds that a fixed piece of work takes on the target's core.

    It is the machine's own speed, launch by launch, whatever the target does.
    """
    pinned = bool(cores) and hasattr(os, "sched_setaffinity")
    home = os.sched_getaffinity(0) if pinned else set()
    if pinned:
        os.sched_setaffinity(0, cores[:1])
    try:
        quickest, until = math.inf, time.perf_counter() + SPIN
        while time.perf_counter() < until:
            began = time.perf_counter()
            for _ in range(20_000):
                pass
            quickest = min(quickest, time.perf_counter() - began)
    finally:
        if pinned:
            os.sched_setaffinity(0, home)
    return quickest


@dataclass
class _Blocks:
    """The blocks of one launch, and what they take.

    Attributes:
        peaks: Most arrivals at once of each slice in which many lacked a user.
        arrivals: Of the open loop so far, by variant.
        short: How many of them found no idle user.
    """

    generator: Generator
    running: Mapping[str, RunningTarget]
    schedule: Schedule
    pairs: Sequence[tuple[str, str]]
    cores: Sequence[int]
    deadline: Deadline
    launch: Launch = field(default_factory=Launch)
    peaks: list[int] = field(default_factory=list)
    arrivals: Counter[str] = field(default_factory=Counter)
    short: Counter[str] = field(default_factory=Counter)

    def measure(self, mode: Mode, wanted: int, rng: random.Random) -> int:
        """Measure blocks of one mode until every pair has enough.

        Returns:
            How many undisturbed ones the pair has that has fewest.
        """
        rows: list[dict[str, Any]] = []
        block, fewest = 0, 0
        while fewest < wanted and block < wanted * REPEAT and not self.launch.cut:
            # The same arrivals for every variant of a block: what differs between
            # its slices is the variant and the moment, not the luck of the draw.
            seed = rng.getrandbits(32)
            order = blocks.order(list(self.running), self.pairs, rng)
            first = len(rows)
            for position, name in enumerate(order):
                if self.deadline.passed:
                    self.launch.cut = True
                    break
                rows.append(self._slice(name, mode, block, position, seed))
            block += 1
            self._grow(rows[first:])
            if block < wanted and not self.launch.cut:
                continue  # there cannot be enough yet
            causes = disturbance.causes(rows, len(self.cores))
            for row, why in zip(rows, causes, strict=True):
                row["why"], row["disturbed"] = why, bool(why)
            fewest = blocks.fewest(rows, self.pairs)
        self.launch.slices.extend(rows)
        return fewest

    def _slice(
        self, name: str, mode: Mode, block: int, position: int, seed: int
    ) -> dict[str, Any]:
        """Measure one slice, and return its row."""
        schedule, load, drain = self.schedule, self.schedule.load, self.deadline.drain
        users = load.users if mode == "closed" else load.connections
        if mode == "closed":
            seconds, think = schedule.closed_seconds[name], load.think_time
            measured = self.generator.closed(
                name, users, seconds, seed, think, drain=drain
            )
        else:
            seconds, shape = schedule.open_seconds, schedule.shape
            measured = self.generator.open(
                name, schedule.rate, seconds, seed, shape, drain=drain
            )
        target = self.running[name]
        target.check_alive()
        measured = slices.of_load(measured)
        row = slices.row(
            measured, block, position, schedule.rate, users, load.think_time
        )
        row["drain"] = drain
        self.launch.samples.append((row, measured))
        _count_errors(self.launch, measured, target.url)
        if row["given_up"]:
            target.settle(self.deadline.drain)
        return row

    def _grow(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Make more users where many arrivals, of several slices, found too few.

        A few slices may have met a pause of the machine: their many arrivals at once
        are no part of the load, and who is made for them may have to log in.
        """
        for row in (row for row in rows if row["mode"] == "open"):
            self.arrivals[row["variant"]] += row["planned"]
            self.short[row["variant"]] += row["short"]
        self.peaks += [row["peak"] for row in rows if disturbance.too_few(row)]
        many = any(
            short > disturbance.SHARE * max(self.arrivals[name], ENOUGH_ARRIVALS)
            for name, short in self.short.items()
        )
        if len(self.peaks) < 2 or not many:
            return
        load = self.schedule.load
        users = min(most_users(load), sorted(self.peaks)[-2])
        if users > self.launch.users:
            self.generator.grow(users)
            self.launch.users = users


def most_users(load: Load) -> int:
    """Return how many users a load may have."""
    return max(load.users, load.connections)


def _count_errors(launch: Launch, measured: Slice, url: str) -> None:
    counted = launch.errors.setdefault(measured.variant, Counter())
    for error, times in [*measured.errors.items(), *measured.raised.items()]:
        # The port is another one in every launch, the error is not.
        counted[error.replace(url, "")] += times
