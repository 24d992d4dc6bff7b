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

from assay import disturbance, slices
from assay.errors import MeasureError
from assay.load.remote import Generator, Slice
from assay.load.shapes import Shape
from assay.plan import MODES, Load, Mode, Topic, modes_of, requests_needed
from assay.processes import memory_peak
from assay.target import RunningTarget

# Where a machine's speed jumps by half every tenth of a second, as beside a busy
# neighbour on the same physical core, two slices differ by as much however long they
# are, and a median of many short ones is known far better than one of few long ones.
CLOSED_SECONDS, OPEN_SECONDS, LONGEST_SLICE = 0.0125, 0.02, 2.0
REQUESTS_PER_SLICE = 25
# So few that fifteen launches take less than a minute (see `Settings.looks`): of CPU
# time another launch soon says more than another block does. Latency gets most of the
# time: a queue makes more of whatever happens to a core, and a comparison is decided
# no sooner than its noisiest metric.
CLOSED_BLOCKS, OPEN_BLOCKS, FEWEST_BLOCKS = 20, 28, 4
SHAPED_BLOCKS = 2  # of an arrival rate with a shape, each of which takes seconds
# What a claimed quantile may take of a launch, in open-loop seconds of a variant.
LONGEST_OPEN = 20.0
# A service that has answered so many requests is warm; a slower one is given longer.
WARM_UP_SECONDS, WARM_UP_REQUESTS, WARM_UP_MORE = 0.15, 200, 0.1
# A rate that the generator cannot keep is lowered to this share of it, so often: one
# at which it is late in so many of so many slices, this long, unless it is hardly busy.
FEWER, FEWER_TIMES = 0.75, 6
LATE, TRIED, TRIED_SECONDS, BUSY = 3, 8, 0.08, 0.2
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
    """

    load: Load
    rate: float
    closed_seconds: Mapping[str, float]
    open_seconds: float
    closed_blocks: int
    open_blocks: int
    shape: Shape | None = None
    wanted: float = 0.0


@dataclass
class Launch:
    """What one launch measured.

    Attributes:
        slices: One dictionary for each slice, see `RunDirectory.slices`.
        values: One number for each variant and metric, and whether it is only a
            lower bound.
        counts: Whether enough blocks were undisturbed.
        errors: Request errors and how often they came, by variant.
    """

    slices: list[dict[str, Any]] = field(default_factory=list)
    samples: list[tuple[dict[str, Any], Slice]] = field(default_factory=list)
    values: dict[tuple[str, str], tuple[float, bool]] = field(default_factory=dict)
    errors: dict[str, Counter[str]] = field(default_factory=dict)
    counts: bool = True


def warm_up(
    generator: Generator, topic: Topic, running: Sequence[RunningTarget]
) -> None:
    """Open every connection, then load every variant for a moment."""
    for target in running:
        name = target.variant.name
        if slices.given_up(generator.touch(name).columns).any():
            target.settle()  # more connections at once than it has patience for
        users = topic.scenario.load.users
        first = generator.closed(name, users, WARM_UP_SECONDS)
        target.check_alive()
        if first.requests and first.failed == first.requests:
            errors = "\n".join(f"    {error}" for error in list(first.errors)[:3])
            raise MeasureError(
                f"{topic.scenario.locustfile}: every request to variant {name!r} "
                f"failed:\n{errors}\n  does the locustfile ask for paths that the "
                "target has?"
            )
        if first.requests < WARM_UP_REQUESTS:
            generator.closed(name, users, WARM_UP_MORE)
            target.check_alive()


def calibrate(
    generator: Generator,
    topic: Topic,
    names: Sequence[str],
    metrics: Collection[str] = (),
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
    """
    load = topic.scenario.load
    tried = {name: generator.closed(name, load.users, 0.3) for name in names}
    capacity = {name: slices.throughput(measured) for name, measured in tried.items()}
    per_task = _requests_per_task(tried)
    wanted = load.arrival_rate or load.utilisation * min(
        capacity[name] / per_task[name] for name in names
    )
    rate = wanted if load.arrival_rate else _in_time(generator, tried, wanted)
    requests_per_second = rate * min(per_task.values())
    closed = {
        name: _slice_seconds(CLOSED_SECONDS, per_second)
        for name, per_second in capacity.items()
    }
    shape = None
    open_ = _slice_seconds(OPEN_SECONDS, requests_per_second)
    judged = {mode for metric in metrics for mode in modes_of(metric)}
    judged = judged if metrics else set(MODES)
    open_blocks = _blocks(OPEN_BLOCKS, OPEN_SECONDS, open_, "open" in judged)
    if load.times:
        shape = Shape(load.times, load.multiples).times_rate(rate)
        open_, open_blocks = shape.duration, SHAPED_BLOCKS
    if load.think_time:
        closed = dict.fromkeys(names, LONGEST_SLICE)
    # Long slices hold more each: fewer of them carry the same information, and
    # a launch must stay short, because launches are what counts.
    longest = max(closed.values())
    open_blocks = _enough(open_blocks, open_, requests_per_second, metrics)
    return Schedule(
        load=load,
        rate=rate,
        closed_seconds=closed,
        open_seconds=open_,
        closed_blocks=_blocks(
            CLOSED_BLOCKS, CLOSED_SECONDS, longest, "closed" in judged
        ),
        open_blocks=open_blocks,
        shape=shape,
        wanted=wanted,
    )


def _requests_per_task(tried: Mapping[str, Slice]) -> dict[str, float]:
    """Return how many requests an arrival makes, which is a task, by variant."""
    return {
        name: max(measured.requests, 1) / max(measured.planned, 1)
        for name, measured in tried.items()
    }


def _in_time(generator: Generator, tried: Mapping[str, Slice], wanted: float) -> float:
    """Return the rate at which the generator sends arrivals when they are due.

    One that is the limit itself would disturb nearly every slice. It is tried with
    the variant whose answers cost it most. Where it is late at any rate, having work
    to do before each request, a lower one is no help.
    """
    costs = {
        name: measured.generator_cpu / max(measured.requests, 1)
        for name, measured in tried.items()
    }
    name, rate = max(costs, key=lambda one: costs[one]), wanted
    for _ in range(FEWER_TIMES):
        if _keeps(generator, name, rate):
            return rate
        rate *= FEWER
    return wanted


def _keeps(generator: Generator, name: str, rate: float) -> bool:
    """Say whether the generator sends arrivals at this rate when they are due.

    A slice that is late can have been held up by something else, and one in time can
    hold arrivals that happen to lie apart: several tell. All launches have the rate
    that is chosen here, and do not count if most of their slices are late.
    """
    late, seconds = 0, _slice_seconds(TRIED_SECONDS, rate)
    for seed in range(TRIED):
        measured = generator.open(name, rate, seconds, seed)
        if disturbance.late(slices.row(measured, 0, 0, rate, 0)):
            late += 1
            if late == LATE:
                return False
        elif measured.generator_cpu < BUSY * measured.duration:
            return True
    return True


def measure(
    generator: Generator,
    running: Mapping[str, RunningTarget],
    schedule: Schedule,
    pairs: Sequence[tuple[str, str]],
    cores: Sequence[int],
    rng: random.Random,
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
    """
    launch = Launch()
    # A generator of its own for each mode: blocks that one repeats must not change
    # what the next one draws.
    draws = {mode: random.Random(rng.getrandbits(64)) for mode in MODES}
    for mode in MODES:
        wanted = schedule.closed_blocks if mode == "closed" else schedule.open_blocks
        fewest = _blocks_of(
            launch,
            generator,
            running,
            schedule,
            mode,
            wanted,
            pairs,
            cores,
            draws[mode],
        )
        launch.counts = launch.counts and fewest * 2 >= wanted
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


def _blocks_of(
    launch: Launch,
    generator: Generator,
    running: Mapping[str, RunningTarget],
    schedule: Schedule,
    mode: Mode,
    wanted: int,
    pairs: Sequence[tuple[str, str]],
    cores: Sequence[int],
    rng: random.Random,
) -> int:
    """Measure blocks of one mode until every pair has enough; return the fewest."""
    load = schedule.load
    users = load.users if mode == "closed" else load.connections
    rows: list[dict[str, Any]] = []
    block, fewest = 0, 0
    while fewest < wanted and block < wanted * REPEAT:
        # The same arrivals for every variant of a block: what differs between
        # its slices is the variant and the moment, not the luck of the draw.
        seed = rng.getrandbits(32)
        order = _order(list(running), pairs, rng)
        for position, name in enumerate(order):
            if mode == "closed":
                seconds = schedule.closed_seconds[name]
                measured = generator.closed(
                    name, load.users, seconds, seed, load.think_time
                )
            else:
                measured = generator.open(
                    name,
                    schedule.rate,
                    schedule.open_seconds,
                    seed,
                    schedule.shape,
                )
            running[name].check_alive()
            row = slices.row(measured, block, position, schedule.rate, users)
            rows.append(row)
            launch.samples.append((row, measured))
            _count_errors(launch, measured, running[name].url)
            if slices.given_up(measured.columns).any():
                running[name].settle()
        block += 1
        if block < wanted:
            continue  # there cannot be enough yet
        for row, why in zip(rows, disturbance.causes(rows, len(cores)), strict=True):
            row["why"], row["disturbed"] = why, bool(why)
        fewest = _fewest_blocks(rows, pairs)
    launch.slices.extend(rows)
    return fewest


def _order(
    names: Sequence[str], pairs: Sequence[tuple[str, str]], rng: random.Random
) -> list[str]:
    """Draw the order of a block: at random, but what is compared stays together.

    Two slices differ by more the further they are apart, and with ten variants in one
    block those of a pair would be four slices apart on average.
    """
    group = {name: [name] for name in names}
    for one, other in pairs:
        if group[one] is not group[other]:
            group[one] += group[other]
            group.update(dict.fromkeys(group[other], group[one]))
    groups = [group[name] for name in names if group[name][0] == name]
    rng.shuffle(groups)
    return [name for each in groups for name in rng.sample(each, len(each))]


def _fewest_blocks(
    rows: Sequence[Mapping[str, Any]], pairs: Sequence[tuple[str, str]]
) -> int:
    """Return how many undisturbed blocks the pair has that has fewest."""
    fine: dict[str, set[int]] = {}
    for row in rows:
        if not row["disturbed"]:
            fine.setdefault(row["variant"], set()).add(row["block"])
    none: set[int] = set()
    return min(len(fine.get(a, none) & fine.get(b, none)) for a, b in pairs)


def _count_errors(launch: Launch, measured: Slice, url: str) -> None:
    counted = launch.errors.setdefault(measured.variant, Counter())
    for error, times in measured.errors.items():
        # The port is another one in every launch, the error is not.
        counted[error.replace(url, "")] += times


def _slice_seconds(shortest: float, per_second: float) -> float:
    enough = REQUESTS_PER_SLICE / max(per_second, 1e-9)
    return min(max(shortest, enough), LONGEST_SLICE)


def _blocks(most: int, shortest: float, seconds: float, judged: bool = True) -> int:
    blocks = max(FEWEST_BLOCKS, min(most, round(most * shortest / seconds)))
    return blocks if judged else blocks // 2


def _enough(
    blocks: int, seconds: float, requests_per_second: float, metrics: Collection[str]
) -> int:
    """Return how many open blocks hold what the quantiles need, within reason."""
    for needed in map(requests_needed, metrics):
        # Arrivals are Poisson: a launch in a thousand may have too few.
        requests = needed + 3 * math.sqrt(needed)
        enough = math.ceil(requests / (max(requests_per_second, 1e-9) * seconds))
        if enough * seconds <= LONGEST_OPEN:
            blocks = max(blocks, enough)
    return blocks
