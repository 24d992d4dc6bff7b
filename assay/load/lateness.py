"""Decide whether a load generator was late enough to matter, in runs and load tests.

Lags are counted in narrow bins, because counts can be added up over seconds and
workers. A table maps the number of each bin, as text, to the number of lags in it.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping

LATE = 1.5e-3  # seconds
NEGLIGIBLE = 0.05  # share of the median latency; a smaller lag distorts nothing
MAX_LATE_SHARE = 0.05  # share of the arrivals; a smaller share moves percentiles little
_FIRST_BIN = 1e-6  # seconds
_BIN_WIDTH = math.log(1.1)  # each bin is 10 % wide

Lags = Mapping[str, int]


def limit(median: float | None) -> float:
    """Return the largest lag, in seconds, that does not matter.

    Args:
        median: Median latency in seconds; None or NaN if no request was answered.
    """
    if not median or not math.isfinite(median):
        return LATE
    return max(LATE, NEGLIGIBLE * median)


def is_late(lag: float, median: float | None) -> bool:
    """Return whether a generator was late enough to matter.

    Args:
        lag: The 99th percentile of the generator's lags, in seconds.
        median: As for `limit`.
    """
    return lag > limit(median)


def binned(lags: Iterable[float]) -> dict[str, int]:
    """Return how many of some lags, in seconds, fall into each bin."""
    counts = Counter(
        int(math.log(max(lag, _FIRST_BIN) / _FIRST_BIN) / _BIN_WIDTH) for lag in lags
    )
    return {str(number): count for number, count in sorted(counts.items())}


def share_late(lags: Lags, median: float | None) -> float:
    """Return the share of arrivals that were late by more than `limit`."""
    least = limit(median)
    late = sum(count for number, count in lags.items() if _low(number) >= least)
    return late / max(1, sum(lags.values()))


def quantile(lags: Lags, share: float) -> float:
    """Return a quantile in seconds, to about 5 %; 0 if there are no lags."""
    rank = share * (sum(lags.values()) - 1)
    for number in sorted(lags, key=int):
        rank -= lags[number]
        if rank < 0:
            return _low(number) * math.exp(_BIN_WIDTH / 2) if int(number) else 0.0
    return 0.0


def _low(number: str) -> float:
    """Return the lower edge of a bin, in seconds."""
    return _FIRST_BIN * math.exp(_BIN_WIDTH * int(number))
