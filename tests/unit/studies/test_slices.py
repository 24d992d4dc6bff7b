"""The study of slices: longer slices at the same measuring time, and their spreads."""

import numpy as np
import pytest

from assay.experiment import calibration
from assay.metrics import DECIDING_METRICS
from assay.plan import Load
from scripts.studies import slices

SCHEDULE = calibration.Schedule(
    Load(),
    1000.0,
    dict.fromkeys("ab", calibration.CLOSED_SECONDS),
    calibration.OPEN_SECONDS,
    calibration.CLOSED_BLOCKS,
    calibration.OPEN_BLOCKS,
)


@pytest.mark.parametrize("factor", slices.LENGTHS)
def test_longer_slices_have_the_same_measuring_time(factor: int) -> None:
    schedule = slices.lengthened(SCHEDULE, factor)
    assert schedule.open_seconds == factor * SCHEDULE.open_seconds
    assert schedule.rate == SCHEDULE.rate
    for name in "ab":
        assert schedule.closed_seconds[name] * schedule.closed_blocks == pytest.approx(
            SCHEDULE.closed_seconds[name] * SCHEDULE.closed_blocks
        )
    assert schedule.open_seconds * schedule.open_blocks == pytest.approx(
        SCHEDULE.open_seconds * SCHEDULE.open_blocks
    )


def test_half_the_spread_is_detected_and_in_the_table() -> None:
    rng = np.random.default_rng(7)
    wide, narrow = rng.normal(0, 0.04, 60), rng.normal(0, 0.02, 60)
    ratio, low, high = slices.spread_ratio(narrow, wide)
    assert low < 0.5 < high < 1
    assert low < ratio < high
    launches = {
        factor: slices.Launches(
            (0.01 * factor, 0.02 * factor), dict.fromkeys(DECIDING_METRICS, x), 2
        )
        for factor, x in ((1, narrow), (4, wide))
    }
    lines = slices.table(launches).splitlines()
    assert f"{ratio:.2f}× [{low:.2f}, {high:.2f}]" in lines[2]
    assert lines[2].startswith("| 10 ms, 20 ms | 60 | 2 |")
    assert "×" not in lines[3]


@pytest.mark.parametrize("count", [1, 3, slices.MIN_LAUNCHES - 1])
def test_too_few_launches_are_not_compared(count: int) -> None:
    x = np.linspace(-0.01, 0.01, count)
    few = slices.Launches((0.01, 0.02), dict.fromkeys(DECIDING_METRICS, x), 0)
    assert "×" not in slices.table({1: few, 4: few})
