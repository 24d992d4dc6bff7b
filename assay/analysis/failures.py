"""Compare failures before speed: a quick error is not a quick answer."""

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
    """Return why failures forbid a verdict on speed; empty if they do not.

    Args:
        measured: The tables so far.
        topic: Name of the topic.
        pair: Baseline and candidate.
        looks: Numbers of launches after which failures are compared.
    """
    alpha = statistics.pocock_level(looks, ALPHA)
    # The open and the closed loop are tested separately. A quicker variant answers more
    # requests in the closed loop, so rates that are equal in each loop would differ if
    # both loops were pooled.
    for mode in MODES:
        (failed_a, total_a), (failed_b, total_b) = (
            _count_failed(measured, topic, name, mode) for name in pair
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
                f"{pair[1]} {failed_b / total_b:.2%}; speed is not compared where one "
                "side fails more often"
            )
    return ""


def _count_failed(
    measured: Measurements, topic: str, variant: str, mode: Mode
) -> tuple[int, int]:
    """Return how many requests of a loop failed or were dropped, and the total."""
    slices = undisturbed_slices(measured, topic, variant)
    if slices.empty:
        return 0, 0
    slices = slices[slices["mode"] == mode]
    # Arrivals that were never answered are counted as failed requests already;
    # dropped arrivals are not.
    dropped = int(slices["dropped"].sum())
    return (
        int(slices["failed"].sum()) + dropped,
        int(slices["requests"].sum()) + dropped,
    )


def undisturbed_slices(
    measured: Measurements, topic: str, variant: str
) -> pd.DataFrame:
    """Return a variant's undisturbed slices in the launches that count.

    A request can fail because the whole machine stood still for a moment. That says
    nothing about the variant.
    """
    slices = measured.slices
    if slices.empty or measured.launches.empty:
        return slices.iloc[:0]
    return slices[
        (slices["topic"] == topic)
        & (slices["variant"] == variant)
        & ~slices["disturbed"]
        & slices["launch"].isin(measurements.counted_launches(measured, topic))
    ]
