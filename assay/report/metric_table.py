"""The table of a pair: every metric that was measured, as text."""

from dataclasses import dataclass

from assay.metrics import METRICS
from assay.report.summary import pair_verdict_of, side_text
from assay.results import ClaimResult, Comparison, PairVerdict, Results
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
        forecast: When a difference as small as the margin would be seen.
        differs: Whether it stands out among those that are only browsed.
        claimed: Whether a claim names it.
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
    """Return every metric of the pair: those that decide first, then by METRICS."""
    values = {
        (value.variant, value.metric): value
        for value in results.values
        if value.topic == topic
    }
    comparisons = {
        comparison.metric: comparison
        for comparison in results.comparisons
        if (comparison.topic, comparison.baseline, comparison.candidate)
        == (topic, *pair)
    }
    claimed = {claim.metric for claim in claims}
    deciding = claimed | {c.metric for c in comparisons.values() if c.verdict}
    names = [name for variant, name in values if variant in pair]
    order = list(METRICS)
    found = sorted(
        dict.fromkeys([*names, *comparisons]),
        key=lambda name: (
            name not in deciding,
            order.index(name) if name in order else len(order),
            name,
        ),
    )
    rows = []
    for name in found:
        known = comparisons.get(name)
        seconds = known.seconds_to_see if known else None
        rows.append(
            MetricRow(
                metric=name,
                meaning=meaning_of(name),
                baseline=side_text(values.get((pair[0], name))),
                candidate=side_text(values.get((pair[1], name))),
                compared=_compared(known),
                forecast=(
                    "" if seconds is None else f"{percent(margin)} in {about(seconds)}"
                ),
                verdict=verdict_word(known) if known else "",
                reason=_reason(known, pair_verdict_of(results, known)) if known else "",
                differs=known is not None and known.differs and known.verdict is None,
                claimed=name in claimed,
            )
        )
    return rows


def _compared(comparison: Comparison | None) -> str:
    if comparison and comparison.censored == "both":
        return "unknown"
    return compared(comparison) if comparison and comparison.ratio is not None else "–"


def _reason(comparison: Comparison, whole: PairVerdict | None) -> str:
    """Return why there is no verdict, unless the whole says it, or no ratio."""
    reason = comparison.reason
    if whole and reason in whole.reason:
        reason = ""
    unknown = compared_parts(comparison)[1] if comparison.censored == "both" else ""
    return "; ".join(filter(None, (reason, unknown)))
