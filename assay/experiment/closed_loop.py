"""Requests per second of a closed loop, from its requests: several estimators.

Each is a function of the same columns, so that a study can try them on stored samples
(`RunDirectory.samples` has the columns, times in seconds on one clock).

What they differ in is how they treat the two edges of a slice. At its beginning all
users ask at once, so that in a queue the first answers come sooner than any later one.
At its end some users begin another request just in time, and others do not.

- `counted` is exact for a server that works off a queue, whatever the edges. Where
  requests only wait (for a timer, or for another service), they come in rounds, and it
  jumps by a whole round's share where some begin a round that others miss.
- `little` has no edge at the end. At the beginning it takes the short first answers of
  a queue for typical: it says 4 % too much with 4 users and 25 requests, 55 % with 64.
- `settled` is `little` without each user's first request, as far as enough are left.
  It scatters as little for services that wait, and is right for both.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NO_USER = 0xFFFF  # whose user is not known: see assay.load.recorder
TICK = 1e-7  # seconds: what two readings of one clock may be rounded by
ENOUGH = 25  # requests on which `settled` rests, where there are so many


@dataclass(frozen=True)
class Loop:
    """The requests of one closed slice.

    Attributes:
        start: When each was sent, in seconds.
        end: When it was answered; NaN if it never was.
        user: The number of its user.
        users: How many users asked.
        began: When the slice began.
        ended: When it ended: until then it was waited for answers.
        think_time: Whether users wait between their tasks as the locustfile says.
    """

    start: Floats
    end: Floats
    user: NDArray[Any]
    users: int
    began: float
    ended: float
    think_time: bool = False


Estimator = Callable[[Loop], float]


def loop(
    columns: Mapping[str, NDArray[Any]],
    users: int,
    began: float,
    ended: float,
    think_time: bool = False,
) -> Loop:
    """Return what is known of a closed slice from the columns of its samples.

    A request that was never sent counts from the moment it was due. Where fewer users
    took part than were asked for, because the locustfile has fewer, it is as many.
    """
    start, end = columns["start"].astype(float), columns["end"].astype(float)
    unsent = np.isnan(start)
    start = np.where(unsent, columns["scheduled"], start)
    user = columns["user"]
    # Who is still waiting at the end has no number any more.
    nameless = np.count_nonzero(np.isnan(end) & (user == NO_USER))
    known = len(np.unique(user[user != NO_USER])) + int(nameless)
    return Loop(start, end, user, min(users, known), began, ended, think_time)


def counted(of: Loop) -> float:
    """Return the answers, over the time until the last of them."""
    answered = of.end[~np.isnan(of.end)]
    if len(answered) == 0:
        return 0.0
    return len(answered) / (float(answered.max()) - of.began)


def little(of: Loop) -> float:
    """Return users / mean cycle of all requests that the slice began (Little's law).

    A cycle is a response time and the time until the user asks again. What was never
    answered lengthens it by the time that it was waited for.
    """
    return _by_cycles(of, _Cycles(of), np.ones(len(of.end), dtype=np.bool_))


def settled(of: Loop) -> float:
    """Return users / mean cycle, without the first request of each user.

    Where fewer than `ENOUGH` are left, those of the first ones count, too, that ended
    last: they are most like what follows.
    """
    cycles = _Cycles(of)
    kept = ~cycles.first | np.isnan(cycles.end)
    missing = min(ENOUGH, len(kept)) - int(np.count_nonzero(kept))
    if missing > 0:
        left_out = np.flatnonzero(~kept)
        latest = np.argsort(cycles.end[left_out], kind="stable")[::-1]
        kept[left_out[latest[:missing]]] = True
    return _by_cycles(of, cycles, kept)


ESTIMATORS: Mapping[str, Estimator] = {
    "counted": counted,
    "little": little,
    "settled": settled,
}


class _Cycles:
    """The requests by user, in the order in which each user made them.

    A task can have several requests under way at once: they are one cycle.

    Attributes:
        end: When each was answered; NaN if it never was.
        busy: Seconds of each in which its user did not wait for an earlier one, too.
        begins: Which begin a cycle.
        first: Which are of their user's first cycle.
        gaps: Seconds between a user's cycles.
    """

    def __init__(self, of: Loop) -> None:
        order = np.lexsort((of.start, of.user))
        start, user = of.start[order], of.user[order]
        self.end = of.end[order]
        until = np.where(np.isnan(self.end), of.ended, self.end)
        another: Bools = np.ones(len(user), dtype=np.bool_)
        # Those of nobody may each be another one's.
        another[1:] = (user[1:] != user[:-1]) | (user[1:] == NO_USER)
        # The latest end so far, of one user after the other: laps that never meet.
        lap = np.cumsum(another) * (2 * (of.ended - of.began) + 1.0)
        latest = np.maximum.accumulate(until + lap) - lap
        before = np.where(another, start, np.concatenate([start[:1], latest[:-1]]))
        self.busy: Floats = np.maximum(0.0, until - np.maximum(start, before))
        # Sums are a little off: a request that begins when another ends is a new cycle.
        self.begins: Bools = another | (start >= before - TICK)
        cycle = np.cumsum(self.begins)
        self.first: Bools = cycle == np.maximum.accumulate(np.where(another, cycle, 0))
        gaps = np.maximum(0.0, start - before)
        self.gaps: Floats = gaps[self.begins & ~another]


def _by_cycles(of: Loop, cycles: _Cycles, kept: Bools) -> float:
    """Return the requests per second of some cycles.

    Where requests cannot be told by user, or no user that thinks asked twice, nobody
    knows how long a cycle is, and they are counted.
    """
    answered = ~np.isnan(of.end)
    if (of.user[answered] == NO_USER).any():
        return counted(of)
    if of.think_time and not len(cycles.gaps):
        return counted(of)
    gap = float(np.mean(cycles.gaps)) if len(cycles.gaps) else 0.0
    done = kept & ~np.isnan(cycles.end)
    if not done.any():
        return 0.0
    spent = float(cycles.busy[kept].sum())
    spent += gap * int(np.count_nonzero(done & cycles.begins))
    requests = int(np.count_nonzero(done))
    return of.users * requests / spent if spent > 0 else math.inf
