"""How the launches of a topic are measured: chosen once, on warm servers."""

import math
import os
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from assay.errors import MeasureError
from assay.experiment import blocks, rates, slices
from assay.experiment.deadlines import NEVER, Deadline
from assay.experiment.target import RunningTarget
from assay.load.answers import Slice
from assay.load.control.generator import Generator
from assay.load.shapes import Shape
from assay.metrics import METRICS, MODES
from assay.plan import Load, Topic

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
SPIN = 0.02  # seconds


@dataclass(frozen=True)
class Schedule:
    """How a topic's launches are measured.

    Attributes:
        rate: Arrivals per second of the open loop, for every variant.
        closed_seconds: Length of a closed-loop slice of each variant.
        open_seconds: Length of an open-loop slice.
        closed_blocks: Undisturbed blocks wanted of each kind.
        open_blocks: The same for the open loop.
        open_decides: Whether a verdict depends on the open loop.
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
    open_decides: bool = True
    shape: Shape | None = None
    wanted: float = 0.0
    generator: Mapping[str, float] = field(default_factory=dict)

    def after(self, preparation: float, variants: int) -> "Schedule":
        """Return the schedule of a launch whose preparation took so many seconds."""
        if not self.open_decides or self.shape:
            return self
        seconds = self.open_seconds * variants
        more = blocks.worthwhile(self.open_blocks, seconds, preparation)
        return replace(self, open_blocks=more)


def most_users(load: Load) -> int:
    """Return how many users a load may have."""
    return max(load.users, load.connections)


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
    rate = wanted = load.arrival_rate or load.utilisation * min(
        capacity[name] / per_task[name] for name in names
    )
    if not load.arrival_rate:
        most = most_users(load)
        rate = rates.in_time(generator, topic.name, tried, wanted, deadline, most)
    decides = {mode for metric in metrics for mode in METRICS[metric].load}
    decides = decides if metrics else set(MODES)
    closed_seconds, closed_blocks = _closed(load, tried, capacity, "closed" in decides)
    open_seconds, open_blocks, shape = _open(
        load, rate, rate * min(per_task.values()), metrics, "open" in decides
    )
    return Schedule(
        load=load,
        rate=rate,
        closed_seconds=closed_seconds,
        open_seconds=open_seconds,
        closed_blocks=closed_blocks,
        open_blocks=open_blocks,
        open_decides="open" in decides,
        shape=shape,
        wanted=wanted,
        generator={
            name: measured.generator_cpu / measured.duration
            for name, measured in tried.items()
        },
    )


def _closed(
    load: Load,
    tried: Mapping[str, Slice],
    capacity: Mapping[str, float],
    decides: bool,
) -> tuple[dict[str, float], int]:
    """Return the seconds of a closed slice of each variant, and how many blocks.

    Long slices hold more each: fewer of them carry the same information, and a launch
    must stay short, because launches are what counts.
    """
    seconds = blocks.alike(
        {
            name: blocks.slice_seconds(CLOSED_SECONDS, per_second)
            for name, per_second in capacity.items()
        }
    )
    if load.think_time:
        seconds = dict.fromkeys(capacity, blocks.LONGEST_SLICE)
    longest, busy = max(seconds.values()), _busiest(tried)
    return seconds, blocks.number(CLOSED_BLOCKS, CLOSED_SECONDS, longest, decides, busy)


def _open(
    load: Load,
    rate: float,
    requests_per_second: float,
    metrics: Collection[str],
    decides: bool,
) -> tuple[float, int, Shape | None]:
    """Return the seconds of an open slice, how many blocks, and the rate's shape."""
    shape = None
    seconds = blocks.slice_seconds(OPEN_SECONDS, requests_per_second)
    number = blocks.number(OPEN_BLOCKS, OPEN_SECONDS, seconds, decides)
    if load.times:
        shape = Shape(load.times, load.multiples).times_rate(rate)
        seconds, number = shape.duration, SHAPED_BLOCKS
    return seconds, blocks.enough(number, seconds, requests_per_second, metrics), shape


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
