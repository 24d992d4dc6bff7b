"""When a load generator was late enough to matter: one rule for runs and load tests.

How late arrivals began is kept as counts in narrow bins, which can be added up over
seconds and workers: a table of the number of a bin, as text, and how many fell into it.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping

LATE = 1.5e-3  # seconds
NEGLIGIBLE = 0.05  # of the median latency: less than that distorts nothing
OFTEN = 0.05  # of the arrivals: fewer than that move no percentile by much
_LEAST, _STEP = 1e-6, math.log(1.1)  # seconds, and the width of a bin: 10 %

Lags = Mapping[str, int]


def limit(median: float | None) -> float:
    """Return the seconds from which on a lag matters.

    Args:
        median: Seconds that requests took; None or NaN if none was answered.
    """
    known = median is not None and math.isfinite(median)
    return max(LATE, NEGLIGIBLE * median if known and median else 0.0)


def is_late(lag: float, median: float | None) -> bool:
    """Say whether a generator was late enough to matter.

    Args:
        lag: Seconds, of the latest one in a hundred.
        median: As for `limit`.
    """
    return lag > limit(median)


def binned(lags: Iterable[float]) -> dict[str, int]:
    """Return how many of some lags, in seconds, fall into each bin."""
    counts = Counter(int(math.log(max(lag, _LEAST) / _LEAST) / _STEP) for lag in lags)
    return {str(number): count for number, count in sorted(counts.items())}


def share_late(lags: Lags, median: float | None) -> float:
    """Return the share of arrivals that were late by more than `limit`."""
    least = limit(median)
    late = sum(count for number, count in lags.items() if _low(number) >= least)
    return late / max(1, sum(lags.values()))


def quantile(lags: Lags, share: float) -> float:
    """Return a quantile in seconds, to some 5 %; 0 where there are no lags."""
    left = share * (sum(lags.values()) - 1)
    for number in sorted(lags, key=int):
        left -= lags[number]
        if left < 0:
            return _low(number) * math.exp(_STEP / 2) if int(number) else 0.0
    return 0.0


def _low(number: str) -> float:
    return _LEAST * math.exp(_STEP * int(number))
