"""Choose how the launches of a topic are measured, once, on warm servers."""

import math
import os
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from assay.errors import MeasureError
from assay.experiment import blocks, rates, request_times, slices
from assay.experiment.deadlines import NEVER, Deadline
from assay.experiment.target import RunningTarget
from assay.load.answers import Slice
from assay.load.control.generator import Generator
from assay.load.shapes import Shape
from assay.metrics import METRICS, MODES, Mode
from assay.plan import Load, Topic

# The shortest slices. On a machine whose speed changes by half every tenth of a second,
# for example beside a busy neighbour on the same physical core, two long slices differ
# by as much as two short ones. The median of many short slices is then far more precise
# than the median of a few long ones.
CLOSED_SECONDS = 0.0125
OPEN_SECONDS = 0.02
# The number of blocks, for the shortest slices. With this number, fifteen launches take
# less than a minute (see `Settings.looks`). Beyond a few blocks, one more launch tells
# more about CPU time than one more block.
# Latency gets most of the time: a queue amplifies whatever happens to a core, and a
# comparison is decided no sooner than its noisiest metric.
CLOSED_BLOCKS = 20
OPEN_BLOCKS = 28
SHAPED_BLOCKS = 2  # number of blocks if the rate has a shape: each takes seconds
TRIAL_SECONDS = 0.3  # length of the closed loop that finds a variant's capacity
WARM_UP_SECONDS = 0.15
# A service that has answered this many requests is warm; one that has answered fewer
# gets more time.
WARM_UP_REQUESTS = 60
EXTRA_WARM_UP_SECONDS = 0.1
SPIN_SECONDS = 0.02


@dataclass(frozen=True)
class Schedule:
    """How a topic's launches are measured.

    Attributes:
        load: The load that the topic asks for.
        rate: Arrivals per second of the open loop, for every variant.
        closed_seconds: Length of a closed-loop slice of each variant.
        open_seconds: Length of an open-loop slice.
        closed_blocks: Undisturbed closed-loop blocks that a launch needs.
        open_blocks: Undisturbed open-loop blocks that a launch needs.
        open_decides: Whether a verdict depends on the open loop.
        request_seconds: Seconds per variant for the times of single requests; 0 if they
            are not judged.
        shape: How the arrival rate changes over an open-loop slice, if it does.
        requested_rate: The rate that the load asks for. It is higher than `rate` if
            the generator cannot send that many arrivals on time.
        generator_share: For each variant, the share of its core that the generator
            used in the variant's trial, a short closed loop.
        target_cores: The number of cores that each variant used in its trial.
        capacity: Tasks per second of each variant in its trial.
    """

    load: Load
    rate: float
    closed_seconds: Mapping[str, float]
    open_seconds: float
    closed_blocks: int
    open_blocks: int
    open_decides: bool = True
    request_seconds: float = 0.0
    shape: Shape | None = None
    requested_rate: float = 0.0
    generator_share: Mapping[str, float] = field(default_factory=dict)
    target_cores: Mapping[str, float] = field(default_factory=dict)
    capacity: Mapping[str, float] = field(default_factory=dict)

    def extended_for(self, preparation: float, variants: int) -> "Schedule":
        """Return the schedule of a launch whose preparation took this many seconds."""
        if not self.open_decides or self.shape:
            return self
        block_seconds = self.open_seconds * variants
        open_blocks = blocks.extend_for_preparation(
            self.open_blocks, block_seconds, preparation
        )
        return replace(self, open_blocks=open_blocks)


def max_users(load: Load) -> int:
    """Return the largest number of users that a load allows."""
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
        if slices.given_up(touched.request_columns).any():
            target.settle()  # the target got more connections than it can answer
        users = topic.scenario.load.users
        drain = deadline.drain
        first = generator.closed(name, users, WARM_UP_SECONDS, drain=drain)
        target.check_alive()
        rates.check_answers(topic.name, first, users)
        _check_any_success(topic, first)
        if touched.requests + first.requests < WARM_UP_REQUESTS:
            drain = deadline.drain
            extra = generator.closed(name, users, EXTRA_WARM_UP_SECONDS, drain=drain)
            target.check_alive()
            rates.check_answers(topic.name, extra, users)


def _check_any_success(topic: Topic, first: Slice) -> None:
    """Check that not every request failed, and that tasks reached their requests.

    Raises:
        MeasureError: All requests failed, or tasks raised exceptions and no request was
            sent.
    """
    all_requests_failed = bool(first.requests and first.failed == first.requests)
    all_tasks_raised = bool(first.raised and not first.requests)
    if all_requests_failed or all_tasks_raised:
        errors = first.errors if all_requests_failed else first.raised
        unit = "request" if all_requests_failed else "task"
        listed = "\n".join(f"    {error}" for error in list(errors)[:3])
        raise MeasureError(
            f"{topic.scenario.locustfile}: every {unit} to variant {first.variant!r} "
            f"failed:\n{listed}\n  does the locustfile ask for paths that the "
            "target has?"
        )


def calibrate(
    generator: Generator,
    topic: Topic,
    names: Sequence[str],
    metrics: Collection[str] = (),
    deadline: Deadline = NEVER,
) -> Schedule:
    """Choose the arrival rate and the slices from the capacity of each variant.

    The servers must be warm. One call is enough for a topic.

    Args:
        generator: The generator, with the variants attached.
        topic: The topic whose load is measured.
        names: The variants.
        metrics: The metrics that verdicts depend on. A launch is made long enough for
            their quantiles, within limits. A load, open or closed, that measures none
            of these metrics gets half the time. If this is empty, no quantile is taken
            into account, and both loads get all of their time.
        deadline: No further arrival rate is tried after it.

    Raises:
        MeasureError: A variant answers nothing.
    """
    load = topic.scenario.load
    trials = _try_closed_loops(generator, topic, names, deadline)
    capacity = {
        name: slices.throughput(trial, load.users) for name, trial in trials.items()
    }
    per_task = _requests_per_task(trials)
    requested_rate = load.arrival_rate or load.utilisation * min(
        capacity[name] / per_task[name] for name in names
    )
    rate = requested_rate
    if not load.arrival_rate:
        rate = rates.sustainable_rate(
            generator, topic.name, trials, requested_rate, deadline, max_users(load)
        )
    decides = _deciding_modes(metrics)
    closed_seconds, closed_blocks = _closed_blocks(
        load, trials, capacity, "closed" in decides
    )
    open_seconds, open_blocks, shape = _open_blocks(
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
        request_seconds=(
            request_times.try_alone(generator, names, deadline)
            if topic.scenario.each_request
            else 0.0
        ),
        shape=shape,
        requested_rate=requested_rate,
        generator_share=_generator_shares(trials),
        target_cores={n: trial.cpu / trial.duration for n, trial in trials.items()},
        capacity={name: capacity[name] / per_task[name] for name in names},
    )


def _try_closed_loops(
    generator: Generator, topic: Topic, names: Sequence[str], deadline: Deadline
) -> dict[str, Slice]:
    """Run a short closed loop of every variant.

    Raises:
        MeasureError: A variant answers nothing.
    """
    users = topic.scenario.load.users
    trials = {
        name: generator.closed(name, users, TRIAL_SECONDS, drain=deadline.drain)
        for name in names
    }
    for trial in trials.values():
        rates.check_answers(topic.name, trial, users)
    return trials


def _deciding_modes(metrics: Collection[str]) -> set[Mode]:
    """Return the loads under which the given metrics are measured; all if empty."""
    if not metrics:
        return set(MODES)
    return {mode for metric in metrics for mode in METRICS[metric].load}


def _closed_blocks(
    load: Load,
    trials: Mapping[str, Slice],
    capacity: Mapping[str, float],
    decides: bool,
) -> tuple[dict[str, float], int]:
    """Return the length of a closed slice of each variant, and the number of blocks.

    A long slice holds more requests, so fewer slices carry the same information. A
    launch must stay short: many short launches tell more than a few long ones.
    """
    seconds = blocks.equalise_lengths(
        {
            name: blocks.slice_seconds(CLOSED_SECONDS, per_second)
            for name, per_second in capacity.items()
        }
    )
    if load.think_time:
        seconds = dict.fromkeys(capacity, blocks.MAX_SLICE_SECONDS)
    longest, cpu_share = max(seconds.values()), _max_cpu_share(trials)
    return seconds, blocks.block_count(
        CLOSED_BLOCKS, CLOSED_SECONDS, longest, decides, cpu_share
    )


def _open_blocks(
    load: Load,
    rate: float,
    requests_per_second: float,
    metrics: Collection[str],
    decides: bool,
) -> tuple[float, int, Shape | None]:
    """Return an open slice's length, the number of blocks, and the rate's shape."""
    shape = None
    seconds = blocks.slice_seconds(OPEN_SECONDS, requests_per_second)
    count = blocks.block_count(OPEN_BLOCKS, OPEN_SECONDS, seconds, decides)
    if load.times:
        shape = Shape(load.times, load.multiples).times_rate(rate)
        seconds, count = shape.duration, SHAPED_BLOCKS
    count = blocks.extend_for_quantiles(count, seconds, requests_per_second, metrics)
    return seconds, count, shape


def _max_cpu_share(trials: Mapping[str, Slice]) -> float:
    """Return the largest share of a core that a variant used; 1 if it is unknown."""
    shares = [trial.cpu / trial.duration for trial in trials.values()]
    return max(shares) if all(shares) else 1.0


def _generator_shares(trials: Mapping[str, Slice]) -> dict[str, float]:
    """Return the share of its core that the generator used, by variant."""
    return {
        name: trial.generator_cpu / trial.duration for name, trial in trials.items()
    }


def _requests_per_task(trials: Mapping[str, Slice]) -> dict[str, float]:
    """Return how many requests one task makes, by variant; each arrival is a task."""
    return {
        name: max(trial.requests, 1) / max(trial.planned, 1)
        for name, trial in trials.items()
    }


def spin(cores: Sequence[int]) -> float:
    """Return the seconds that a fixed piece of work takes on the target's core.

    The result shows the speed of the machine itself, independent of the target.
    """
    pinnable = bool(cores) and hasattr(os, "sched_setaffinity")
    previous_cores = os.sched_getaffinity(0) if pinnable else set()
    if pinnable:
        os.sched_setaffinity(0, cores[:1])
    try:
        quickest, until = math.inf, time.perf_counter() + SPIN_SECONDS
        while time.perf_counter() < until:
            began = time.perf_counter()
            for _ in range(20_000):
                pass
            quickest = min(quickest, time.perf_counter() - began)
    finally:
        if pinnable:
            os.sched_setaffinity(0, previous_cores)
    return quickest
