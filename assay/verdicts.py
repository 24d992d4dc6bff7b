"""From the tables of a run to its results: ratios, verdicts, reasons.

The experiment asks at every look, and `assay report` asks again later: both get
the same answer from the same tables.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from assay import statistics
from assay.plan import (
    DECIDING_METRICS,
    HIGHER_IS_BETTER,
    METRICS,
    Claim,
    Plan,
    Settings,
    Topic,
)
from assay.results import (
    BudgetResult,
    ClaimResult,
    ClaimVerdict,
    Comparison,
    Results,
    RunDirectory,
    Value,
)
from assay.statistics import Floats
from assay.tables import (
    Measured,
    dropped_blocks,
    log_ratios,
    metrics_of,
    numbers,
)

LARGE_EFFECT = math.log(2)
EARLY_LOOK = 8
ABOUT_SERVING = ("latency.", "service.", "throughput", "cpu_per_request")


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


def evaluate(
    plan: Plan,
    measured: Measured,
    run: str,
    partial: bool = False,
    warnings: Sequence[str] = (),
) -> Results:
    """Judge everything that has been measured so far."""
    compared = [c for topic in plan.topics for c in comparisons(plan, topic, measured)]
    return Results(
        run=run,
        partial=partial,
        seed=plan.settings.seed,
        comparisons=tuple(compared),
        claims=_claims(plan, measured, compared),
        budgets=tuple(
            b for topic in plan.topics for b in _budgets(plan, topic, measured)
        ),
        values=tuple(v for topic in plan.topics for v in _values(topic, measured)),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def of_run(run: RunDirectory) -> Results:
    """Judge a run from its directory, also one that died before it could itself.

    Raises:
        NotARunError: It cannot be read.
    """
    partial = True
    warnings: tuple[str, ...] = ("The run ended before it could write its results.",)
    if (run.path / "results.json").is_file():
        before = run.results()
        partial, warnings = before.partial, before.warnings
    measured = Measured(run.slices(), run.launches())
    return evaluate(run.plan(), measured, run.name, partial, warnings)


def decided(plan: Plan, topic: Topic, measured: Measured) -> bool:
    """Say whether more launches of this topic could not change a verdict's word.

    The level is shared among all claims of the run beforehand, so that what is
    decided here still is when Holm's correction sees every topic.
    """
    if any(b.verdict == "undecided" for b in _budgets(plan, topic, measured)):
        return False
    family = sum(len(t.claims) for t in plan.topics)
    if topic.claims:
        level = _level(plan, family)
        for claim in topic.claims:
            if _forbidden(measured, topic, claim):
                continue
            x = _claim_ratios(measured, topic, claim)
            p = statistics.claim_p(x, claim.expect, plan.settings.margin)
            if min(p) > level:
                return False
        return True
    return all(
        comparison.verdict != "undecided" or "failure rates" in comparison.reason
        for comparison in comparisons(plan, topic, measured)
    )


def _level(plan: Plan, family: int = 1) -> float:
    """Return the level of one look for each of `family` hypotheses."""
    alpha = (1 - plan.settings.confidence) / max(family, 1)
    return statistics.pocock_level(planned_looks(plan), alpha)


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
    present = metrics_of(measured, topic.name)
    for baseline, candidate in topic.pairs():
        if topic.claims:
            family = 1
            deciding = {
                c.metric
                for c in topic.claims
                if (c.baseline, c.candidate) == (baseline, candidate)
            }
        else:
            deciding = set(_deciding(topic))
            family = len(deciding)
        failures = _failures(measured, topic, baseline, candidate)
        for metric in METRICS:
            if metric not in deciding and (deciding_only or metric not in present):
                continue
            x = log_ratios(measured, topic.name, baseline, candidate, metric)
            level = _level(plan, family if metric in deciding else 1)
            yield _comparison(
                topic.name,
                (baseline, candidate),
                metric,
                x,
                level,
                plan.settings,
                dropped_blocks(measured, topic.name, metric),
                metric in deciding,
                failures if metric.startswith(ABOUT_SERVING) else "",
            )


def _comparison(
    topic: str,
    pair: tuple[str, str],
    metric: str,
    x: Floats,
    level: float,
    settings: Settings,
    dropped: int,
    decides: bool,
    failures: str,
) -> Comparison:
    interval = statistics.signed_rank_interval(x, level)
    verdict, reason = None, ""
    if decides:
        verdict = statistics.comparison_verdict(
            interval, settings.margin, metric in HIGHER_IS_BETTER
        )
        if failures:
            verdict, reason = "undecided", failures
        elif interval is None:
            reason = f"{len(x)} launches are too few for an interval"
        elif verdict == "undecided":
            reason = (
                f"the interval reaches across the margin of {settings.margin:.0%} "
                f"after {len(x)} launches"
            )
    return Comparison(
        topic=topic,
        baseline=pair[0],
        candidate=pair[1],
        metric=metric,
        ratio=math.exp(statistics.hodges_lehmann(x)) if len(x) else None,
        low=math.exp(interval[0]) if interval else None,
        high=math.exp(interval[1]) if interval else None,
        launches=len(x),
        dropped_blocks=dropped,
        verdict=verdict,
        reason=reason,
    )


def _claims(
    plan: Plan, measured: Measured, compared: Sequence[Comparison]
) -> tuple[ClaimResult, ...]:
    """Judge every claim alone, and together by Holm's procedure."""
    claims = [(topic, claim) for topic in plan.topics for claim in topic.claims]
    levels = [_level(plan, family) for family in range(1, len(claims) + 1)]
    settings = plan.settings
    judged: list[tuple[float, ClaimVerdict, str]] = []
    for topic, claim in claims:
        if failures := _forbidden(measured, topic, claim):
            judged.append((1.0, "undecided", failures))
            continue
        x = _claim_ratios(measured, topic, claim)
        holds, refuted = statistics.claim_p(x, claim.expect, settings.margin)
        verdict: ClaimVerdict = "holds" if holds <= refuted else "refuted"
        judged.append((min(holds, refuted), verdict, ""))
    together = statistics.holm([p for p, _, _ in judged], levels)
    found = {(c.topic, c.baseline, c.candidate, c.metric): c for c in compared}
    results = []
    for (topic, claim), (p, verdict, reason), rejected in zip(
        claims, judged, together, strict=True
    ):
        alone: ClaimVerdict = verdict if p <= levels[0] else "undecided"
        gated: ClaimVerdict = verdict if rejected else "undecided"
        comparison = found[topic.name, claim.baseline, claim.candidate, claim.metric]
        results.append(
            ClaimResult(
                topic=topic.name,
                says=claim.says,
                baseline=claim.baseline,
                candidate=claim.candidate,
                metric=claim.metric,
                expect=claim.expect.text,
                verdict=gated,
                alone=alone,
                reason=reason or _reason(claim, comparison, gated, alone, settings),
            )
        )
    return tuple(results)


def _reason(
    claim: Claim,
    comparison: Comparison,
    gated: ClaimVerdict,
    alone: ClaimVerdict,
    settings: Settings,
) -> str:
    """Say in a sentence why a claim has its verdict."""
    if comparison.ratio is None:
        return f"no launch gave a ratio of {claim.metric}"
    if comparison.low is None or comparison.high is None:
        return f"{comparison.launches} launches are too few for an interval"
    measured = f"{comparison.ratio:.3g}× [{comparison.low:.3g}, {comparison.high:.3g}]"
    if gated == "holds":
        return f"measured {measured}, as expected ({claim.expect.text})"
    if gated == "refuted":
        if comparison.verdict == "same" and 0.0 in (
            claim.expect.low,
            claim.expect.high,
        ):
            return f"measured {measured}: the same within {settings.margin:.0%}"
        return f"measured {measured}, where {claim.expect.text} was claimed"
    if alone != "undecided":
        return (
            f"measured {measured}: {alone} on its own, but not beyond what chance "
            "allows among all claims of this run"
        )
    return f"measured {measured}, which reaches across {claim.expect.text}"


def _budgets(plan: Plan, topic: Topic, measured: Measured) -> Iterable[BudgetResult]:
    """Judge budgets by one-sided bounds over launches."""
    level = _level(plan, max(1, sum(len(t.budgets) for t in plan.topics)))
    for budget in topic.budgets:
        x = numbers(measured, topic.name, budget.variant, budget.metric)
        interval = statistics.signed_rank_interval(x, 2 * level)
        verdict: ClaimVerdict = "undecided"
        if interval and interval[1] <= budget.at_most:
            verdict = "holds"
        elif interval and interval[0] > budget.at_most:
            verdict = "refuted"
        yield BudgetResult(
            topic=topic.name,
            variant=budget.variant,
            metric=budget.metric,
            at_most=budget.at_most,
            value=statistics.hodges_lehmann(x) if len(x) else None,
            high=interval[1] if interval else None,
            verdict=verdict,
        )


def _values(topic: Topic, measured: Measured) -> Iterable[Value]:
    """Return each variant's own numbers, with plain 95 % intervals."""
    for variant in topic.variants:
        for metric in METRICS:
            x = numbers(measured, topic.name, variant.name, metric)
            if len(x) == 0:
                continue
            interval = statistics.signed_rank_interval(x, 0.05)
            yield Value(
                topic=topic.name,
                variant=variant.name,
                metric=metric,
                value=statistics.hodges_lehmann(x),
                low=interval[0] if interval else None,
                high=interval[1] if interval else None,
                launches=len(x),
            )


def _forbidden(measured: Measured, topic: Topic, claim: Claim) -> str:
    """Return why failures forbid a verdict on a claim, or nothing."""
    if not claim.metric.startswith(ABOUT_SERVING):
        return ""
    return _failures(measured, topic, claim.baseline, claim.candidate)


def _claim_ratios(measured: Measured, topic: Topic, claim: Claim) -> Floats:
    return log_ratios(
        measured, topic.name, claim.baseline, claim.candidate, claim.metric
    )


def _deciding(topic: Topic) -> tuple[str, ...]:
    return ("time",) if topic.scenario.benchmarks else DECIDING_METRICS


def _failures(measured: Measured, topic: Topic, baseline: str, candidate: str) -> str:
    """Return why failures forbid a verdict on speed, or nothing."""
    slices = measured.slices
    if slices.empty:
        return ""
    counts = []
    for name in (baseline, candidate):
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
    if not statistics.failures_differ(failed_a, total_a, failed_b, total_b):
        return ""
    return (
        f"failure rates differ beyond chance: {baseline} {failed_a / total_a:.2%}, "
        f"{candidate} {failed_b / total_b:.2%}; a faster answer that fails more "
        "often is not compared"
    )
