import math

import numpy as np
import pandas as pd
import pytest

from assay.report.curves import (
    CURVE_POINTS,
    TIMELINE_POINTS,
    Curve,
    percentile_curve,
    thin,
    timeline,
    value_at,
)


def test_the_percentile_curve_passes_through_the_percentiles() -> None:
    curve = percentile_curve(np.arange(1, 10_001) / 1000)

    assert curve is not None and len(curve.x) == CURVE_POINTS
    assert value_at(curve, 0.5) == pytest.approx(5.0, rel=0.01)
    assert value_at(curve, 0.99) == pytest.approx(9.9, rel=0.01)


def test_unanswered_requests_count_and_end_the_curve() -> None:
    latencies = np.concatenate([np.full(900, 0.01), np.full(100, np.nan)])

    curve = percentile_curve(latencies)

    assert curve is not None
    assert curve.x[-1] == pytest.approx(-math.log10(0.1))


def test_too_few_samples_make_no_curve() -> None:
    assert percentile_curve(np.full(19, 0.01)) is None
    assert percentile_curve(np.full(100, np.nan)) is None


def test_the_timeline_has_one_point_for_each_launch() -> None:
    frame = pd.DataFrame(
        {
            "launch": np.repeat([1, 2, 3, 4, 5], 200),
            "block": 0,
            "scheduled": np.repeat([10.0, 20.0, 30.0, 40.0, 50.0], 200),
            "latency": np.tile(np.arange(1, 201) / 1000, 5),
        }
    )

    found = timeline(frame)

    assert found is not None
    curve, tail = found
    assert list(curve.x) == [10.0, 20.0, 30.0, 40.0, 50.0]
    assert tail == 0.95
    assert curve.y == pytest.approx(0.1005)
    assert curve.top == pytest.approx(np.full(5, 0.19005))


def test_one_launch_is_shown_block_by_block() -> None:
    frame = pd.DataFrame(
        {
            "launch": 1,
            "block": np.repeat(range(6), 50),
            "scheduled": np.linspace(0, 6, 300),
            "latency": 0.002,
        }
    )

    found = timeline(frame)

    assert found is not None and len(found[0].x) == 6


def test_long_curves_are_thinned() -> None:
    long = np.arange(10_000, dtype=float)

    assert len(thin(Curve(long, long)).x) <= TIMELINE_POINTS
