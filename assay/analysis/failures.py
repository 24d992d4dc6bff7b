"""Failures are compared before speed: an error that is quick is no quick answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.analysis import measurements, statistics
from assay.metrics import MODES, Mode

if TYPE_CHECKING:
    import pandas as pd

    from assay.analysis.measurements import Measurements

ALPHA = 0.01


def difference(
    measured: Measurements, topic: str, pair: tuple[str, str], looks: tuple[int, ...]
) -> str:
    """Return why failures forbid a verdict on speed, or nothing.

    Args:
        measured: All launches.
        topic: Its name.
        pair: Baseline and candidate.
        looks: Numbers of launches after which this is asked.
    """
    alpha = statistics.pocock_level(looks, ALPHA)
    # One load after the other: a quicker variant answers more often in the closed
    # loop, so that equal rates of both loads are unequal together.
    for mode in MODES:
        (failed_a, total_a), (failed_b, total_b) = (
            _failed(measured, topic, name, mode) for name in pair
        )
        if (
            total_a
            and total_b
            and statistics.failures_differ(
                failed_a, total_a, failed_b, total_b, alpha / len(MODES)
            )
        ):
            return (
                "failure rates differ beyond chance: "
                f"{pair[0]} {failed_a / total_a:.2%}, "
                f"{pair[1]} {failed_b / total_b:.2%}; a faster answer that fails more "
                "often is not compared"
            )
    return ""


def _failed(
    measured: Measurements, topic: str, variant: str, mode: Mode
) -> tuple[int, int]:
    """Return the requests of a load that failed or were dropped, and all of them."""
    own = fair_slices(measured, topic, variant)
    if own.empty:
        return 0, 0
    own = own[own["mode"] == mode]
    # Arrivals that were never answered are samples already, marked as failed;
    # dropped ones are not.
    dropped = int(own["dropped"].sum())
    return int(own["failed"].sum()) + dropped, int(own["requests"].sum()) + dropped


def fair_slices(measured: Measurements, topic: str, variant: str) -> pd.DataFrame:
    """Return a variant's slices that nothing disturbed, of launches that count.

    What failed because the whole machine stood still for a moment is no property of
    the variant that was being asked.
    """
    slices = measured.slices
    if slices.empty or measured.launches.empty:
        return slices.iloc[:0]
    return slices[
        (slices["topic"] == topic)
        & (slices["variant"] == variant)
        & ~slices["disturbed"]
        & slices["launch"].isin(measurements.counted(measured, topic))
    ]
