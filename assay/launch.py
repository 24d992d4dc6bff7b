"""One launch: fresh servers, then many blocks of short slices.

A block is one slice of every variant, back to back, in an order drawn anew. The
host's speed wanders over tenths of seconds, so what is compared must be close in
time; and a launch has a speed of its own, so it counts as one number.
"""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import MeasureError
from assay.load.remote import Generator, Slice
from assay.plan import Load, Mode, Topic
from assay.processes import memory_peak
from assay.target import RunningTarget

CLOSED_SECONDS, OPEN_SECONDS, LONGEST_SLICE = 0.05, 0.08, 2.0
REQUESTS_PER_SLICE = 25
# Beyond six blocks or so another launch says more than another block does.
CLOSED_BLOCKS, OPEN_BLOCKS, FEWEST_BLOCKS = 8, 6, 4
WARM_UP_SECONDS = 0.25
REPEAT = 3  # disturbed blocks are repeated, up to this many times the plan

RUN_DELAY_SHARE = 0.05
SPREAD = 4  # of median - quartile: some two standard deviations above the median
LAG_P99 = 1.5e-3

# A quantile needs this many samples beyond it in every launch.
BEYOND = 5
QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}

MODES: tuple[Mode, ...] = ("closed", "open")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Schedule:
    """How a topic's launches are measured; the same for all of them.

    Attributes:
        rate: Arrivals per second of the open loop, for every variant.
        closed_seconds: Length of a closed-loop slice of each variant.
        open_seconds: Length of an open-loop slice.
        closed_blocks: Undisturbed blocks wanted of each kind.
        open_blocks: The same for the open loop.
    """

    load: Load
    rate: float
    closed_seconds: Mapping[str, float]
    open_seconds: float
    closed_blocks: int
    open_blocks: int


@dataclass
class Launch:
    """What one launch measured.

    Attributes:
        slices: One dictionary for each slice, see `RunDirectory.slices`.
        values: One number for each variant and metric.
        counts: Whether enough blocks were undisturbed.
        errors: Request errors and how often they came, by variant.
    """

    slices: list[dict[str, Any]] = field(default_factory=list)
    samples: list[tuple[dict[str, Any], Slice]] = field(default_factory=list)
    values: dict[tuple[str, str], float] = field(default_factory=dict)
    errors: dict[str, dict[str, int]] = field(default_factory=dict)
    counts: bool = True


def warm_up(
    generator: Generator, topic: Topic, running: Sequence[RunningTarget]
) -> None:
    """Open every connection, then load every variant for a moment."""
    for target in running:
        name = target.variant.name
        generator.touch(name)
        first = generator.closed(name, topic.scenario.load.users, WARM_UP_SECONDS)
        target.check_alive()
        if first.requests and first.failed == first.requests:
            errors = "\n".join(f"    {error}" for error in list(first.errors)[:3])
            raise MeasureError(
                f"{topic.scenario.locustfile}: every request to variant {name!r} "
                f"failed:\n{errors}\n  does the locustfile ask for paths that the "
                "target has?"
            )


def calibrate(generator: Generator, topic: Topic, names: Sequence[str]) -> Schedule:
    """Choose rate and slice lengths from each variant's capacity.

    Call it on warm servers, once for a topic.
    """
    load = topic.scenario.load
    capacity = {
        name: throughput(generator.closed(name, load.users, 0.3)) for name in names
    }
    rate = load.arrival_rate or load.utilisation * min(capacity.values())
    closed = {
        name: _slice_seconds(CLOSED_SECONDS, per_second)
        for name, per_second in capacity.items()
    }
    open_ = _slice_seconds(OPEN_SECONDS, rate)
    # Long slices hold more each: fewer of them carry the same information, and
    # a launch must stay short, because launches are what counts.
    longest = max(closed.values())
    return Schedule(
        load=load,
        rate=rate,
        closed_seconds=closed,
        open_seconds=open_,
        closed_blocks=_blocks(CLOSED_BLOCKS, CLOSED_SECONDS, longest),
        open_blocks=_blocks(OPEN_BLOCKS, OPEN_SECONDS, open_),
    )


def measure(
    generator: Generator,
    running: Mapping[str, RunningTarget],
    schedule: Schedule,
    cores: int,
    rng: random.Random,
) -> Launch:
    """Measure the blocks of one launch, on warm servers pinned to `cores` cores."""
    launch = Launch()
    good_closed, good_open = (
        _blocks_of(launch, generator, running, schedule, mode, cores, rng)
        for mode in MODES
    )
    launch.counts = (
        good_closed * 2 >= schedule.closed_blocks
        and good_open * 2 >= schedule.open_blocks
    )
    for name, target in running.items():
        launch.values.update(_values(launch, name))
        if target.child and target.startup is not None:
            launch.values[name, "startup"] = target.startup
            launch.values[name, "memory.peak"] = memory_peak(target.child.pid)
    return launch


def throughput(measured: Slice) -> float:
    """Return the requests per second of a closed loop.

    Every request that the slice began counts, over the time until the last of
    them ended: a server at capacity works all that time, so nothing is cut off at
    either edge. (Users' own rates would count a short first round as typical.)
    """
    ends = measured.columns["end"]
    answered = ends[~np.isnan(ends)]
    if len(answered) == 0:
        return 0.0
    return len(answered) / (float(answered.max()) - measured.began)


def disturbed_blocks(slices: Sequence[Mapping[str, Any]], cores: int = 0) -> set[int]:
    """Return the numbers of the blocks of one mode that something disturbed.

    A block is disturbed if the generator itself was late, or if a neighbour kept
    the server from its core. For that the server must have waited for a share of
    the slice that is unusual for this variant, since the threads of one server
    delay each other too: 5 points above its lower quartile, or more where its
    quiet slices themselves vary more. And its own CPU time must leave room for a
    neighbour: who had its cores for 95 % of the time was not robbed of more.

    Args:
        slices: Rows of one launch and one mode.
        cores: How many cores the target is pinned to; 0 if it is not.
    """
    shares: dict[str, list[float]] = {}
    for row in slices:
        share = row["run_delay"] / row["duration"]
        shares.setdefault(row["variant"], []).append(share)
    usual = {}
    for name, values in shares.items():
        quartile, median = np.quantile(values, [0.25, 0.5])
        usual[name] = quartile + max(RUN_DELAY_SHARE, SPREAD * (median - quartile))
    return {
        row["block"]
        for row in slices
        if (row["mode"] == "open" and row["lag_p99"] > LAG_P99)
        or (
            row["run_delay"] / row["duration"] > usual[row["variant"]]
            and not (
                cores and row["cpu"] / row["duration"] > cores * (1 - RUN_DELAY_SHARE)
            )
        )
    }


def _blocks_of(
    launch: Launch,
    generator: Generator,
    running: Mapping[str, RunningTarget],
    schedule: Schedule,
    mode: Mode,
    cores: int,
    rng: random.Random,
) -> int:
    """Measure blocks of one mode until enough are undisturbed; return how many."""
    wanted = schedule.closed_blocks if mode == "closed" else schedule.open_blocks
    rows: list[dict[str, Any]] = []
    bad: set[int] = set()
    block, good = 0, 0
    while good < wanted and block < wanted * REPEAT:
        # The same arrivals for every variant of a block: what differs between
        # its slices is the variant and the moment, not the luck of the draw.
        seed = rng.getrandbits(32)
        order = list(running)
        rng.shuffle(order)
        for position, name in enumerate(order):
            if mode == "closed":
                seconds = schedule.closed_seconds[name]
                measured = generator.closed(name, schedule.load.users, seconds)
            else:
                measured = generator.open(
                    name, schedule.rate, schedule.open_seconds, seed
                )
            running[name].check_alive()
            row = _row(measured, block, position, schedule)
            rows.append(row)
            launch.samples.append((row, measured))
            _count_errors(launch, measured)
        block += 1
        bad = disturbed_blocks(rows, cores)
        good = block - len(bad)
    for row in rows:
        row["disturbed"] = row["block"] in bad
    launch.slices.extend(rows)
    return good


def _row(
    measured: Slice, block: int, position: int, schedule: Schedule
) -> dict[str, Any]:
    """Return a slice as a row of slices.parquet."""
    columns, closed = measured.columns, measured.mode == "closed"
    fine = columns["failed"] == 0
    service = (columns["end"] - columns["start"])[fine]
    waited = _latencies(measured)
    requests = max(measured.requests, 1)
    return {
        "block": block,
        "position": position,
        "variant": measured.variant,
        "mode": measured.mode,
        "started": measured.began,
        "duration": measured.duration,
        "planned": measured.planned,
        "done": measured.done,
        "dropped": measured.dropped,
        "unserved": measured.unserved,
        "requests": measured.requests,
        "failed": measured.failed,
        "rate": math.nan if closed else schedule.rate,
        "users": schedule.load.users if closed else schedule.load.connections,
        "cpu": measured.cpu,
        "run_delay": measured.run_delay,
        "generator_cpu": measured.generator_cpu,
        "generator_run_delay": measured.generator_run_delay,
        "lag_p99": measured.lag_p99,
        "disturbed": False,
        "cpu_per_request": measured.cpu / requests if closed else math.nan,
        "throughput": throughput(measured) if closed else math.nan,
        "service_p50": _median(service) if closed else math.nan,
        "latency_p50": math.nan if closed else _median(waited),
        "latency_mean": math.nan if closed else _mean(waited),
    }


def _latencies(measured: Slice) -> Floats:
    """Return the latencies from the scheduled start; infinite if never answered."""
    columns = measured.columns
    answered = ~np.isnan(columns["end"])
    kept = (columns["failed"] == 0) | ~answered
    latencies: Floats = np.where(
        answered, columns["end"] - columns["scheduled"], np.inf
    )[kept]
    return latencies


def _values(launch: Launch, name: str) -> dict[tuple[str, str], float]:
    """Return one number for each metric of one variant, from undisturbed blocks.

    Where every block was disturbed there is nothing to say, and no number.
    """
    rows = [
        row for row in launch.slices if row["variant"] == name and not row["disturbed"]
    ]
    values: dict[str, float] = {}
    for metric, column in (
        ("throughput", "throughput"),
        ("service.p50", "service_p50"),
        ("cpu_per_request", "cpu_per_request"),
    ):
        values[metric] = _median(
            np.array([row[column] for row in rows if row["mode"] == "closed"])
        )
    if values["cpu_per_request"] == 0:
        del values["cpu_per_request"]  # a target that is not our process
    latencies = np.concatenate(
        [np.empty(0)]
        + [
            _latencies(measured)
            for row, measured in launch.samples
            if row["variant"] == name and row["mode"] == "open" and not row["disturbed"]
        ]
    )
    values["latency.mean"] = _mean(latencies)
    for label, share in QUANTILES.items():
        if len(latencies) * (1 - share) >= BEYOND:
            values[f"latency.{label}"] = float(
                np.quantile(latencies, share, method="higher")
            )
    requests = sum(row["requests"] for row in rows)
    planned = sum(row["planned"] for row in rows)
    if requests and planned:
        lost = sum(row["dropped"] + row["unserved"] for row in rows)
        values["errors"] = sum(row["failed"] for row in rows) / requests
        values["dropped"] = lost / planned
    return {
        (name, metric): value
        for metric, value in values.items()
        if math.isfinite(value)
    }


def _count_errors(launch: Launch, measured: Slice) -> None:
    counted = launch.errors.setdefault(measured.variant, {})
    for error, times in measured.errors.items():
        counted[error] = counted.get(error, 0) + times


def _slice_seconds(shortest: float, per_second: float) -> float:
    enough = REQUESTS_PER_SLICE / max(per_second, 1e-9)
    return min(max(shortest, enough), LONGEST_SLICE)


def _blocks(most: int, shortest: float, seconds: float) -> int:
    return max(FEWEST_BLOCKS, min(most, round(most * shortest / seconds)))


def _median(values: Floats) -> float:
    return float(np.median(values)) if len(values) else math.nan


def _mean(values: Floats) -> float:
    return float(np.mean(values)) if len(values) else math.nan
