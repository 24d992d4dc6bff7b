"""The highest rate that a service can take: bracketed, halved, and confirmed.

Near its limit a service holds a service-level objective at one time and misses it
at another, so what is returned is an interval, whose ends were each tried several
times.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

STEP = 2.0  # between two rates while the limit is still to be bracketed
RESOLUTION = 0.05  # how far apart the ends of the interval may be, as a share
VOTES = 3  # how often each end is tried
MOST_PROBES = 40
LEAST_RATE = 0.5  # per second


@dataclass
class Capacity:
    """What a search found.

    Attributes:
        low: Highest rate that held in most of its trials; None if none did.
        high: Lowest rate above it that did not; None if every rate held.
        votes: Every rate that was tried, and whether it held each time.
    """

    low: float | None = None
    high: float | None = None
    votes: dict[float, list[bool]] = field(default_factory=dict)

    @property
    def probes(self) -> int:
        """How often anything was tried."""
        return sum(map(len, self.votes.values()))


def known(tried: Iterable[tuple[float, bool]]) -> Capacity:
    """Return what trials say by themselves, of a search that did not come to its end.

    Args:
        tried: Rates, and whether they held, as often as they were tried.
    """
    found = Capacity()
    for rate, held in tried:
        found.votes.setdefault(rate, []).append(held)
    share = {rate: sum(own) / len(own) for rate, own in found.votes.items()}
    found.low = max((r for r, held in share.items() if held > 1 / 2), default=None)
    found.high = min(
        (r for r, held in share.items() if held < 1 / 2 and r > (found.low or 0.0)),
        default=None,
    )
    return found


def search(
    holds: Callable[[float], bool],
    start: float,
    most: float,
    resolution: float = RESOLUTION,
    votes: int = VOTES,
) -> Capacity:
    """Find the highest rate that holds.

    Args:
        holds: Tries a rate, in arrivals per second; what it raises ends the search.
        start: Where to begin: a guess.
        most: A rate that is not exceeded, because the generator has its limit, too.
        resolution: How far apart the ends may be, as a share of the lower one.
        votes: How often each end is tried; most of them decide.
    """
    found = Capacity()

    def once(rate: float) -> bool:
        if rate not in found.votes:
            found.votes[rate] = [holds(rate)]
        return most_of(rate)

    def most_of(rate: float) -> bool:
        own = found.votes[rate]
        return 2 * sum(own) > len(own)

    def confirmed(rate: float) -> bool:
        once(rate)
        own = found.votes[rate]
        while len(own) < votes and max(sum(own), len(own) - sum(own)) * 2 <= votes:
            own.append(holds(rate))
        return most_of(rate)

    low, high = _bracket(once, min(start, most), most)
    while found.probes < MOST_PROBES:
        if low is not None and high is not None and high / low > 1 + resolution:
            middle = math.sqrt(low * high)
            if once(middle):
                low = middle
            else:
                high = middle
        elif low is not None and not confirmed(low):
            high = low
            low = _below(found, low, most_of) or _lower(low, resolution)
        elif high is not None and confirmed(high):
            low = high
            high = _above(found, high, most_of) or _higher(high, resolution, most)
        else:
            break
    found.low, found.high = low, high
    return found


def _bracket(
    holds: Callable[[float], bool], start: float, most: float
) -> tuple[float | None, float | None]:
    """Return a rate that holds and one that does not, as far as there are."""
    low: float | None = None
    high: float | None = None
    rate = start
    while True:
        if holds(rate):
            low = rate
            if high is not None or rate >= most:
                return low, high
            rate = min(rate * STEP, most)
        else:
            high = rate
            if low is not None or rate / STEP < LEAST_RATE:
                return low, high
            rate /= STEP


def _below(
    found: Capacity, rate: float, holds: Callable[[float], bool]
) -> float | None:
    return max((r for r in found.votes if r < rate and holds(r)), default=None)


def _above(
    found: Capacity, rate: float, holds: Callable[[float], bool]
) -> float | None:
    return min((r for r in found.votes if r > rate and not holds(r)), default=None)


def _lower(rate: float, resolution: float) -> float | None:
    return rate / (1 + resolution) if rate / (1 + resolution) >= LEAST_RATE else None


def _higher(rate: float, resolution: float, most: float) -> float | None:
    return rate * (1 + resolution) if rate * (1 + resolution) <= most else None
