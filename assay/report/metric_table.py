"""The table of a pair: all measured metrics, as text."""

from dataclasses import dataclass

from assay.metrics import METRICS
from assay.report.summary import gate_of, gate_text, pair_verdict_of, side_text
from assay.results import ClaimResult, Comparison, Results
from assay.wording import (
    about,
    compared,
    compared_parts,
    meaning_of,
    percent,
    verdict_word,
)


@dataclass(frozen=True)
class MetricRow:
    """One metric of a pair, as text.

    Attributes:
        forecast: How long it takes to detect a difference of the size of the margin.
        differs: Whether the metric has no verdict, but differs significantly.
        claimed: Whether a claim names the metric.
    """

    metric: str
    meaning: str
    baseline: str
    candidate: str
    compared: str
    forecast: str
    verdict: str
    reason: str
    differs: bool
    claimed: bool


def metric_rows(
    results: Results,
    topic: str,
    pair: tuple[str, str],
    claims: tuple[ClaimResult, ...],
    margin: float,
) -> list[MetricRow]:
    """Return a row for each metric of a pair.

    The deciding metrics come first. Both these and the other metrics are in the order
    of `METRICS`.
    """
    values = {
        (value.variant, value.metric): value
        for value in results.values
        if value.topic == topic and not value.test
    }
    comparisons = {
        comparison.metric: comparison
        for comparison in results.comparisons
        if (comparison.topic, comparison.baseline, comparison.candidate)
        == (topic, *pair)
        and not comparison.test
    }
    claimed = {claim.metric for claim in claims}
    deciding = claimed | {c.metric for c in comparisons.values() if c.verdict}
    names = [name for variant, name in values if variant in pair]
    order = list(METRICS)
    metrics = sorted(
        dict.fromkeys([*names, *comparisons]),
        key=lambda name: (
            name not in deciding,
            order.index(name) if name in order else len(order),
            name,
        ),
    )
    rows = []
    for name in metrics:
        comparison = comparisons.get(name)
        seconds = comparison.seconds_to_see if comparison else None
        rows.append(
            MetricRow(
                metric=name,
                meaning=meaning_of(name),
                baseline=side_text(values.get((pair[0], name))),
                candidate=side_text(values.get((pair[1], name))),
                compared=_compared(comparison),
                forecast=(
                    "" if seconds is None else f"{percent(margin)} in {about(seconds)}"
                ),
                verdict=verdict_word(comparison) if comparison else "",
                reason=_reason(results, comparison) if comparison else "",
                differs=(
                    comparison is not None
                    and comparison.differs
                    and comparison.verdict is None
                ),
                claimed=name in claimed,
            )
        )
    return rows


def _compared(comparison: Comparison | None) -> str:
    if comparison and comparison.censored == "both":
        return "unknown"
    return compared(comparison) if comparison and comparison.ratio is not None else "–"


def _reason(results: Results, comparison: Comparison) -> str:
    """Return the gate's decision, and why there is no verdict or no ratio.

    A reason that is part of the verdict on the whole pair is left out.
    """
    reason = comparison.reason
    pair_verdict = pair_verdict_of(results, comparison)
    if pair_verdict and reason in pair_verdict.reason:
        reason = ""
    no_ratio = compared_parts(comparison)[1] if comparison.censored == "both" else ""
    gate = gate_text(gate_of(results, comparison))
    return "; ".join(filter(None, (gate, reason, no_ratio)))
