"""When a generator was late enough to matter."""

import math

import pytest

from assay.lateness import is_late


@pytest.mark.parametrize(
    ("lag", "median", "late"),
    [
        (1.4e-3, None, False),
        (1.6e-3, None, True),
        (1.6e-3, math.nan, True),
        (1.6e-3, math.inf, True),
        (1.6e-3, 0.001, True),
        (1.6e-3, 0.1, False),  # less than a twentieth of what requests take
        (6e-3, 0.1, True),
    ],
)
def test_lateness_counts_beside_what_requests_take(
    lag: float, median: float | None, late: bool
) -> None:
    assert is_late(lag, median) is late
