"""Which slices something else disturbed, and what.

What counts is only what the variant did not do itself. Threads of one server wait
for each other, a server can pause to collect garbage, and a variant that is slow
must not lose the slices that show it: dropping those would flatter it.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from assay.experiment.deadlines import LONGEST_DRAIN
from assay.run_directory.rows import Disturbance, SliceRow

SHARE = 0.05  # of the time in which there was work to do
SYSTEM = 0.005  # of the time, which the kernel takes of a core that nobody disturbs
LAG_P99 = 1.5e-3  # seconds
STALL = 5e-3  # seconds beyond what is usual for the variant
SPREAD = 4  # of median - quartile: some two standard deviations above the median


def causes(rows: Sequence[SliceRow], cores: int = 0) -> list[Disturbance]:
    """Say for each slice of one launch and one mode what disturbed it, if anything.

    *neighbour*: others kept the target from its cores for 5 % of the time in
    which it had requests to serve. That is the time that its threads waited
    although they could have run, but at most what others used of its cores beyond
    what the system itself always uses, since threads of one server delay each other
    too. Others that used less than 5 % of the whole slice may have met a target that
    is mostly idle while it had nothing to do: then only what it waited beyond what
    is usual for the variant counts.

    *generator*: arrivals were sent late by the generator itself, by more than is
    negligible beside the latencies that hold it, or, where there is no schedule to be
    late for, it was kept from its core.

    *stall*: the generator's own heartbeat stopped for longer than is usual under
    this variant's load, as when the whole machine stands still.

    *users*: arrivals waited for a user although more may be made, which is done before
    the next block.

    *time*: the time budget ended before the target had had the time to answer that it
    has in any other slice.

    What the target does not answer is no other disturbance: a target that freezes must
    not lose the slices that show it.

    Args:
        rows: As `assay.experiment.slices.row` makes them.
        cores: How many cores the target is pinned to; 0 if it is not.
    """
    answered = [row for row in rows if not _unanswered(row)]
    stalls = _usual(answered, lambda row: row.stall)
    waits = _usual(answered, lambda row: row.generator_run_delay / row.duration)
    delays = _spread(answered)
    owns = _own_waits(answered, cores)
    found: list[Disturbance] = []
    for row in rows:
        name = row.variant
        if row.unserved and row.drain < LONGEST_DRAIN:
            found.append("time")
        elif _unanswered(row):
            found.append("")
        elif too_few(row):
            found.append("users")
        elif _preempted(row, delays[name], owns.get(name, 0.0), cores):
            found.append("neighbour")
        elif row.stall > stalls[name] + STALL:
            found.append("stall")
        elif _held_up(row, waits[name]):
            found.append("generator")
        else:
            found.append("")
    return found


def _unanswered(row: SliceRow) -> bool:
    """Say whether something in a slice was given up, or never begun."""
    return bool(row.unserved or row.dropped or row.given_up)


def _held_up(row: SliceRow, usual: float) -> bool:
    """Say whether the generator was late, or was kept from its core.

    Args:
        row: The slice.
        usual: Share of the time that it waits for its core under this variant.
    """
    if row.mode == "open":
        return late(row)
    return bool(row.generator_run_delay / row.duration > usual + SHARE)


def too_few(row: SliceRow) -> bool:
    """Say whether so many arrivals waited for a user that more are to be made.

    One that waits for a user rather than in the target's own queue is answered about as
    soon, and every user that is made may have to log in.
    """
    return bool(row.short > max(1, SHARE * row.planned))


def late(row: SliceRow) -> bool:
    """Say whether an open slice's arrivals were sent late by the generator itself."""
    return bool(row.lag_p99 > max(LAG_P99, SHARE * _waited(row)))


def _waited(row: SliceRow) -> float:
    """Return the median seconds that requests of the open loop took, or 0.

    Where most were given up it is at least the time that they were waited for, of
    which the slice's own duration stands for the most.
    """
    median = row.latency_p50
    return 0.0 if math.isnan(median) else min(median, row.duration)


def _preempted(row: SliceRow, usual: float, own: float, cores: int) -> bool:
    """Say whether neighbours kept the target from its cores.

    Args:
        row: The slice.
        usual: Share of the wall clock above which its run-delay is unusual.
        own: Seconds that it waits without neighbours, for each in which it has work.
        cores: As for `causes`.
    """
    if math.isfinite(row.foreign):
        others, waited = _others(row, cores), row.run_delay
        if others <= SHARE * row.duration:
            waited -= own * row.occupied
        return bool(min(waited, others) > SHARE * row.occupied)
    # Nobody tells what others used: then the wait must be unusual for the variant,
    # and its own CPU time must leave room for a neighbour at all.
    full = bool(cores) and row.cpu / row.duration > cores * (1 - SHARE)
    return bool(row.run_delay / row.duration > usual) and not full


def _others(row: SliceRow, cores: int) -> float:
    """Return the CPU seconds that others used beyond what the system always uses."""
    return float(row.foreign - SYSTEM * max(cores, 1) * row.duration)


def _own_waits(rows: Sequence[SliceRow], cores: int) -> dict[str, float]:
    """Return what each variant waits by itself, as a share of the time it had work.

    It is the lower quartile of the slices that no neighbour can have disturbed. A
    variant without any is not known to wait by itself.
    """
    alone = [r for r in rows if _others(r, cores) <= SHARE * r.occupied]
    return _usual(
        [row for row in alone if row.occupied > 0],
        lambda row: row.run_delay / row.occupied,
    )


def _spread(rows: Sequence[SliceRow]) -> dict[str, float]:
    """Return for each variant the share of run-delay above which it is unusual."""
    limits = {}
    for name, shares in _by_variant(
        rows, lambda row: row.run_delay / row.duration
    ).items():
        quartile, median = np.quantile(shares, [0.25, 0.5])
        limits[name] = quartile + max(SHARE, SPREAD * (median - quartile))
    return limits


def _usual(
    rows: Sequence[SliceRow], number: Callable[[SliceRow], float]
) -> dict[str, float]:
    """Return the lower quartile of a number, by variant."""
    return {
        name: float(np.quantile(values, 0.25))
        for name, values in _by_variant(rows, number).items()
    }


def _by_variant(
    rows: Sequence[SliceRow], number: Callable[[SliceRow], float]
) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for row in rows:
        found.setdefault(row.variant, []).append(number(row))
    return found
