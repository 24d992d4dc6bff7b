"""Compare the two variants of a pair: ratios, intervals, verdicts, reasons."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from assay import wording
from assay.analysis import failures, measurements, power, statistics
from assay.analysis.controls import controls
from assay.analysis.deciding import Pair, deciding_metrics
from assay.analysis.looks import Looks
from assay.metrics import METRICS, requests_needed
from assay.plan import Topic
from assay.results import Censored, Comparison, Verdict

if TYPE_CHECKING:
    from assay.analysis.measurements import Measurements
    from assay.analysis.statistics import Floats


@dataclass(frozen=True)
class ExaminedPair:
    """One pair of variants in one run, and the reasons that forbid verdicts on it.

    Attributes:
        failures: Why failures forbid verdicts on speed; empty if they do not.
        noise: Why noise forbids verdicts on latency; empty if it does not.
    """

    looks: Looks
    topic: Topic
    pair: Pair
    measured: Measurements
    failures: str
    noise: str

    @property
    def names(self) -> tuple[str, str, str]:
        """Topic, baseline and candidate."""
        return self.topic.name, *self.pair

    @property
    def deciding_metrics(self) -> set[str]:
        """The metrics that have a verdict."""
        return deciding_metrics(self.topic, self.pair, self.measured)

    def ratios(self, metric: str) -> Floats:
        """Return the log ratio of a metric in each launch."""
        return measurements.log_ratios(self.measured, *self.names, metric)

    def spans(self, metric: str) -> Floats:
        """Return two rows: the least and the greatest log ratio of each launch."""
        return measurements.log_spans(self.measured, *self.names, metric)

    def reason_forbidden(self, metric: str) -> str:
        """Return why no verdict on a metric is allowed; empty if one is."""
        if METRICS[metric].serving and self.failures:
            return self.failures
        generator_limits = {
            "throughput": ("is limited by", measurements.limited_by_generator),
            "service.p50": ("waits for", measurements.under_busy_generator),
        }
        if metric in generator_limits and metric not in self.deciding_metrics:
            phrase, variants_affected = generator_limits[metric]
            affected = variants_affected(self.measured, self.topic.name, self.pair)
            if affected:
                loop = f"the closed loop of {' and '.join(affected)}"
                return f"{loop} {phrase} the generator"
        return self.noise if METRICS[metric].is_latency else ""


def examine(
    looks: Looks, topic: Topic, pair: Pair, measured: Measurements
) -> ExaminedPair:
    """Find out whether failures or noise forbid a verdict on a pair."""
    return ExaminedPair(
        looks,
        topic,
        pair,
        measured,
        failures.difference(measured, topic.name, pair, looks.launches),
        _reason_noisy(looks, topic, measured),
    )


def comparisons(
    looks: Looks, topic: Topic, measured: Measurements, deciding_only: bool = False
) -> Iterable[Comparison]:
    """Yield the comparisons of a topic's pairs, metric by metric.

    Args:
        looks: The levels and the margin.
        topic: The topic of the pairs.
        measured: The tables so far.
        deciding_only: Whether metrics without a verdict are left out.
    """
    present = measurements.metrics_of(measured, topic.name)
    level_if_shown = level_if_deciding = looks.level()
    if not topic.claims:  # Holm's procedure corrects claims elsewhere
        level_if_deciding = looks.level(looks.comparisons)
    for pair in topic.pairs():
        examined = examine(looks, topic, pair, measured)
        deciding = examined.deciding_metrics
        for metric in METRICS:
            if metric in deciding:
                yield _comparison(examined, metric, level_if_deciding, True)
            elif metric in present and not deciding_only:
                yield _comparison(examined, metric, level_if_shown, False)


def mark_differing(
    looks: Looks,
    topics: Sequence[Topic],
    measured: Measurements,
    compared: Sequence[Comparison],
) -> list[Comparison]:
    """Mark each metric without a verdict whose change exceeds the margin significantly.

    The Benjamini-Hochberg procedure runs over all comparisons without a verdict.
    Metrics on which verdicts are forbidden are never marked.
    """
    pairs = {
        (topic.name, *pair): examine(looks, topic, pair, measured)
        for topic in topics
        for pair in topic.pairs()
    }
    eligible = [
        item
        for item in compared
        if item.verdict is None
        and item.launches
        and not pairs[item.topic, item.baseline, item.candidate].reason_forbidden(
            item.metric
        )
    ]
    p_values = []
    for item in eligible:
        spans = measurements.log_spans(
            measured, item.topic, item.baseline, item.candidate, item.metric
        )
        p_values.append(statistics.beyond_margin_p(spans, looks.margin))
    # These metrics are tested at every look, as verdicts are. So the level is that of
    # one look.
    discoveries = statistics.benjamini_hochberg(p_values, looks.level())
    marked = {
        id(item): differs for item, differs in zip(eligible, discoveries, strict=True)
    }
    return [
        item.model_copy(update={"differs": True}) if marked.get(id(item)) else item
        for item in compared
    ]


def cannot_be_decided(examined: ExaminedPair, metric: str) -> bool:
    """Say whether more launches can never bring a verdict on a metric."""
    return bool(examined.failures and METRICS[metric].serving) or bool(
        _reason_too_few(examined, metric) or _reason_both_limited(examined, metric)
    )


def _comparison(
    examined: ExaminedPair, metric: str, level: float, decides: bool
) -> Comparison:
    margin = examined.looks.margin
    log_ratios = examined.ratios(metric)
    interval = statistics.signed_rank_interval(examined.spans(metric), level)
    ratio, censored = _ratio(examined, metric, log_ratios)
    verdict: Verdict | None = None
    reason = ""
    if decides:
        verdict = cast(
            Verdict,
            statistics.comparison_verdict(
                interval,
                math.log(ratio) if ratio else math.nan,
                margin,
                METRICS[metric].higher_is_better,
            ),
        )
        reason = examined.reason_forbidden(metric)
        if reason:
            verdict = "undecided"
        elif verdict == "undecided":
            reason = _reason_undecided(examined, metric, log_ratios, interval)
    low, high = interval or (None, None)
    return Comparison(
        topic=examined.topic.name,
        baseline=examined.pair[0],
        candidate=examined.pair[1],
        metric=metric,
        ratio=ratio,
        low=None if low is None else math.exp(low),
        high=None if high is None or math.isinf(high) else math.exp(high),
        launches=len(log_ratios),
        dropped_blocks=measurements.dropped_blocks(
            examined.measured, examined.topic.name, examined.pair, metric
        ),
        verdict=verdict,
        reason=reason,
        censored=censored,
        seconds_to_see=(
            None
            if examined.reason_forbidden(metric)
            else _seconds_to_detect_margin(examined, log_ratios, level)
        ),
    )


def _ratio(
    examined: ExaminedPair, metric: str, log_ratios: Floats
) -> tuple[float | None, Censored]:
    """Return the ratio, or a bound of it, and the sides known only as bounds."""
    baseline_censored, candidate_censored = (
        bool(
            measurements.censored_launches(
                examined.measured, examined.topic.name, variant, metric
            )
        )
        for variant in examined.pair
    )
    kinds: dict[tuple[bool, bool], Censored] = {
        (False, False): "",
        (True, False): "baseline",
        (False, True): "candidate",
        (True, True): "both",
    }
    censored = kinds[baseline_censored, candidate_censored]
    centre = statistics.hodges_lehmann(log_ratios) if len(log_ratios) else math.nan
    if not math.isfinite(centre) and censored:
        bounds = measurements.log_bounds(examined.measured, *examined.names, metric)
        centre = statistics.hodges_lehmann(bounds) if len(bounds) else math.nan
    elif math.isfinite(centre):
        # The median is finite, so the few launches with a bound do not affect it.
        censored = ""
    return (math.exp(centre) if math.isfinite(centre) else None), censored


def _seconds_to_detect_margin(
    examined: ExaminedPair, log_ratios: Floats, level: float
) -> float | None:
    seconds = measurements.seconds_per_launch(examined.measured, examined.topic.name)
    if (
        seconds is None
        or len(log_ratios) < 3
        or not all(map(math.isfinite, log_ratios))
    ):
        return None
    return power.seconds_to_see(
        log_ratios,
        math.log1p(examined.looks.margin),
        seconds,
        examined.looks.launches,
        level,
    )


def _reason_undecided(
    examined: ExaminedPair,
    metric: str,
    log_ratios: Floats,
    interval: tuple[float, float] | None,
) -> str:
    margin = wording.percent(examined.looks.margin)
    reason = _reason_too_few(examined, metric) or _reason_both_limited(examined, metric)
    if reason:
        return reason
    launches = len(log_ratios)
    if interval is None:
        return f"{wording.too_few_launches(launches)} for an interval"
    if interval[0] > 0 or interval[1] < 0:
        return (
            f"the difference is less than half of the margin of {margin}, but the "
            f"interval is too wide to call it the same after {launches} launches"
        )
    return (
        f"the interval includes 1 and extends beyond the margin of {margin} after "
        f"{launches} launches"
    )


def _reason_too_few(examined: ExaminedPair, metric: str) -> str:
    """Say that a launch has too few requests for a quantile; empty if it has enough."""
    needed = requests_needed(metric)
    if not needed or metric in measurements.metrics_of(
        examined.measured, examined.topic.name
    ):
        return ""
    held = min(
        measurements.requests_held(examined.measured, examined.topic.name, variant)
        for variant in examined.pair
    )
    if not held:
        return ""
    return (
        f"{metric} needs {needed} requests per launch, but a typical launch had only "
        f"{held}: raise load.arrival_rate, or ask for a lower percentile"
    )


def _reason_both_limited(examined: ExaminedPair, metric: str) -> str:
    """Say that the generator limited both sides' throughput; empty if it did not.

    If it limited only one side, that side's throughput is a bound, and a verdict is
    still possible.
    """
    if metric != "throughput":
        return ""
    topic, measured = examined.topic.name, examined.measured
    limited = (
        measurements.censored_launches(measured, topic, name, metric)
        for name in examined.pair
    )
    if not all(limited):
        return ""
    return "the load generator was the limit on both sides, not the service"


def _reason_noisy(looks: Looks, topic: Topic, measured: Measurements) -> str:
    """Return why noise forbids verdicts on latency; empty if it does not."""
    lost, launches = measurements.uncounted_launches(measured, topic.name)
    if launches >= 4 and lost * 2 > launches:
        return (
            f"{lost} of {launches} launches were too disturbed to count, so latency "
            "is not judged; assay doctor says what disturbs this machine"
        )
    for control in controls(looks, topic, measured):
        if control.failed:
            return (
                f"{control.variant} against itself came out as {control.ratio:.2f}× "
                f"in {control.metric} ({control.launches} launches), so latency is "
                "not judged; assay doctor says what disturbs this machine"
            )
    return ""
