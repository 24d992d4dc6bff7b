"""Makes the rows of a run's tables from the measurements of a launch."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from assay.load.answers import Slice
from assay.load.protocol import request_label
from assay.metrics import Mode

# What disturbed a slice; empty if nothing did. See `assay.experiment.disturbance`.
Disturbance = Literal["", "neighbour", "generator", "stall", "users", "time"]


@dataclass
class SliceRow:
    """One slice, as a row of slices.parquet; times in seconds.

    Attributes:
        block: Number of its block among those of its mode in the launch.
        position: Its place within the block.
        variant: Name of its variant.
        mode: Its load, closed or open loop.
        started: The time when it began.
        duration: Time until its last request ended or was given up.
        occupied: Time in which at least one request was under way.
        planned: Arrivals of the open loop, or tasks that the closed loop began.
        done: Planned arrivals or tasks that were done.
        dropped: Arrivals that were dropped because too many were waiting.
        unserved: Planned arrivals or tasks that were not answered in time.
        given_up: Requests that the client, or the end of the slice, gave up.
        short: Arrivals that found no idle user although more users were allowed.
        peak: The largest number of arrivals that were in flight or waiting at once.
        requests: Number of requests.
        failed: Failed requests, and tasks that raised an exception although none of
            their requests failed; at most `requests`.
        latencies: Number of latencies in the percentiles, including those of dropped
            arrivals; 0 in a closed loop.
        rate: Arrivals per second; NaN in a closed loop.
        users: Users of the closed loop, or the limit of users of the open loop.
        cpu: CPU seconds of the target's processes.
        run_delay: Seconds that the target's threads were runnable but not running.
        foreign: Seconds that the target's cores worked for other processes; NaN if
            unknown.
        generator_cpu: CPU seconds of the generator.
        generator_run_delay: Seconds that the generator was runnable but not running.
        lag_p99: How late the generator began tasks: 99th percentile.
        stall: The longest delay of the generator's own heartbeat.
        cpu_per_request: CPU seconds per request; NaN without a request.
        throughput: Requests per second; NaN in an open loop.
        service_p50: Median response time of successful requests; NaN in an open loop.
        latency_p50: Median latency; NaN in a closed loop. Requests that were given up
            and arrivals that were dropped count as infinite.
        latency_mean: Mean latency, with the same infinite values; NaN in a closed loop.
        drain: Longest time that the slice may wait for its last answers.
        disturbed: Whether anything disturbed it.
        why: What disturbed it; empty if nothing did.
        cut: Whether the end of the time budget cut its launch short.
    """

    block: int
    position: int
    variant: str
    mode: Mode
    started: float
    duration: float
    occupied: float
    planned: int
    done: int
    dropped: int
    unserved: int
    given_up: int
    short: int
    peak: int
    requests: int
    failed: int
    latencies: int
    rate: float
    users: int
    cpu: float
    run_delay: float
    foreign: float
    generator_cpu: float
    generator_run_delay: float
    lag_p99: float
    stall: float
    cpu_per_request: float
    throughput: float
    service_p50: float
    latency_p50: float
    latency_mean: float
    drain: float
    disturbed: bool = False
    why: Disturbance = ""
    cut: bool = False


@dataclass(frozen=True)
class TestRow:
    """One benchmark of one side in one launch, as a row of tests.parquet.

    Attributes:
        test: The node id of the benchmark.
        variant: Name of its variant.
        seconds: Median seconds of one call; None if there is no number.
        problem: Why there is no number; empty if there is one.
    """

    __test__ = False  # pytest would collect it

    test: str
    variant: str
    seconds: float | None
    problem: str = ""


@dataclass(frozen=True)
class RequestRow:
    """One request of one variant in one launch, as a row of requests.parquet.

    Attributes:
        request: The request as people write it: ``GET /item``.
        variant: Name of its variant.
        seconds: Lower quartile of its response times, one after the other.
        answers: How many response times there were.
    """

    request: str
    variant: str
    seconds: float
    answers: int


MeasuredSlices = Sequence[tuple[SliceRow, Slice]]


def slices(
    topic: str, number: int, measured: Sequence[SliceRow], origin: float = 0.0
) -> list[dict[str, object]]:
    """Return the slices of a launch as the rows of `RunDirectory.slices`.

    Args:
        topic: Name of the topic.
        number: Number of the launch.
        measured: Slices of the launch.
        origin: The point in time that `started` becomes relative to.
    """
    return [
        {
            "topic": topic,
            "launch": number,
            **asdict(replace(row, started=row.started - origin)),
        }
        for row in measured
    ]


def values(
    topic: str, number: int, values: Mapping[tuple[str, str], tuple[float, bool]]
) -> list[dict[str, object]]:
    """Return the numbers of a launch as the rows of `RunDirectory.launches`."""
    return [
        {
            "topic": topic,
            "launch": number,
            "variant": variant,
            "metric": metric,
            "value": value,
            "censored": censored,
        }
        for (variant, metric), (value, censored) in values.items()
    ]


def tests(topic: str, number: int, kept: Sequence[TestRow]) -> list[dict[str, object]]:
    """Return the tests of a launch as the rows of `RunDirectory.tests`."""
    return [
        {
            "topic": topic,
            "launch": number,
            **asdict(row),
            "seconds": float("nan") if row.seconds is None else row.seconds,
        }
        for row in kept
    ]


def requests(
    topic: str, number: int, kept: Sequence[RequestRow]
) -> list[dict[str, object]]:
    """Return the requests of a launch as the rows of `RunDirectory.requests`."""
    return [{"topic": topic, "launch": number, **asdict(row)} for row in kept]


def samples(number: int, measured: MeasuredSlices, origin: float) -> Any:
    """Return the requests of a launch as the table of `RunDirectory.samples`.

    Args:
        number: Number of the launch.
        measured: Rows and slices of the launch.
        origin: The point in time that `scheduled`, `start` and `end` become relative
            to.

    Returns:
        A DataFrame, or None if there is no slice.
    """
    import numpy as np
    import pandas as pd

    if not measured:
        return None
    rows, slices = zip(*measured, strict=True)
    counts = [len(slice_.request_columns["end"]) for slice_ in slices]

    def repeated(values: Sequence[object], kind: type | None = None) -> Any:
        """Repeat the value of each slice for each of its requests."""
        return np.repeat(np.asarray(values, dtype=kind), counts)

    def concatenated(column: str) -> Any:
        """Concatenate a column of all slices."""
        return np.concatenate([slice_.request_columns[column] for slice_ in slices])

    # A launch has more than a hundred slices, so this makes one table of all of them.
    names = [
        np.asarray([request_label(name) for name in slice_.names], object)[
            slice_.request_columns["name"]
        ]
        for slice_ in slices
    ]
    return pd.DataFrame(
        {
            "launch": np.int16(number),
            "block": repeated([row.block for row in rows], np.int16),
            "variant": pd.Categorical(repeated([row.variant for row in rows])),
            "mode": pd.Categorical(repeated([row.mode for row in rows])),
            "scheduled": concatenated("scheduled") - origin,
            "waited": concatenated("waited"),
            "start": concatenated("start") - origin,
            "end": concatenated("end") - origin,
            "name": pd.Categorical(np.concatenate(names)),
            "user": concatenated("user").astype(np.uint16),
            "failed": concatenated("failed") > 0,
            "disturbed": repeated([row.disturbed for row in rows], np.bool_),
        }
    )
