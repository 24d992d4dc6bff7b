"""What one slice says, and what the slices of a launch say of one variant."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from assay.analysis.measurements import latency
from assay.experiment import closed_loop
from assay.experiment.deadlines import LONGEST_DRAIN
from assay.load.answers import Columns, Slice
from assay.metrics import QUANTILES, requests_needed
from assay.run_directory.rows import SliceRow, Taken

Floats = NDArray[np.float64]

TIMED_OUT = 2  # in the column `failed`, see assay.load.recorder
LOAD = "request"  # the kind of a name that belongs to the load itself

# Of the time: a generator that is so busy decides how many requests there are.
FULL = 0.95


def of_load(measured: Slice) -> Slice:
    """Return a slice without what is no request of the load itself.

    Users that are made or stopped on the way have requests of their own (of `on_start`
    and `on_stop`), which are not what the slice measures.
    """
    ours = np.array([name[0] == LOAD for name in measured.names], dtype=np.bool_)
    if ours.all():
        return measured
    kept = ours[measured.columns["name"]]
    columns = {name: column[kept] for name, column in measured.columns.items()}
    return replace(measured, columns=columns, requests=int(kept.sum()))


def throughput(measured: Slice, users: int, think_time: bool = False) -> float:
    """Return the requests per second of a closed loop; see `closed_loop.settled`.

    Args:
        measured: The slice.
        users: Of the closed loop.
        think_time: Whether they wait as the locustfile says.
    """
    columns, began, ended = measured.columns, measured.began, measured.ended
    return closed_loop.settled(
        closed_loop.loop(columns, users, began, ended, think_time)
    )


def occupied(measured: Slice) -> float:
    """Return the seconds of a slice in which at least one request was under way."""
    starts = np.nan_to_num(measured.columns["start"], nan=measured.began)
    ends = np.nan_to_num(measured.columns["end"], nan=measured.ended)
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
    """Return a slice as a row of slices.parquet; times in seconds.

    Args:
        measured: The slice.
        block: Number of its block in the launch, for its mode.
        position: Its place within the block.
        rate: Arrivals per second of the open loop.
        users: Users of the closed loop, or connections of the open one.
        think_time: Whether users of the closed loop wait as the locustfile says.
        drain: Seconds that it was waited for the last answers.
    """
    columns, looped = measured.columns, measured.mode == "closed"
    fine = columns["failed"] == 0
    service = (columns["end"] - columns["start"])[fine]
    waited, _ = latencies(measured)
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
        latencies=0 if looped else len(waited),
        rate=math.nan if looped else rate,
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
        throughput=(throughput(measured, users, think_time) if looped else math.nan),
        service_p50=_median(service) if looped else math.nan,
        latency_p50=math.nan if looped else _median(waited),
        latency_mean=math.nan if looped else _mean(waited),
        drain=drain,
    )


def _failed(measured: Slice) -> int:
    """Return how many requests failed, or what a task made of their answers did.

    What a task raises counts only where none of its requests had failed.
    """
    return min(measured.requests, measured.failed + sum(measured.raised.values()))


def given_up(columns: Columns) -> NDArray[np.bool_]:
    """Say for each request whether it was given up: by its client, or by the slice."""
    lost: NDArray[np.bool_] = np.isnan(columns["end"])
    lost |= columns["failed"] == TIMED_OUT
    return lost


def latencies(measured: Slice) -> tuple[Floats, Floats]:
    """Return the latencies, and what each was at least.

    A latency is the time that the arrival waited for a user, since all of them waited
    for the target, and the time from sent to answered. What was given up (by its
    client's timeout, by the slice, or before it was sent) took longer than anybody
    waited: its latency is infinite here, and its lower bound is how long it was waited
    for. Requests that failed otherwise have no say: a quick error is no quick answer.

    Returns:
        Two arrays of the same length, in seconds.
    """
    columns = measured.columns
    lost = given_up(columns)
    kept = (columns["failed"] == 0) | lost
    waited: Floats = np.where(
        np.isnan(columns["end"]),
        measured.ended - columns["scheduled"],
        latency(columns),
    )
    never_sent = np.full(measured.dropped, np.inf)
    found = np.where(lost, np.inf, waited)[kept], waited[kept]
    return np.concatenate([found[0], never_sent]), np.concatenate(
        [found[1], never_sent]
    )


def values(taken: Taken, name: str) -> dict[str, tuple[float, bool]]:
    """Return one number for each metric of one variant, from undisturbed slices.

    Where every slice was disturbed there is nothing to say, and no number.

    Args:
        taken: Rows and slices of one launch, all variants.
        name: The variant.

    Returns:
        Metric to its value and whether that is only a lower bound, because the
        metric reaches into what was given up, or because the generator was the
        limit.
    """
    own = [
        (row, measured)
        for row, measured in taken
        if row.variant == name and not row.disturbed
    ]
    rows = [row for row, _ in own]
    looped = [row for row in rows if row.mode == "closed"]
    found = {
        "throughput": (_median_of(looped, "throughput"), outrun(rows)),
        "service.p50": (_median_of(looped, "service_p50"), False),
    }
    cpu = _median_of(rows, "cpu_per_request")
    if cpu != 0:  # of a target that is our process
        found["cpu_per_request"] = cpu, False
    pairs = [latencies(measured) for row, measured in own if row.mode == "open"]
    if pairs:
        found |= _of_latency(
            np.concatenate([waited for waited, _ in pairs]),
            np.concatenate([at_least for _, at_least in pairs]),
        )
    requests = sum(row.requests for row in rows)
    if requests:
        found["errors"] = sum(row.failed for row in rows) / requests, False
    # Users of a closed loop never drop anything.
    arrivals = [row for row in rows if row.mode == "open"]
    if planned := sum(row.planned for row in arrivals):
        lost = sum(row.dropped + row.unserved for row in arrivals)
        found["dropped"] = lost / planned, False
    return {m: pair for m, pair in found.items() if math.isfinite(pair[0])}


def outrun(rows: Iterable[SliceRow]) -> bool:
    """Say whether the generator had no time left in the closed loop of a variant.

    Then the variant waited for requests, and how many it could have served nobody
    knows: more than were sent.
    """
    closed = [row for row in rows if row.mode == "closed"]
    busy = sum(row.generator_cpu for row in closed)
    return bool(busy > FULL * sum(row.duration for row in closed))


def _of_latency(waited: Floats, at_least: Floats) -> dict[str, tuple[float, bool]]:
    """Return mean and quantiles, and which of them are lower bounds."""
    known = at_least[np.isfinite(at_least)]
    if not len(known):
        return {}
    given_up = bool(np.isinf(waited).any())
    found = {"latency.mean": (_mean(known), given_up)}
    for metric, share in QUANTILES.items():
        if len(waited) >= requests_needed(metric):
            value = float(np.quantile(waited, share, method="higher"))
            bound = float(np.quantile(at_least, share, method="higher"))
            censored = math.isinf(value)
            if censored:
                value = min(bound, float(known.max()))
            found[metric] = value, censored
    return found


def _median_of(rows: Sequence[SliceRow], column: str) -> float:
    found = np.array([getattr(row, column) for row in rows])
    return _median(found[~np.isnan(found)])


def _median(values: Floats) -> float:
    return float(np.median(values)) if len(values) else math.nan


def _mean(values: Floats) -> float:
    return float(np.mean(values)) if len(values) else math.nan
