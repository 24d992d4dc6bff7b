"""Curves for the charts: samples reduced to as many points as a reader can see."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CURVE_POINTS = 150
TIMELINE_POINTS = 120


@dataclass(frozen=True)
class Curve:
    """One side's line of a chart.

    Attributes:
        x: Positions, ascending.
        y: One value for each x, in the metric's unit.
        top: Upper edge of a band above y; None for a plain line.
    """

    x: Floats
    y: Floats
    top: Floats | None = None


def percentile_curve(latencies: Floats) -> Curve | None:
    """Return latency by percentile as a short curve, x = -log10(1 - share).

    Requests that were never answered have a latency of NaN. They count as the slowest,
    and the curve ends before them. It also ends where fewer than five requests are
    slower. None if there are too few requests.
    """
    import numpy as np

    total = len(latencies)
    answered = np.sort(latencies[np.isfinite(latencies)])
    if total < 20 or len(answered) == 0:
        return None
    last = min((total - 5) / total, len(answered) / total)
    x = np.linspace(0.0, -math.log10(1 - last), CURVE_POINTS)
    share = 1 - 10**-x
    index = np.minimum((share * total).astype(int), len(answered) - 1)
    return Curve(x, answered[index])


def timeline(samples: pd.DataFrame) -> tuple[Curve, float] | None:
    """Return the latency of one variant over time: the median and a band above it.

    Args:
        samples: Columns launch, block, scheduled and latency.

    Returns:
        The curve (x is in seconds since the run began), and the quantile at the upper
        edge of the band; None if there are too few samples.
    """
    keys = ["launch"]
    if samples["launch"].nunique() < 4:
        keys = ["launch", "block"]
    answered = samples.dropna(subset=["latency"])
    groups = answered.groupby(keys, sort=True)
    if len(groups) < 2:
        return None
    group_size = float(groups.size().median())
    tail = 0.99 if group_size >= 500 else 0.95 if group_size >= 100 else 0.9
    table = groups.agg(
        x=("scheduled", "median"),
        median=("latency", "median"),
        top=("latency", lambda values: values.quantile(tail)),
    ).sort_values("x")
    step = math.ceil(len(table) / TIMELINE_POINTS)
    table = table.iloc[::step]
    return (
        Curve(
            table["x"].to_numpy(float),
            table["median"].to_numpy(float),
            table["top"].to_numpy(float),
        ),
        tail,
    )


def thin(curve: Curve) -> Curve:
    """Return the curve with no more points than a reader can see."""
    step = math.ceil(len(curve.x) / TIMELINE_POINTS)
    return Curve(curve.x[::step], curve.y[::step])


def value_at(curve: Curve, share: float) -> float:
    """Return the value of a percentile curve at a share between 0 and 1."""
    import numpy as np

    return float(np.interp(-math.log10(1 - share), curve.x, curve.y))


def median(values: Floats) -> float:
    """Return the median of an array."""
    import numpy as np

    return float(np.median(values))
