"""What the tables say of a pair of variants: ratios, intervals, verdicts, reasons."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from assay import power, statistics, tables
from assay.plan import (
    AGAIN,
    DECIDING_METRICS,
    HIGHER_IS_BETTER,
    METRICS,
    Plan,
    Settings,
    Topic,
    requests_needed,
)
from assay.results import Censored, Comparison, Control, Verdict, Whole

if TYPE_CHECKING:
    from assay.statistics import Floats
    from assay.tables import Measured

LARGE_EFFECT = math.log(2)
EARLY_LOOK = 8
ABOUT_SERVING = ("latency.", "service.", "throughput", "cpu_per_request")
# An A/A arm is rare and small: it must be plainly wrong before it forbids anything.
CONTROL_ALPHA = 0.001
FAILURES_ALPHA = 0.01
Pair = tuple[str, str]


def planned_looks(plan: Plan) -> tuple[int, ...]:
    """Return the numbers of launches at which verdicts are looked at.

    A single claim with a large expected effect is looked at once more, early:
    with several claims, eight launches could not reach their shared level.
    """
    looks = plan.settings.looks
    claims = [claim for topic in plan.topics for claim in topic.claims]
    if len(claims) == 1:
        bounds = (claims[0].expect.low, claims[0].expect.high)
        if any(math.isfinite(b) and abs(b) >= LARGE_EFFECT for b in bounds):
            return tuple(sorted({EARLY_LOOK, *looks}))
    return looks


def level(plan: Plan, family: int = 1) -> float:
    """Return the two-sided level of one look for each of `family` hypotheses."""
    alpha = (1 - plan.settings.confidence) / max(family, 1)
    return statistics.pocock_level(planned_looks(plan), alpha)


def deciding(topic: Topic, pair: Pair) -> set[str]:
    """Return the metrics that have a verdict: the claimed, else three named before."""
    if topic.claims:
        return {c.metric for c in topic.claims if (c.baseline, c.candidate) == pair}
    return {"time"} if topic.scenario.benchmarks else set(DECIDING_METRICS)


def family(plan: Plan) -> int:
    """Return how many comparisons without a claim share the error of the run."""
    return sum(
        len(deciding(topic, pair))
        for topic in plan.topics
        if not topic.claims
        for pair in topic.pairs()
    )


@dataclass(frozen=True)
class Pairing:
    """One pair of variants in one run, and what forbids verdicts on it."""

    plan: Plan
    topic: Topic
    pair: Pair
    measured: Measured
    failures: str
    noise: str

    @property
    def names(self) -> tuple[str, str, str]:
        """Topic, baseline and candidate."""
        return self.topic.name, *self.pair

    def ratios(self, metric: str) -> Floats:
        """Return the launches' log ratios of a metric."""
        return tables.log_ratios(self.measured, *self.names, metric)

    def forbidden(self, metric: str) -> str:
        """Return why there is no verdict on a metric, or nothing."""
        if metric.startswith(ABOUT_SERVING) and self.failures:
            return self.failures
        return self.noise if metric.startswith("latency.") else ""


def pairing(plan: Plan, topic: Topic, pair: Pair, measured: Measured) -> Pairing:
    """Look at one pair: first at what forbids a verdict on it."""
    return Pairing(
        plan,
        topic,
        pair,
        measured,
        _failures(plan, topic, pair, measured),
        _noise(plan, topic, measured),
    )


def comparisons(
    plan: Plan, topic: Topic, measured: Measured, deciding_only: bool = False
) -> Iterable[Comparison]:
    """Yield the comparisons of a topic's pairs, metric by metric.

    Args:
        plan: For its levels and margin.
        topic: Whose pairs.
        measured: What is known so far.
        deciding_only: Leave out those that have no verdict.
    """
    present = tables.metrics_of(measured, topic.name)
    alone = level(plan)
    shared = alone if topic.claims else level(plan, family(plan))
    for pair in topic.pairs():
        found = pairing(plan, topic, pair, measured)
        decide = deciding(topic, pair)
        for metric in METRICS:
            if metric in decide:
                yield _comparison(found, metric, shared, True)
            elif metric in present and not deciding_only:
                yield _comparison(found, metric, alone, False)


def browsed(
    plan: Plan, measured: Measured, compared: Sequence[Comparison]
) -> list[Comparison]:
    """Mark which of the comparisons without a verdict stand out from all of them."""
    browsing = [item for item in compared if item.verdict is None and item.launches]
    p = []
    for item in browsing:
        x = tables.log_ratios(
            measured, item.topic, item.baseline, item.candidate, item.metric
        )
        p.append(statistics.beyond_margin_p(x, plan.settings.margin))
    # The level of a look, since these are looked at as often as the others.
    standing = statistics.benjamini_hochberg(p, level(plan))
    marked = {
        id(item): differs for item, differs in zip(browsing, standing, strict=True)
    }
    return [
        item.model_copy(update={"differs": True}) if marked.get(id(item)) else item
        for item in compared
    ]


def whole(plan: Plan, compared: Sequence[Comparison]) -> Whole:
    """Judge a pair without claims by all its comparisons together."""
    decide = [item for item in compared if item.verdict is not None]
    differing = [item for item in compared if item.differs]
    by_word: dict[str, list[Comparison]] = {}
    for item in decide:
        by_word.setdefault(str(item.verdict), []).append(item)
    margin = f"within {plan.settings.margin:.0%}"
    serving = [item for item in differing if item.metric.startswith(ABOUT_SERVING)]
    said = {
        word: f"{word} by {_listed([_with_ratio(item) for item in items])}"
        for word, items in by_word.items()
        if word in ("faster", "slower")
    }
    if "same" in by_word:
        said["same"] = _are([c.metric for c in by_word["same"]], f"the same {margin}")
    undecided = by_word.get("undecided", [])
    forbidden = dict.fromkeys(c.reason for c in undecided if c.reason)
    if undecided:
        names = _are([c.metric for c in undecided], "undecided")
        said["undecided"] = f"{names}: {'; '.join(forbidden)}"
    words = set(by_word)
    verdict: Verdict = "undecided"
    if {"faster", "slower"} <= words:
        reason = f"the metrics disagree: {said['faster']}, {said['slower']}"
    elif "slower" in words or "faster" in words:
        verdict = "slower" if "slower" in words else "faster"
        reason = "; ".join(said.values())
    elif words == {"same"}:
        verdict = "undecided" if serving else "same"
        reason = said["same"]
    elif len(forbidden) == 1 and words == {"undecided"}:
        reason = next(iter(forbidden))
    else:
        reason = "; ".join(said.values())
    if differing:
        others = _listed([_with_ratio(item) for item in differing])
        word = "differs" if len(differing) == 1 else "differ"
        only_same = words == {"same"}
        reason += f", but {others} {word}" if only_same else f"; {others} {word}, too"
    first = compared[0]
    return Whole(
        topic=first.topic,
        baseline=first.baseline,
        candidate=first.candidate,
        verdict=verdict,
        reason=reason,
        differing=tuple(item.metric for item in differing),
    )


def controls(plan: Plan, topic: Topic, measured: Measured) -> Iterable[Control]:
    """Judge the A/A arm of a topic: one for each metric that decides something."""
    from scipy.stats import t

    for baseline in topic.controls():
        pair = next(p for p in topic.pairs() if p[0] == baseline)
        for metric in METRICS:
            if metric not in deciding(topic, pair):
                continue
            arm = tables.log_ratios(
                measured, topic.name, baseline, baseline + AGAIN, metric
            )
            x = tables.log_ratios(measured, topic.name, *pair, metric)
            centre = statistics.hodges_lehmann(arm) if len(arm) else math.nan
            if not math.isfinite(centre):
                continue
            failed = False
            if len(x) > 2 and abs(centre) > math.log1p(plan.settings.margin):
                # The arm has few launches; how much launches differ is known
                # better from the pair, which has been in all of them.
                spread = power.spread(x) or 0.0
                limit = float(t.isf(CONTROL_ALPHA / 2, len(x) - 1))
                failed = abs(centre) > limit * spread / math.sqrt(len(arm))
            yield Control(
                topic=topic.name,
                variant=baseline,
                metric=metric,
                ratio=math.exp(centre),
                launches=len(arm),
                failed=failed,
            )


def impossible(found: Pairing, metric: str) -> bool:
    """Say whether more launches could not bring a verdict on a metric."""
    return bool(found.failures and metric.startswith(ABOUT_SERVING)) or bool(
        _too_few(found, metric)
    )


def _comparison(
    found: Pairing, metric: str, at_level: float, decides: bool
) -> Comparison:
    settings = found.plan.settings
    x = found.ratios(metric)
    interval = statistics.signed_rank_interval(x, at_level)
    verdict: Verdict | None = None
    reason = ""
    if decides:
        verdict = cast(
            Verdict,
            statistics.comparison_verdict(
                interval, settings.margin, metric in HIGHER_IS_BETTER
            ),
        )
        reason = found.forbidden(metric)
        if reason:
            verdict = "undecided"
        elif verdict == "undecided":
            reason = _undecided(found, metric, x, interval, settings)
    ratio, censored = _ratio(found, metric, x)
    ends = _ends(found, metric, x, interval, at_level)
    return Comparison(
        topic=found.topic.name,
        baseline=found.pair[0],
        candidate=found.pair[1],
        metric=metric,
        ratio=ratio,
        low=ends[0],
        high=ends[1],
        launches=len(x),
        dropped_blocks=tables.dropped_blocks(
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
            tables.censored_launches(found.measured, found.topic.name, variant, metric)
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
        bounds = tables.log_bounds(found.measured, *found.names, metric)
        centre = statistics.hodges_lehmann(bounds) if len(bounds) else math.nan
    elif math.isfinite(centre):
        censored = ""  # too few launches were cut short to move the estimate
    return (math.exp(centre) if math.isfinite(centre) else None), censored


def _ends(
    found: Pairing,
    metric: str,
    x: Floats,
    interval: tuple[float, float] | None,
    at_level: float,
) -> tuple[float | None, float | None]:
    """Return the ends of an interval as ratios; a high end of None is open.

    Where so many launches were cut short that both ends lie on one side of what
    is known, the bounds of these launches give the end that can be given: the
    interval's ends grow with every launch's ratio.
    """
    if interval is None:
        return None, None
    low, high = interval
    if low == math.inf or high == -math.inf:
        beyond = low if low == math.inf else high
        bounds = tables.log_bounds(found.measured, *found.names, metric)
        of_bounds = statistics.signed_rank_interval(
            np.where(x == beyond, bounds, x), at_level
        )
        assert of_bounds is not None  # of as many launches as the interval
        low, high = (of_bounds[0], high) if beyond > 0 else (low, of_bounds[1])
    return math.exp(low), None if high == math.inf else math.exp(high)


def _seconds_to_see(found: Pairing, x: Floats, at_level: float) -> float | None:
    seconds = tables.seconds_per_launch(found.measured, found.topic.name)
    if seconds is None or len(x) < 3 or not all(map(math.isfinite, x)):
        return None
    return power.seconds_to_see(
        x,
        math.log1p(found.plan.settings.margin),
        seconds,
        planned_looks(found.plan),
        at_level,
    )


def _undecided(
    found: Pairing,
    metric: str,
    x: Floats,
    interval: tuple[float, float] | None,
    settings: Settings,
) -> str:
    if interval is None:
        return _too_few(found, metric) or (
            f"{len(x)} launches are too few for an interval"
        )
    return (
        f"the interval reaches across the margin of {settings.margin:.0%} "
        f"after {len(x)} launches"
    )


def _too_few(found: Pairing, metric: str) -> str:
    """Return why a quantile was refused, or nothing."""
    needed = requests_needed(metric)
    if not needed or metric in tables.metrics_of(found.measured, found.topic.name):
        return ""
    held = min(
        tables.requests_held(found.measured, found.topic.name, variant)
        for variant in found.pair
    )
    if not held:
        return ""
    return (
        f"{metric} needs {needed} requests a launch and these held {held}: raise "
        "load.arrival_rate, or ask for a lower percentile"
    )


def _failures(plan: Plan, topic: Topic, pair: Pair, measured: Measured) -> str:
    """Return why failures forbid a verdict on speed, or nothing."""
    slices = measured.slices
    if slices.empty:
        return ""
    counts = []
    for name in pair:
        own = slices[(slices["topic"] == topic.name) & (slices["variant"] == name)]
        # Arrivals that were never answered are samples already, marked as failed;
        # dropped ones are not.
        dropped = int(own["dropped"].sum())
        counts.append(
            (int(own["failed"].sum()) + dropped, int(own["requests"].sum()) + dropped)
        )
    (failed_a, total_a), (failed_b, total_b) = counts
    if not total_a or not total_b:
        return ""
    alpha = statistics.pocock_level(planned_looks(plan), FAILURES_ALPHA)
    if not statistics.failures_differ(failed_a, total_a, failed_b, total_b, alpha):
        return ""
    return (
        f"failure rates differ beyond chance: {pair[0]} {failed_a / total_a:.2%}, "
        f"{pair[1]} {failed_b / total_b:.2%}; a faster answer that fails more "
        "often is not compared"
    )


def _noise(plan: Plan, topic: Topic, measured: Measured) -> str:
    """Return why noise forbids verdicts on latency, or nothing."""
    lost, launches = tables.uncounted(measured, topic.name)
    if launches >= 4 and lost * 2 > launches:
        return (
            f"{lost} of {launches} launches were too disturbed to count, so latency "
            "is not judged; assay doctor says what disturbs this machine"
        )
    for control in controls(plan, topic, measured):
        if control.failed:
            return (
                f"{control.variant} against itself came out as {control.ratio:.2f}× "
                f"in {control.metric} ({control.launches} launches), so latency is "
                "not judged; assay doctor says what disturbs this machine"
            )
    return ""


def in_words(item: Comparison) -> str:
    """Return a ratio with its interval, open where a timeout cut it off."""
    if item.ratio is None or item.censored == "both":
        return "an unknown ratio"
    sign = {"candidate": "≥ ", "baseline": "≤ "}.get(item.censored, "")
    ends = ""
    if item.low is not None:
        high = "∞" if item.high is None else f"{item.high:.3g}"
        ends = f" [{item.low:.3g}, {high}]"
    return f"{sign}{item.ratio:.3g}×{ends}"


def _with_ratio(item: Comparison) -> str:
    return f"{item.metric} ({in_words(item)})"


def _are(names: Sequence[str], what: str) -> str:
    return f"{_listed(names)} {'is' if len(names) == 1 else 'are'} {what}"


def _listed(words: Sequence[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
