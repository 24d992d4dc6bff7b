"""The study of slices: the same time in longer slices, and what spreads say."""

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


@pytest.mark.parametrize("times", slices.TIMES)
def test_longer_slices_measure_for_as_long(times: int) -> None:
    made = slices.longer(SCHEDULE, times)
    assert made.open_seconds == times * SCHEDULE.open_seconds
    assert made.rate == SCHEDULE.rate
    for name in "ab":
        assert made.closed_seconds[name] * made.closed_blocks == pytest.approx(
            SCHEDULE.closed_seconds[name] * SCHEDULE.closed_blocks
        )
    assert made.open_seconds * made.open_blocks == pytest.approx(
        SCHEDULE.open_seconds * SCHEDULE.open_blocks
    )


def test_half_the_spread_is_found_and_stands_in_the_table() -> None:
    rng = np.random.default_rng(7)
    wide, narrow = rng.normal(0, 0.04, 60), rng.normal(0, 0.02, 60)
    ratio, low, high = slices.compared(narrow, wide)
    assert low < 0.5 < high < 1
    assert low < ratio < high
    found = {
        times: slices.Found(
            (0.01 * times, 0.02 * times), dict.fromkeys(DECIDING_METRICS, x), 2
        )
        for times, x in ((1, narrow), (4, wide))
    }
    lines = slices.table(found).splitlines()
    assert f"{ratio:.2f}× [{low:.2f}, {high:.2f}]" in lines[2]
    assert lines[2].startswith("| 10 ms, 20 ms | 60 | 2 |")
    assert "×" not in lines[3]


@pytest.mark.parametrize("launches", [1, 3, slices.FEWEST - 1])
def test_too_few_launches_are_compared_with_nothing(launches: int) -> None:
    x = np.linspace(-0.01, 0.01, launches)
    few = slices.Found((0.01, 0.02), dict.fromkeys(DECIDING_METRICS, x), 0)
    assert "×" not in slices.table({1: few, 4: few})
