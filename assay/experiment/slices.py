"""The metrics of one slice, and of one variant in all slices of a launch."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from assay.analysis.measurements import is_full, latency
from assay.experiment import closed_loop
from assay.experiment.deadlines import LONGEST_DRAIN
from assay.load.answers import Columns, Slice
from assay.metrics import QUANTILES, requests_needed
from assay.run_directory.rows import MeasuredSlices, SliceRow

Floats = NDArray[np.float64]

TIMED_OUT = 2  # value of the column `failed`: see assay.load.recorder
LOAD_REQUEST = "request"  # the kind of a request that belongs to the load itself
# A generator that uses this share of its core limits the number of requests.
SATURATED_SHARE = 0.95


def load_requests_only(measured: Slice) -> Slice:
    """Return a slice with only the requests of the load itself.

    Users that start or stop during a slice send requests in `on_start` and `on_stop`,
    which the slice does not measure.
    """
    of_load = np.array(
        [name[0] == LOAD_REQUEST for name in measured.names], dtype=np.bool_
    )
    if of_load.all():
        return measured
    kept = of_load[measured.request_columns["name"]]
    columns = {name: column[kept] for name, column in measured.request_columns.items()}
    return replace(measured, request_columns=columns, requests=int(kept.sum()))


def throughput(measured: Slice, users: int, think_time: bool = False) -> float:
    """Return the requests per second of a closed loop.

    See `closed_loop.by_settled_cycles`.

    Args:
        measured: The slice.
        users: Users of the closed loop.
        think_time: Whether users wait between tasks as the locustfile says.
    """
    loop = closed_loop.from_columns(
        measured.request_columns, users, measured.began, measured.ended, think_time
    )
    return closed_loop.by_settled_cycles(loop)


def occupied(measured: Slice) -> float:
    """Return the seconds of a slice in which at least one request was under way."""
    starts = np.nan_to_num(measured.request_columns["start"], nan=measured.began)
    ends = np.nan_to_num(measured.request_columns["end"], nan=measured.ended)
    order = np.argsort(starts)
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    if len(starts) == 0:
        return 0.0
    gaps = np.maximum(0.0, starts[1:] - ends[:-1]).sum()
    return float(ends[-1] - starts[0] - gaps)


def row(
    measured: Slice,
    block: int,
    position: int,
    rate: float,
    users: int,
    think_time: bool = False,
    drain: float = LONGEST_DRAIN,
) -> SliceRow:
    """Return a slice as a row of slices.parquet, with times in seconds.

    Args:
        measured: The slice.
        block: The number of its block. The blocks of each mode have their own numbers
            in a launch.
        position: The place of the slice within the block.
        rate: Arrivals per second of the open loop.
        users: Users of the closed loop, or connections of the open one.
        think_time: Whether users of the closed loop wait as the locustfile says.
        drain: Longest time that the slice was allowed to wait for its last answers.
    """
    columns, is_closed = measured.request_columns, measured.mode == "closed"
    succeeded = columns["failed"] == 0
    response_times = (columns["end"] - columns["start"])[succeeded]
    request_latencies, _ = latencies(measured)
    return SliceRow(
        block=block,
        position=position,
        variant=measured.variant,
        mode=measured.mode,
        started=measured.began,
        duration=measured.duration,
        occupied=occupied(measured),
        planned=measured.planned,
        done=measured.done,
        dropped=measured.dropped,
        unserved=measured.unserved,
        given_up=int(np.count_nonzero(given_up(columns))),
        short=measured.short,
        peak=measured.peak,
        requests=measured.requests,
        failed=_failed(measured),
        latencies=0 if is_closed else len(request_latencies),
        rate=math.nan if is_closed else rate,
        users=users,
        cpu=measured.cpu,
        run_delay=measured.run_delay,
        foreign=measured.foreign,
        generator_cpu=measured.generator_cpu,
        generator_run_delay=measured.generator_run_delay,
        lag_p99=measured.lag_p99,
        stall=measured.stall,
        cpu_per_request=(
            measured.cpu / measured.requests if measured.requests else math.nan
        ),
        throughput=(throughput(measured, users, think_time) if is_closed else math.nan),
        service_p50=_median(response_times) if is_closed else math.nan,
        latency_p50=math.nan if is_closed else _median(request_latencies),
        latency_mean=math.nan if is_closed else _mean(request_latencies),
        drain=drain,
    )


def _failed(measured: Slice) -> int:
    """Return the number of failed requests, plus tasks that raised an exception.

    The exception of a task counts only if none of the task's requests failed.
    """
    return min(measured.requests, measured.failed + sum(measured.raised.values()))


def given_up(columns: Columns) -> NDArray[np.bool_]:
    """Say for each request whether its client or the slice gave it up."""
    abandoned: NDArray[np.bool_] = np.isnan(columns["end"])
    abandoned |= columns["failed"] == TIMED_OUT
    return abandoned


def latencies(measured: Slice) -> tuple[Floats, Floats]:
    """Return the latencies and their lower bounds.

    A latency is the time that the arrival waited for a user, because all users waited
    for the target, plus the time from sending the request to its answer. A request can
    be given up by its client's timeout, by the slice, or before it was sent. Then its
    latency is infinite here, and its lower bound is the time until it was given up; for
    a dropped arrival the bound is infinite, too. Requests that failed otherwise are
    left out, because a quick error is not a quick answer.

    Returns:
        Two arrays of the same length, in seconds.
    """
    columns = measured.request_columns
    abandoned = given_up(columns)
    kept = (columns["failed"] == 0) | abandoned
    at_least: Floats = np.where(
        np.isnan(columns["end"]),
        measured.ended - columns["scheduled"],
        latency(columns),
    )
    never_sent = np.full(measured.dropped, np.inf)
    exact = np.where(abandoned, np.inf, at_least)
    return (
        np.concatenate([exact[kept], never_sent]),
        np.concatenate([at_least[kept], never_sent]),
    )


def metric_values(
    measured_slices: MeasuredSlices, variant: str
) -> dict[str, tuple[float, bool]]:
    """Return one number for each metric of one variant, from undisturbed slices.

    A metric without any undisturbed slice is left out.

    Args:
        measured_slices: Rows and slices of one launch, all variants.
        variant: The variant.

    Returns:
        The value of each metric, and whether it is only a lower bound, either because
        requests were given up or because the generator was the limit.
    """
    undisturbed = [
        (row, measured)
        for row, measured in measured_slices
        if row.variant == variant and not row.disturbed
    ]
    rows = [row for row, _ in undisturbed]
    closed = [row for row in rows if row.mode == "closed"]
    values = {
        "throughput": (_median_of(closed, "throughput"), _generator_saturated(closed)),
        "service.p50": (_median_of(closed, "service_p50"), False),
    }
    cpu = _median_of(rows, "cpu_per_request")
    if cpu != 0:  # 0 if Assay did not start the target
        values["cpu_per_request"] = cpu, False
    pairs = [latencies(measured) for row, measured in undisturbed if row.mode == "open"]
    if pairs:
        values |= _latency_values(
            np.concatenate([exact for exact, _ in pairs]),
            np.concatenate([at_least for _, at_least in pairs]),
        )
    requests = sum(row.requests for row in rows)
    if requests:
        values["errors"] = sum(row.failed for row in rows) / requests, False
    # The users of a closed loop never drop anything.
    open_rows = [row for row in rows if row.mode == "open"]
    if planned := sum(row.planned for row in open_rows):
        lost = sum(row.dropped + row.unserved for row in open_rows)
        values["dropped"] = lost / planned, False
    return {m: pair for m, pair in values.items() if math.isfinite(pair[0])}


def _generator_saturated(closed: Sequence[SliceRow]) -> bool:
    """Say whether the generator, but not the target, lacked CPU time in a closed loop.

    Then the variant waited for requests. It could have served more than were sent, but
    it is unknown how many more.
    """
    seconds = sum(row.duration for row in closed)
    if not seconds or is_full(sum(row.cpu for row in closed) / seconds):
        return False
    return sum(row.generator_cpu for row in closed) > SATURATED_SHARE * seconds


def _latency_values(exact: Floats, at_least: Floats) -> dict[str, tuple[float, bool]]:
    """Return the mean and quantiles of latency; each may be only a lower bound.

    Args:
        exact: Latencies; infinite for requests that were given up.
        at_least: Lower bounds of the latencies; infinite for requests that were never
            sent.
    """
    finite = at_least[np.isfinite(at_least)]
    if not len(finite):
        return {}
    any_given_up = bool(np.isinf(exact).any())
    values = {"latency.mean": (_mean(finite), any_given_up)}
    for metric, share in QUANTILES.items():
        if len(exact) >= requests_needed(metric):
            value = float(np.quantile(exact, share, method="higher"))
            bound = float(np.quantile(at_least, share, method="higher"))
            censored = math.isinf(value)
            if censored:
                value = min(bound, float(finite.max()))
            values[metric] = value, censored
    return values


def _median_of(rows: Sequence[SliceRow], column: str) -> float:
    values = np.array([getattr(row, column) for row in rows])
    return _median(values[~np.isnan(values)])


def _median(values: Floats) -> float:
    return float(np.median(values)) if len(values) else math.nan


def _mean(values: Floats) -> float:
    return float(np.mean(values)) if len(values) else math.nan
