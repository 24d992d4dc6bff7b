"""Find the slices that were disturbed from outside, and the causes.

Effects of the variant itself, such as garbage collection or threads that wait for each
other, do not count. The slices that show how slow a variant is must be kept: without
these slices the variant would look too fast.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from assay.experiment.deadlines import LONGEST_DRAIN
from assay.run_directory.rows import Disturbance, SliceRow

# The threshold of the tests below, as a share of a quantity that each test names.
DISTURBED_SHARE = 0.05
# Share of a core's time that the kernel uses even when the core is idle.
SYSTEM_SHARE = 0.005
MAX_LAG_P99 = 1.5e-3  # seconds
MAX_EXTRA_STALL = 5e-3  # seconds more than usual for the variant
# Lower quartile + 4 x (median - lower quartile) is about two standard deviations above
# the median.
SPREAD_FACTOR = 4


def causes(rows: Sequence[SliceRow], cores: int = 0) -> list[Disturbance]:
    """Return the cause of each slice's disturbance; empty if it was undisturbed.

    *neighbour*: other processes kept the target from its cores for more than 5 % of
    the time in which it had requests to serve. How long they did so is the smaller of
    two times. The first is how long the target's threads were runnable but not running.
    The second is the CPU time that other processes used on the target's cores, minus
    the system's usual share. The second time is needed because the threads of one
    server also delay each other. If it is at most 5 % of the slice, these delays may
    explain the first time, so the variant's usual wait is subtracted from the first.

    *generator*: the generator sent arrivals so late that the measured latencies are
    wrong. A closed loop has no schedule; there this cause means that the generator was
    kept from its core.

    *stall*: the generator's own heartbeat stopped for longer than is usual under this
    variant's load, for example because the whole machine stood still.

    *users*: too many arrivals waited for a user although more users are allowed. If
    several slices show this, users are added before the next block.

    *time*: the time budget ended, so the slice waited less than the usual 10 s for its
    last answers, and some were missing.

    Any other slice with unanswered requests counts as undisturbed: if a target freezes,
    the slices that show it must be kept.

    Args:
        rows: The rows of one launch and one mode, from `assay.experiment.slices.row`.
        cores: The number of cores that the target is pinned to; 0 if it is not pinned.
    """
    answered = [row for row in rows if not _unanswered(row)]
    usual_stalls = _lower_quartiles(answered, lambda row: row.stall)
    usual_generator_waits = _lower_quartiles(
        answered, lambda row: row.generator_run_delay / row.duration
    )
    run_delay_limits = _run_delay_limits(answered)
    self_delays = _self_delays(answered, cores)
    disturbances: list[Disturbance] = []
    for row in rows:
        name = row.variant
        if row.unserved and row.drain < LONGEST_DRAIN:
            disturbances.append("time")
        elif _unanswered(row):
            disturbances.append("")
        elif lacks_users(row):
            disturbances.append("users")
        elif _preempted(row, run_delay_limits[name], self_delays.get(name, 0.0), cores):
            disturbances.append("neighbour")
        elif row.stall > usual_stalls[name] + MAX_EXTRA_STALL:
            disturbances.append("stall")
        elif _generator_disturbed(row, usual_generator_waits[name]):
            disturbances.append("generator")
        else:
            disturbances.append("")
    return disturbances


def _unanswered(row: SliceRow) -> bool:
    """Say whether any arrival of a slice was dropped, unserved or given up."""
    return bool(row.unserved or row.dropped or row.given_up)


def _generator_disturbed(row: SliceRow, usual_wait: float) -> bool:
    """Say whether the generator was late, or was kept from its core.

    Args:
        row: The slice.
        usual_wait: The share of the time that the generator usually waits for its core
            under this variant's load.
    """
    if row.mode == "open":
        return sent_late(row)
    return bool(row.generator_run_delay / row.duration > usual_wait + DISTURBED_SHARE)


def cores_were_taken(row: SliceRow) -> bool:
    """Say whether other processes took the target's cores.

    They did if they used more CPU time on these cores than 5 % of the slice's duration.
    This test needs no other slices to compare with; `causes` is more exact.
    """
    return row.foreign > DISTURBED_SHARE * row.duration


def lacks_users(row: SliceRow) -> bool:
    """Say whether too many arrivals waited for a user, so that users must be added.

    A few may wait: it makes little difference whether an arrival waits for a user or in
    the target's queue, and every added user may have to log in.
    """
    return bool(row.short > max(1, DISTURBED_SHARE * row.planned))


def sent_late(row: SliceRow) -> bool:
    """Say whether the generator itself sent the arrivals of an open slice late."""
    return bool(row.lag_p99 > max(MAX_LAG_P99, DISTURBED_SHARE * _median_latency(row)))


def _median_latency(row: SliceRow) -> float:
    """Return the median latency of an open slice in seconds; 0 if there is none.

    If most requests were given up, the median is infinite. The true times are unknown
    but long; the slice's duration is used instead.
    """
    median = row.latency_p50
    return 0.0 if math.isnan(median) else min(median, row.duration)


def _preempted(
    row: SliceRow, run_delay_limit: float, self_delay: float, cores: int
) -> bool:
    """Say whether neighbours kept the target from its cores.

    The run-delay is the time in which the target's threads were runnable but not
    running.

    Args:
        row: The slice.
        run_delay_limit: The share of wall-clock time above which the variant's
            run-delay is unusual.
        self_delay: The variant's run-delay without neighbours, as a ratio to the time
            in which it has requests to serve.
        cores: As for `causes`.
    """
    if math.isfinite(row.foreign):
        foreign, waited = _foreign_excess(row, cores), row.run_delay
        if foreign <= DISTURBED_SHARE * row.duration:
            waited -= self_delay * row.occupied
        return bool(min(waited, foreign) > DISTURBED_SHARE * row.occupied)
    # The CPU time of other processes is unknown. Then the wait must be unusual for the
    # variant, and the target's own CPU time must leave room for a neighbour.
    full = bool(cores) and row.cpu / row.duration > cores * (1 - DISTURBED_SHARE)
    return bool(row.run_delay / row.duration > run_delay_limit) and not full


def _foreign_excess(row: SliceRow, cores: int) -> float:
    """Return other processes' CPU seconds, minus the system's usual share."""
    return float(row.foreign - SYSTEM_SHARE * max(cores, 1) * row.duration)


def _self_delays(rows: Sequence[SliceRow], cores: int) -> dict[str, float]:
    """Return each variant's run-delay without neighbours.

    The run-delay (time in which threads were runnable but not running) is given as a
    ratio to the time in which the variant has requests to serve. The result is the
    lower quartile of the slices that no neighbour can have disturbed. A variant without
    such a slice is left out.
    """
    undisturbed = [
        row
        for row in rows
        if _foreign_excess(row, cores) <= DISTURBED_SHARE * row.occupied
    ]
    return _lower_quartiles(
        [row for row in undisturbed if row.occupied > 0],
        lambda row: row.run_delay / row.occupied,
    )


def _run_delay_limits(rows: Sequence[SliceRow]) -> dict[str, float]:
    """Return, by variant, the share of time above which a run-delay is unusual."""
    limits = {}
    for name, shares in _by_variant(
        rows, lambda row: row.run_delay / row.duration
    ).items():
        quartile, median = np.quantile(shares, [0.25, 0.5])
        spread = SPREAD_FACTOR * (median - quartile)
        limits[name] = quartile + max(DISTURBED_SHARE, spread)
    return limits


def _lower_quartiles(
    rows: Sequence[SliceRow], quantity: Callable[[SliceRow], float]
) -> dict[str, float]:
    """Return the lower quartile of a quantity, by variant."""
    return {
        name: float(np.quantile(values, 0.25))
        for name, values in _by_variant(rows, quantity).items()
    }


def _by_variant(
    rows: Sequence[SliceRow], quantity: Callable[[SliceRow], float]
) -> dict[str, list[float]]:
    values: dict[str, list[float]] = {}
    for row in rows:
        values.setdefault(row.variant, []).append(quantity(row))
    return values
