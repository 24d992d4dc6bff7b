"""What the tables of a run say of one metric: numbers and ratios by launch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assay.statistics import Floats

if TYPE_CHECKING:
    import pandas as pd

# Metrics that are compared block by block, and the column of a slice they are in.
# The others are pooled over a launch: a median over blocks would hide what
# happens to few requests.
BLOCK_METRICS = {
    "cpu_per_request": "cpu_per_request",
    "throughput": "throughput",
    "service.p50": "service_p50",
    "latency.p50": "latency_p50",
}


@dataclass(frozen=True)
class Measured:
    """The tables of a run so far: see `RunDirectory.slices` and `launches`."""

    slices: pd.DataFrame
    launches: pd.DataFrame


def log_ratios(
    measured: Measured, topic: str, baseline: str, candidate: str, metric: str
) -> Floats:
    """Return log(candidate / baseline), one number for each launch that counts."""
    launches = measured.launches
    if launches.empty:
        return np.empty(0)
    slices = measured.slices
    if BLOCK_METRICS.get(metric) in slices:
        counted = launches.loc[launches["topic"] == topic, "launch"].unique()
        chosen = slices[
            (slices["topic"] == topic)
            & slices["launch"].isin(counted)
            & ~slices["disturbed"]
            & slices["variant"].isin([baseline, candidate])
        ]
        wide = chosen.pivot_table(
            index=["launch", "mode", "block"],
            columns="variant",
            values=BLOCK_METRICS[metric],
        )
        if not {baseline, candidate} <= set(wide.columns):
            return np.empty(0)
        ratio = _log_ratio(wide[baseline], wide[candidate])
        return ratio.groupby("launch").median().to_numpy(dtype=float)
    wide = launches[
        (launches["topic"] == topic) & (launches["metric"] == metric)
    ].pivot_table(index="launch", columns="variant", values="value")
    if not {baseline, candidate} <= set(wide.columns):
        return np.empty(0)
    return _log_ratio(wide[baseline], wide[candidate]).to_numpy(dtype=float)


def _log_ratio(baseline: pd.Series, candidate: pd.Series) -> pd.Series:
    both = (baseline > 0) & (candidate > 0)
    return (candidate[both] / baseline[both]).map(math.log)


def numbers(measured: Measured, topic: str, variant: str, metric: str) -> Floats:
    """Return one number for each launch that counts."""
    table = measured.launches
    if table.empty:
        return np.empty(0)
    chosen = table[
        (table["topic"] == topic)
        & (table["variant"] == variant)
        & (table["metric"] == metric)
    ]
    return chosen["value"].to_numpy(dtype=float)


def metrics_of(measured: Measured, topic: str) -> set[str]:
    """Return the metrics that a topic has."""
    table = measured.launches
    if table.empty:
        return set()
    return set(table.loc[table["topic"] == topic, "metric"].unique())


def dropped_blocks(measured: Measured, topic: str, metric: str) -> int:
    """Return how many disturbed blocks were left out of a metric."""
    slices = measured.slices
    if slices.empty:
        return 0
    mode = "open" if metric.startswith(("latency.", "dropped")) else "closed"
    chosen = slices[
        (slices["topic"] == topic) & (slices["mode"] == mode) & slices["disturbed"]
    ]
    return len(chosen[["launch", "block"]].drop_duplicates())
