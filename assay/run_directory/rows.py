"""The rows of a run's tables, as launches keep them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from assay.load.answers import Slice
from assay.metrics import Mode

# What disturbed a slice; empty if nothing did.
Disturbance = Literal["", "neighbour", "generator", "stall", "users", "time"]


@dataclass
class SliceRow:
    """One slice, as a row of slices.parquet; times in seconds.

    Attributes:
        block: Number of its block in the launch, for its mode.
        position: Its place within the block.
        variant: Its variant.
        mode: Its load.
        started: When it began.
        duration: Until its last request had ended.
        occupied: Seconds in which at least one request was under way.
        planned: Arrivals, or tasks that were begun.
        done: How many of them were done.
        dropped: How many found no place.
        unserved: How many were not answered in time.
        given_up: Requests that their client, or the slice, gave up.
        short: Arrivals that found no idle user though more were allowed.
        peak: Most arrivals at once.
        requests: How many there were.
        failed: How many of them failed.
        latencies: How many have a say in percentiles of latency.
        rate: Arrivals per second; NaN in a closed loop.
        users: Of the closed loop, or the most of the open one.
        cpu: CPU seconds of the target's processes.
        run_delay: Seconds that its threads were runnable but not running.
        foreign: Seconds that its cores worked for others; NaN if unknown.
        generator_cpu: CPU seconds of the generator.
        generator_run_delay: Seconds that it was runnable but not running.
        lag_p99: Seconds that the generator began the latest tasks late.
        stall: Seconds that it was late for its own heartbeat, at worst.
        cpu_per_request: Seconds; NaN without a request.
        throughput: Requests per second; NaN in an open loop.
        service_p50: NaN in an open loop.
        latency_p50: NaN in a closed loop.
        latency_mean: NaN in a closed loop.
        drain: Seconds that it was waited for the last answers.
        why: What disturbed it.
        disturbed: Whether anything did.
        cut: Whether the end of the time budget cut its launch.
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


Taken = Sequence[tuple[SliceRow, Slice]]


def shown(name: Sequence[str]) -> str:
    """Return the name of a request as people read it: ``GET /item``."""
    return " ".join(filter(None, name[1:]))


def slices(
    topic: str, number: int, measured: Sequence[SliceRow], origin: float = 0.0
) -> list[dict[str, object]]:
    """Return the slices of a launch as the rows of `RunDirectory.slices`.

    Args:
        topic: Whose launch.
        number: Of the launch.
        measured: Its slices.
        origin: What their times are counted from.
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
    """Return what a launch came to as the rows of `RunDirectory.launches`."""
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


def samples(number: int, taken: Taken, origin: float) -> Any:
    """Return the requests of a launch as the table of `RunDirectory.samples`.

    None where there is no slice.
    """
    import numpy as np
    import pandas as pd

    if not taken:
        return None
    rows, slices = zip(*taken, strict=True)
    counts = [len(one.columns["end"]) for one in slices]

    def each(values: Sequence[object], kind: type | None = None) -> Any:
        """Repeat what is known of every slice for each of its requests."""
        return np.repeat(np.asarray(values, dtype=kind), counts)

    def of_all(column: str) -> Any:
        """Chain a column of all slices."""
        return np.concatenate([one.columns[column] for one in slices])

    # One table, not one of each slice: there are a hundred and more in a launch.
    named = [
        np.asarray([shown(name) for name in one.names], object)[one.columns["name"]]
        for one in slices
    ]
    return pd.DataFrame(
        {
            "launch": np.int16(number),
            "block": each([row.block for row in rows], np.int16),
            "variant": pd.Categorical(each([row.variant for row in rows])),
            "mode": pd.Categorical(each([row.mode for row in rows])),
            "scheduled": of_all("scheduled") - origin,
            "waited": of_all("waited"),
            "start": of_all("start") - origin,
            "end": of_all("end") - origin,
            "name": pd.Categorical(np.concatenate(named)),
            "user": of_all("user").astype(np.uint16),
            "failed": of_all("failed") > 0,
            "disturbed": each([row.disturbed for row in rows], np.bool_),
        }
    )
