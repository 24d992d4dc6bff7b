"""When a load generator was late enough to matter: one rule for runs and load tests."""

import math

LATE = 1.5e-3  # seconds, of the latest arrival in a hundred
NEGLIGIBLE = 0.05  # of the median latency: less than that distorts nothing


def is_late(lag: float, median: float | None) -> bool:
    """Say whether a generator was late enough to matter.

    Args:
        lag: Seconds, of the latest one in a hundred.
        median: Seconds that requests took; None or NaN if none was answered.
    """
    known = median is not None and math.isfinite(median)
    return lag > max(LATE, NEGLIGIBLE * median if known and median else 0.0)
