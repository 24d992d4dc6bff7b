"""Estimate the requests per second of a closed loop from its requests, in several ways.

Each estimator is a function of the same columns, so that a study can try it on stored
samples (`RunDirectory.samples` has the columns, with times in seconds on one clock).

The estimators differ in how they treat the two edges of a slice. At the beginning all
users send a request at once. If the server works through a queue, these first answers
come sooner than all later ones. At the end some users begin one more request just in
time, and others do not.

- `by_count` is exact for a server that works through a queue: edges do not matter. If
  requests only wait (for a timer, or for another service), they come in rounds. If some
  users begin a last round that others miss, the estimate jumps by a share of a round.
- `by_littles_law` is not affected by the edge at the end. At the beginning it counts
  the short first answers of a queue as typical: it is 4 % too high with 4 users and 25
  requests, and 55 % too high with 64 users.
- `by_settled_cycles` is Little's law without the first request of each user, if enough
  requests are left. It is right for both kinds of service, and for services that wait
  it scatters as little as Little's law.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NO_USER = 0xFFFF  # the user of a request is unknown: see assay.load.recorder
CLOCK_TOLERANCE = 1e-7  # seconds: rounding between two readings of one clock
MIN_SETTLED_REQUESTS = 25  # fewest requests that `by_settled_cycles` uses, if possible


@dataclass(frozen=True)
class Loop:
    """The requests of one closed slice.

    Attributes:
        start: When each request was sent, in seconds.
        end: When each request was answered; NaN if it never was.
        user: The number of each request's user.
        users: How many users sent requests.
        began: When the slice began.
        ended: When the slice ended, and with it the wait for answers.
        think_time: Whether users wait between tasks, as the locustfile says.
    """

    start: Floats
    end: Floats
    user: NDArray[Any]
    users: int
    began: float
    ended: float
    think_time: bool = False


Estimator = Callable[[Loop], float]


def from_columns(
    columns: Mapping[str, NDArray[Any]],
    users: int,
    began: float,
    ended: float,
    think_time: bool = False,
) -> Loop:
    """Return the loop of a closed slice from the columns of its samples.

    A request that was never sent counts from the moment it was due. If the locustfile
    has fewer users than were requested, the loop has only the users that took part.
    """
    start, end = columns["start"].astype(float), columns["end"].astype(float)
    unsent = np.isnan(start)
    start = np.where(unsent, columns["scheduled"], start)
    user = columns["user"]
    # A request that has no answer at the end has lost the number of its user.
    unnumbered = np.count_nonzero(np.isnan(end) & (user == NO_USER))
    active = len(np.unique(user[user != NO_USER])) + int(unnumbered)
    return Loop(start, end, user, min(users, active), began, ended, think_time)


def by_count(loop: Loop) -> float:
    """Return the number of answers, divided by the time until the last of them."""
    answered = loop.end[~np.isnan(loop.end)]
    if len(answered) == 0:
        return 0.0
    return len(answered) / (float(answered.max()) - loop.began)


def by_littles_law(loop: Loop) -> float:
    """Return users / mean cycle of all requests in the slice (Little's law).

    A cycle is a response time plus the time until the user sends the next request. A
    request that was never answered lengthens the mean by the time spent waiting for it.
    """
    return _by_cycles(loop, _Cycles(loop), np.ones(len(loop.end), dtype=np.bool_))


def by_settled_cycles(loop: Loop) -> float:
    """Return users / mean cycle, without the first request of each user.

    If fewer than `MIN_SETTLED_REQUESTS` are left, some users' first requests count as
    well: those that ended last, because they resemble the later requests most.
    """
    cycles = _Cycles(loop)
    kept = ~cycles.first | np.isnan(cycles.end)
    missing = min(MIN_SETTLED_REQUESTS, len(kept)) - int(np.count_nonzero(kept))
    if missing > 0:
        left_out = np.flatnonzero(~kept)
        latest = np.argsort(cycles.end[left_out], kind="stable")[::-1]
        kept[left_out[latest[:missing]]] = True
    return _by_cycles(loop, cycles, kept)


ESTIMATORS: Mapping[str, Estimator] = {
    "count": by_count,
    "Little's law": by_littles_law,
    "settled cycles": by_settled_cycles,
}


class _Cycles:
    """The requests by user, in the order in which each user made them.

    A task can have several requests under way at once: together they are one cycle.

    Attributes:
        end: When each request was answered; NaN if it never was.
        busy: Seconds of each request in which its user did not also wait for an earlier
            one.
        begins: Which requests begin a cycle.
        first: Which requests belong to the first cycle of their user.
        gaps: Seconds between a user's cycles.
    """

    def __init__(self, loop: Loop) -> None:
        order = np.lexsort((loop.start, loop.user))
        start, user = loop.start[order], loop.user[order]
        self.end = loop.end[order]
        until = np.where(np.isnan(self.end), loop.ended, self.end)
        new_user: Bools = np.ones(len(user), dtype=np.bool_)
        # Requests without a known user may each belong to a different user.
        new_user[1:] = (user[1:] != user[:-1]) | (user[1:] == NO_USER)
        # The running maximum below goes through the requests of all users. Each user's
        # times are shifted past those of the previous user, so that users do not mix.
        shift = np.cumsum(new_user) * (2 * (loop.ended - loop.began) + 1.0)
        latest = np.maximum.accumulate(until + shift) - shift
        before = np.where(new_user, start, np.concatenate([start[:1], latest[:-1]]))
        self.busy: Floats = np.maximum(0.0, until - np.maximum(start, before))
        # A request that begins when the previous one ends begins a new cycle. The
        # tolerance is needed because sums have rounding errors.
        self.begins: Bools = new_user | (start >= before - CLOCK_TOLERANCE)
        cycle = np.cumsum(self.begins)
        self.first: Bools = cycle == np.maximum.accumulate(np.where(new_user, cycle, 0))
        gaps = np.maximum(0.0, start - before)
        self.gaps: Floats = gaps[self.begins & ~new_user]


def _by_cycles(loop: Loop, cycles: _Cycles, kept: Bools) -> float:
    """Return the requests per second of some cycles.

    The length of a cycle is unknown if a request's user is unknown, or if users think
    and none of them sent a second request. Then the answers are counted instead.
    """
    answered = ~np.isnan(loop.end)
    if (loop.user[answered] == NO_USER).any():
        return by_count(loop)
    if loop.think_time and not len(cycles.gaps):
        return by_count(loop)
    gap = float(np.mean(cycles.gaps)) if len(cycles.gaps) else 0.0
    done = kept & ~np.isnan(cycles.end)
    if not done.any():
        return 0.0
    spent = float(cycles.busy[kept].sum())
    spent += gap * int(np.count_nonzero(done & cycles.begins))
    requests = int(np.count_nonzero(done))
    return loop.users * requests / spent if spent > 0 else math.inf
