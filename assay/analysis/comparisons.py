"""The comparisons of a pair of variants: ratios, intervals, verdicts, reasons."""

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
class Pairing:
    """One pair of variants in one run, and what forbids verdicts on it.

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
        """Return the launches' log ratios of a metric."""
        return measurements.log_ratios(self.measured, *self.names, metric)

    def spans(self, metric: str) -> Floats:
        """Return the least and the greatest value that each log ratio can have."""
        return measurements.log_spans(self.measured, *self.names, metric)

    def forbidden(self, metric: str) -> str:
        """Return why there is no verdict on a metric; empty if there is."""
        if METRICS[metric].serving and self.failures:
            return self.failures
        if metric == "throughput" and metric not in self.deciding_metrics:
            limited = measurements.limited_by_generator(
                self.measured, self.topic.name, self.pair
            )
            if limited:
                return f"the load generator was the limit under {', '.join(limited)}"
        return self.noise if METRICS[metric].is_latency else ""


def examine(looks: Looks, topic: Topic, pair: Pair, measured: Measurements) -> Pairing:
    """Examine one pair: find out what forbids a verdict on it."""
    return Pairing(
        looks,
        topic,
        pair,
        measured,
        failures.difference(measured, topic.name, pair, looks.launches),
        _noise(looks, topic, measured),
    )


def comparisons(
    looks: Looks, topic: Topic, measured: Measurements, deciding_only: bool = False
) -> Iterable[Comparison]:
    """Yield the comparisons of a topic's pairs, metric by metric.

    Args:
        looks: The levels and the margin.
        topic: The topic of the pairs.
        measured: The tables so far.
        deciding_only: Leave out metrics that have no verdict.
    """
    present = measurements.metrics_of(measured, topic.name)
    unshared = looks.level()
    shared = unshared if topic.claims else looks.level(looks.comparisons)
    for pair in topic.pairs():
        pairing = examine(looks, topic, pair, measured)
        deciding = pairing.deciding_metrics
        for metric in METRICS:
            if metric in deciding:
                yield _comparison(pairing, metric, shared, True)
            elif metric in present and not deciding_only:
                yield _comparison(pairing, metric, unshared, False)


def mark_differing(
    looks: Looks,
    topics: Sequence[Topic],
    measured: Measurements,
    compared: Sequence[Comparison],
) -> list[Comparison]:
    """Mark the comparisons without a verdict that stand out from all such comparisons.

    A metric on which verdicts are forbidden is never marked.
    """
    pairings = {
        (topic.name, *pair): examine(looks, topic, pair, measured)
        for topic in topics
        for pair in topic.pairs()
    }
    browsed = [
        item
        for item in compared
        if item.verdict is None
        and item.launches
        and not pairings[item.topic, item.baseline, item.candidate].forbidden(
            item.metric
        )
    ]
    p_values = []
    for item in browsed:
        spans = measurements.log_spans(
            measured, item.topic, item.baseline, item.candidate, item.metric
        )
        p_values.append(statistics.beyond_margin_p(spans, looks.margin))
    # These are judged at every look, as the others are, so the level of one look holds.
    discoveries = statistics.benjamini_hochberg(p_values, looks.level())
    marked = {
        id(item): differs for item, differs in zip(browsed, discoveries, strict=True)
    }
    return [
        item.model_copy(update={"differs": True}) if marked.get(id(item)) else item
        for item in compared
    ]


def cannot_be_decided(pairing: Pairing, metric: str) -> bool:
    """Say whether no number of launches can bring a verdict on a metric."""
    return bool(pairing.failures and METRICS[metric].serving) or bool(
        _too_few(pairing, metric) or _limited_on_both(pairing, metric)
    )


def _comparison(
    pairing: Pairing, metric: str, level: float, decides: bool
) -> Comparison:
    margin = pairing.looks.margin
    log_ratios = pairing.ratios(metric)
    interval = statistics.signed_rank_interval(pairing.spans(metric), level)
    ratio, censored = _ratio(pairing, metric, log_ratios)
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
        reason = pairing.forbidden(metric)
        if reason:
            verdict = "undecided"
        elif verdict == "undecided":
            reason = _undecided(pairing, metric, log_ratios, interval)
    low, high = interval or (None, None)
    return Comparison(
        topic=pairing.topic.name,
        baseline=pairing.pair[0],
        candidate=pairing.pair[1],
        metric=metric,
        ratio=ratio,
        low=None if low is None else math.exp(low),
        high=None if high is None or math.isinf(high) else math.exp(high),
        launches=len(log_ratios),
        dropped_blocks=measurements.dropped_blocks(
            pairing.measured, pairing.topic.name, pairing.pair, metric
        ),
        verdict=verdict,
        reason=reason,
        censored=censored,
        seconds_to_see=(
            None
            if pairing.forbidden(metric)
            else _seconds_to_see(pairing, log_ratios, level)
        ),
    )


def _ratio(
    pairing: Pairing, metric: str, log_ratios: Floats
) -> tuple[float | None, Censored]:
    """Return the estimate, or its bound, and which sides are only known as bounds."""
    baseline_censored, candidate_censored = (
        bool(
            measurements.censored_launches(
                pairing.measured, pairing.topic.name, variant, metric
            )
        )
        for variant in pairing.pair
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
        bounds = measurements.log_bounds(pairing.measured, *pairing.names, metric)
        centre = statistics.hodges_lehmann(bounds) if len(bounds) else math.nan
    elif math.isfinite(centre):
        censored = ""  # too few launches are known only as bounds to move the estimate
    return (math.exp(centre) if math.isfinite(centre) else None), censored


def _seconds_to_see(pairing: Pairing, log_ratios: Floats, level: float) -> float | None:
    seconds = measurements.seconds_per_launch(pairing.measured, pairing.topic.name)
    if (
        seconds is None
        or len(log_ratios) < 3
        or not all(map(math.isfinite, log_ratios))
    ):
        return None
    return power.seconds_to_see(
        log_ratios,
        math.log1p(pairing.looks.margin),
        seconds,
        pairing.looks.launches,
        level,
    )


def _undecided(
    pairing: Pairing,
    metric: str,
    log_ratios: Floats,
    interval: tuple[float, float] | None,
) -> str:
    margin = wording.percent(pairing.looks.margin)
    if reason := _too_few(pairing, metric) or _limited_on_both(pairing, metric):
        return reason
    launches = len(log_ratios)
    if interval is None:
        return f"{launches} launches are too few for an interval"
    if interval[0] > 0 or interval[1] < 0:
        return (
            f"the difference is less than half of the margin of {margin}, but the "
            f"interval is too wide to call it the same after {launches} launches"
        )
    return (
        f"the interval includes 1 and extends beyond the margin of {margin} after "
        f"{launches} launches"
    )


def _too_few(pairing: Pairing, metric: str) -> str:
    """Return why a quantile has too few requests; empty if it has enough."""
    needed = requests_needed(metric)
    if not needed or metric in measurements.metrics_of(
        pairing.measured, pairing.topic.name
    ):
        return ""
    held = min(
        measurements.requests_held(pairing.measured, pairing.topic.name, variant)
        for variant in pairing.pair
    )
    if not held:
        return ""
    return (
        f"{metric} needs {needed} requests a launch and a typical one had {held}: "
        "raise load.arrival_rate, or ask for a lower percentile"
    )


def _limited_on_both(pairing: Pairing, metric: str) -> str:
    """Return why throughput cannot be compared; empty if it can.

    If the generator limits only one side, a comparison with a bound is still possible.
    """
    if metric != "throughput":
        return ""
    topic, measured = pairing.topic.name, pairing.measured
    limited = (
        measurements.censored_launches(measured, topic, name, metric)
        for name in pairing.pair
    )
    if not all(limited):
        return ""
    return "the load generator was the limit on both sides, not the service"


def _noise(looks: Looks, topic: Topic, measured: Measurements) -> str:
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
