"""Search for the capacity of a service: bracket it, bisect, and confirm both ends.

A rate holds if the service meets its objective at that rate. Near its limit a service
sometimes meets the objective and sometimes misses it. So the search returns an
interval, and tries each end of the interval several times.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

BRACKET_FACTOR = 2.0  # factor between two rates while the limit is not bracketed
RESOLUTION = 0.05  # maximum relative width of the interval
VOTES = 3  # each end of the interval is tried until a majority of this many agrees
MAX_PROBES = 40  # trials of all rates together
MIN_RATE = 0.5  # arrivals per second


@dataclass
class Capacity:
    """The result of a search.

    Attributes:
        low: Highest rate that held in the majority of its trials; None if no rate did.
        high: Lowest rate above `low` that did not hold in the majority of its trials;
            None if every rate held.
        votes: Every rate that was tried, and whether it held in each trial.
    """

    low: float | None = None
    high: float | None = None
    votes: dict[float, list[bool]] = field(default_factory=dict)

    @property
    def probes(self) -> int:
        """The number of trials."""
        return sum(map(len, self.votes.values()))


def from_trials(trials: Iterable[tuple[float, bool]]) -> Capacity:
    """Return the interval that the trials of an unfinished search imply.

    Args:
        trials: The rate of each trial, and whether it held.
    """
    result = Capacity()
    for rate, held in trials:
        result.votes.setdefault(rate, []).append(held)
    shares = {rate: sum(votes) / len(votes) for rate, votes in result.votes.items()}
    low = max((rate for rate, share in shares.items() if share > 1 / 2), default=None)
    result.low = low
    result.high = min(
        (rate for rate, share in shares.items() if share < 1 / 2 and rate > (low or 0)),
        default=None,
    )
    return result


def search(
    holds: Callable[[float], bool],
    start: float,
    max_rate: float,
    resolution: float = RESOLUTION,
    votes: int = VOTES,
) -> Capacity:
    """Return the interval that contains the highest rate that holds.

    Args:
        holds: Tries a rate, in arrivals per second, and returns whether it held; an
            exception ends the search.
        start: The first rate to try, an estimate of the capacity.
        max_rate: The highest rate to try, because the generator has a limit, too.
        resolution: Maximum width of the interval, as a share of its lower end.
        votes: Each end is tried until a majority of this many trials agrees.
    """
    result = Capacity()

    def try_once(rate: float) -> bool:
        if rate not in result.votes:
            result.votes[rate] = [holds(rate)]
        return majority(rate)

    def majority(rate: float) -> bool:
        rate_votes = result.votes[rate]
        return 2 * sum(rate_votes) > len(rate_votes)

    def undecided(rate: float) -> bool:
        rate_votes = result.votes[rate]
        held = sum(rate_votes)
        return (
            len(rate_votes) < votes and max(held, len(rate_votes) - held) * 2 <= votes
        )

    def confirmed(rate: float) -> bool:
        try_once(rate)
        while undecided(rate):
            result.votes[rate].append(holds(rate))
        return majority(rate)

    low, high = _bracket(try_once, min(start, max_rate), max_rate)
    while result.probes < MAX_PROBES:
        if low is not None and high is not None and high / low > 1 + resolution:
            middle = math.sqrt(low * high)
            if try_once(middle):
                low = middle
            else:
                high = middle
        elif low is not None and not confirmed(low):
            high = low
            low = _next_held(result, low, majority) or _lower(low, resolution)
        elif high is not None and confirmed(high):
            low = high
            high = _next_missed(result, high, majority) or _higher(
                high, resolution, max_rate
            )
        else:
            break
    result.low, result.high = low, high
    return result


def _bracket(
    holds: Callable[[float], bool], start: float, max_rate: float
) -> tuple[float | None, float | None]:
    """Return a rate that holds and a higher one that does not; None if not found."""
    low: float | None = None
    high: float | None = None
    rate = start
    while True:
        if holds(rate):
            low = rate
            if high is not None or rate >= max_rate:
                return low, high
            rate = min(rate * BRACKET_FACTOR, max_rate)
        else:
            high = rate
            if low is not None or rate / BRACKET_FACTOR < MIN_RATE:
                return low, high
            rate /= BRACKET_FACTOR


def _next_held(
    result: Capacity, below: float, held: Callable[[float], bool]
) -> float | None:
    """Return the highest rate below `below` that was tried and held."""
    rates = (rate for rate in result.votes if rate < below and held(rate))
    return max(rates, default=None)


def _next_missed(
    result: Capacity, above: float, held: Callable[[float], bool]
) -> float | None:
    """Return the lowest rate above `above` that was tried and did not hold."""
    rates = (rate for rate in result.votes if rate > above and not held(rate))
    return min(rates, default=None)


def _lower(rate: float, resolution: float) -> float | None:
    """Return the next lower rate to try; None at the bottom of the range."""
    lower = rate / (1 + resolution)
    return lower if lower >= MIN_RATE else None


def _higher(rate: float, resolution: float, max_rate: float) -> float | None:
    """Return the next higher rate to try; None at the top of the range."""
    higher = rate * (1 + resolution)
    return higher if higher <= max_rate else None
