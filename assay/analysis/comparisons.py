"""What the tables say of a pair of variants: ratios, intervals, verdicts, reasons."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from assay import wording
from assay.analysis import failures, measurements, power, statistics
from assay.analysis.controls import controls
from assay.analysis.deciding import Pair, deciding
from assay.analysis.looks import Looks
from assay.metrics import METRICS, requests_needed
from assay.plan import Topic
from assay.results import Censored, Comparison, Verdict

if TYPE_CHECKING:
    from assay.analysis.measurements import Measurements
    from assay.analysis.statistics import Floats


@dataclass(frozen=True)
class Pairing:
    """One pair of variants in one run, and what forbids verdicts on it."""

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
    def deciding(self) -> set[str]:
        """The metrics that have a verdict."""
        return deciding(self.topic, self.pair, self.measured)

    def ratios(self, metric: str) -> Floats:
        """Return the launches' log ratios of a metric."""
        return measurements.log_ratios(self.measured, *self.names, metric)

    def spans(self, metric: str) -> Floats:
        """Return the least and the greatest that these log ratios can be."""
        return measurements.log_spans(self.measured, *self.names, metric)

    def forbidden(self, metric: str) -> str:
        """Return why there is no verdict on a metric, or nothing."""
        if METRICS[metric].serving and self.failures:
            return self.failures
        if metric == "throughput" and metric not in self.deciding:
            limited = measurements.outrun(self.measured, self.topic.name, self.pair)
            if limited:
                return f"the load generator was the limit under {', '.join(limited)}"
        return self.noise if METRICS[metric].is_latency else ""


def pairing(looks: Looks, topic: Topic, pair: Pair, measured: Measurements) -> Pairing:
    """Look at one pair: first at what forbids a verdict on it."""
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
        looks: For the levels and the margin.
        topic: Whose pairs.
        measured: What is known so far.
        deciding_only: Leave out those that have no verdict.
    """
    present = measurements.metrics_of(measured, topic.name)
    alone = looks.level()
    shared = alone if topic.claims else looks.level(looks.comparisons)
    for pair in topic.pairs():
        found = pairing(looks, topic, pair, measured)
        decide = found.deciding
        for metric in METRICS:
            if metric in decide:
                yield _comparison(found, metric, shared, True)
            elif metric in present and not deciding_only:
                yield _comparison(found, metric, alone, False)


def browsed(
    looks: Looks,
    topics: Sequence[Topic],
    measured: Measurements,
    compared: Sequence[Comparison],
) -> list[Comparison]:
    """Mark which of the comparisons without a verdict stand out from all of them.

    What forbids a verdict on a metric forbids this too.
    """
    found = {
        (topic.name, *pair): pairing(looks, topic, pair, measured)
        for topic in topics
        for pair in topic.pairs()
    }
    browsing = [
        item
        for item in compared
        if item.verdict is None
        and item.launches
        and not found[item.topic, item.baseline, item.candidate].forbidden(item.metric)
    ]
    p = []
    for item in browsing:
        x = measurements.log_spans(
            measured, item.topic, item.baseline, item.candidate, item.metric
        )
        p.append(statistics.beyond_margin_p(x, looks.margin))
    # The level of a look, since these are looked at as often as the others.
    standing = statistics.benjamini_hochberg(p, looks.level())
    marked = {
        id(item): differs for item, differs in zip(browsing, standing, strict=True)
    }
    return [
        item.model_copy(update={"differs": True}) if marked.get(id(item)) else item
        for item in compared
    ]


def cannot_be_decided(found: Pairing, metric: str) -> bool:
    """Say whether more launches could not bring a verdict on a metric."""
    return bool(found.failures and METRICS[metric].serving) or bool(
        _too_few(found, metric) or _outrun(found, metric)
    )


def _comparison(
    found: Pairing, metric: str, at_level: float, decides: bool
) -> Comparison:
    margin = found.looks.margin
    x = found.ratios(metric)
    interval = statistics.signed_rank_interval(found.spans(metric), at_level)
    ratio, censored = _ratio(found, metric, x)
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
        reason = found.forbidden(metric)
        if reason:
            verdict = "undecided"
        elif verdict == "undecided":
            reason = _undecided(found, metric, x, interval)
    low, high = interval or (None, None)
    return Comparison(
        topic=found.topic.name,
        baseline=found.pair[0],
        candidate=found.pair[1],
        metric=metric,
        ratio=ratio,
        low=None if low is None else math.exp(low),
        high=None if high is None or math.isinf(high) else math.exp(high),
        launches=len(x),
        dropped_blocks=measurements.dropped_blocks(
            found.measured, found.topic.name, found.pair, metric
        ),
        verdict=verdict,
        reason=reason,
        censored=censored,
        seconds_to_see=(
            None if found.forbidden(metric) else _seconds_to_see(found, x, at_level)
        ),
    )


def _ratio(found: Pairing, metric: str, x: Floats) -> tuple[float | None, Censored]:
    """Return the estimate, or the bound that stands for it, and what is open."""
    unknown = [
        bool(
            measurements.censored_launches(
                found.measured, found.topic.name, variant, metric
            )
        )
        for variant in found.pair
    ]
    kinds: dict[tuple[bool, bool], Censored] = {
        (False, False): "",
        (True, False): "baseline",
        (False, True): "candidate",
        (True, True): "both",
    }
    censored = kinds[unknown[0], unknown[1]]
    centre = statistics.hodges_lehmann(x) if len(x) else math.nan
    if not math.isfinite(centre) and censored:
        bounds = measurements.log_bounds(found.measured, *found.names, metric)
        centre = statistics.hodges_lehmann(bounds) if len(bounds) else math.nan
    elif math.isfinite(centre):
        censored = ""  # too few launches were cut short to move the estimate
    return (math.exp(centre) if math.isfinite(centre) else None), censored


def _seconds_to_see(found: Pairing, x: Floats, at_level: float) -> float | None:
    seconds = measurements.seconds_per_launch(found.measured, found.topic.name)
    if seconds is None or len(x) < 3 or not all(map(math.isfinite, x)):
        return None
    return power.seconds_to_see(
        x,
        math.log1p(found.looks.margin),
        seconds,
        found.looks.launches,
        at_level,
    )


def _undecided(
    found: Pairing,
    metric: str,
    x: Floats,
    interval: tuple[float, float] | None,
) -> str:
    margin = wording.percent(found.looks.margin)
    if why := _too_few(found, metric) or _outrun(found, metric):
        return why
    if interval is None:
        return f"{len(x)} launches are too few for an interval"
    if interval[0] > 0 or interval[1] < 0:
        return (
            f"the difference is less than half of the margin of "
            f"{margin}, and not known well enough to be called "
            f"the same after {len(x)} launches"
        )
    return (
        f"the interval reaches across the margin of {margin} "
        f"after {len(x)} launches"
    )


def _too_few(found: Pairing, metric: str) -> str:
    """Return why a quantile was refused, or nothing."""
    needed = requests_needed(metric)
    if not needed or metric in measurements.metrics_of(
        found.measured, found.topic.name
    ):
        return ""
    held = min(
        measurements.requests_held(found.measured, found.topic.name, variant)
        for variant in found.pair
    )
    if not held:
        return ""
    return (
        f"{metric} needs {needed} requests a launch and these held {held}: raise "
        "load.arrival_rate, or ask for a lower percentile"
    )


def _outrun(found: Pairing, metric: str) -> str:
    """Return why throughput cannot be compared, or nothing.

    That the generator outruns one side is still a comparison: a bound.
    """
    if metric != "throughput":
        return ""
    topic, measured = found.topic.name, found.measured
    limited = (
        measurements.censored_launches(measured, topic, name, metric)
        for name in found.pair
    )
    if not all(limited):
        return ""
    return "the load generator was the limit on both sides, not the service"


def _noise(looks: Looks, topic: Topic, measured: Measurements) -> str:
    """Return why noise forbids verdicts on latency, or nothing."""
    lost, launches = measurements.uncounted(measured, topic.name)
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
