"""Turn the tables of a run into its results: ratios, verdicts, reasons.

The experiment calls `evaluate` at every look, and `assay report` calls it again
later. The same tables always give the same results.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from assay import wording
from assay.analysis import (
    by_request,
    comparisons,
    failures,
    pair_verdicts,
    statistics,
    suites,
)
from assay.analysis.attribution import changes
from assay.analysis.attribution.calls import call_counts
from assay.analysis.attribution.every_cause import every_cause
from assay.analysis.attribution.ledger import ledger
from assay.analysis.attribution.outgoing import outgoing
from assay.analysis.attribution.rounds import pair_of
from assay.analysis.controls import controls
from assay.analysis.looks import Looks, looks_of
from assay.analysis.measurements import (
    Measurements,
    censored_launches,
    numbers,
    time_by_part,
)
from assay.analysis.result_warnings import warnings_of
from assay.metrics import METRICS
from assay.observations import Round
from assay.plan import Budget, Claim, Plan, Topic
from assay.results import (
    BudgetResult,
    CallCount,
    Cause,
    ClaimResult,
    ClaimVerdict,
    Comparison,
    Ledger,
    Outgoing,
    PairVerdict,
    Results,
    TimeSpent,
    Value,
)

SHARES = ("errors", "dropped")


def evaluate(
    plan: Plan,
    measured: Measurements,
    run: str,
    partial: bool = False,
    warnings: Sequence[str] = (),
    rounds: Sequence[Round] = (),
) -> Results:
    """Return the results of everything that has been measured so far."""
    looks = looks_of(plan)
    compared = _compared_as_a_whole(plan, looks, measured)
    by_test = [
        suite for topic in plan.topics for suite in _suites(looks, topic, measured)
    ]
    compared += [item for suite in by_test for item in suites.comparisons(suite)]
    compared += [
        item
        for topic in plan.topics
        for item in by_request.comparisons(looks, topic, measured)
    ]
    arms = [
        control for topic in plan.topics for control in controls(looks, topic, measured)
    ]
    explained = list(_explain(plan, rounds))
    return Results(
        run=run,
        partial=partial,
        seed=plan.settings.seed,
        looks=looks.launches,
        comparisons=tuple(compared),
        pairs=tuple(_pair_verdicts(plan, compared)),
        left_out=tuple(item for suite in by_test for item in suites.left_out(suite)),
        controls=tuple(arms),
        claims=_claims(plan, looks, measured, compared),
        budgets=tuple(
            budget
            for topic in plan.topics
            for budget in _budgets(looks, topic, measured)
        ),
        values=tuple(
            [
                *(value for topic in plan.topics for value in _values(topic, measured)),
                *(value for suite in by_test for value in suites.values(suite)),
                *(
                    value
                    for topic in plan.topics
                    for value in by_request.values(looks, topic, measured)
                ),
            ]
        ),
        spent=tuple(
            TimeSpent(topic=topic.name, **seconds)
            for topic in plan.topics
            if (seconds := time_by_part(measured, topic.name))
        ),
        causes=tuple(cause for each in explained for cause in each.causes),
        ledgers=tuple(each.ledger for each in explained),
        outgoing=tuple(item for each in explained for item in each.outgoing),
        calls=tuple(item for each in explained for item in each.calls),
        warnings=tuple(
            dict.fromkeys([*warnings, *warnings_of(plan, measured, arms, by_test)])
        ),
    )


def _compared_as_a_whole(
    plan: Plan, looks: Looks, measured: Measurements
) -> list[Comparison]:
    """Return the comparisons of topics that are not judged test by test."""
    compared = [
        item
        for topic in plan.topics
        if not topic.scenario.tests
        for item in comparisons.comparisons(looks, topic, measured)
    ]
    return comparisons.mark_differing(looks, plan.topics, measured, compared)


def decided(looks: Looks, topic: Topic, measured: Measurements) -> bool:
    """Say whether a topic needs no more launches.

    A topic needs none if each of its verdicts is decided, or cannot be decided by any
    number of launches. Each claim is tested here at Holm's strictest level: alpha
    divided by the number of claims of the run. So a claim that is decided here stays
    decided when Holm's procedure later judges the claims of all topics together.
    """
    if any(item.verdict == "undecided" for item in _budgets(looks, topic, measured)):
        return False
    if not topic.claims:
        return _whole_decided(looks, topic, measured)
    shared = looks.level(looks.claims)
    for claim in topic.claims:
        examined = comparisons.examine(
            looks, topic, (claim.baseline, claim.candidate), measured
        )
        if comparisons.cannot_be_decided(examined, claim.metric):
            continue
        spans = examined.spans(claim.metric)
        p, _ = statistics.judge_claim(spans, claim.expect, looks.margin, looks.level())
        if p > shared or examined.reason_forbidden(claim.metric):
            return False
    return True


def _whole_decided(looks: Looks, topic: Topic, measured: Measurements) -> bool:
    """Say whether a topic without claims needs no more launches."""
    compared = list(comparisons.comparisons(looks, topic, measured, True))
    is_decided = all(
        item.verdict != "undecided"
        or comparisons.cannot_be_decided(
            comparisons.examine(
                looks, topic, (item.baseline, item.candidate), measured
            ),
            item.metric,
        )
        for item in compared
    )
    if topic.scenario.requests:  # they were slower, or a search follows them
        return is_decided and not by_request.undecided(looks, topic, measured)
    # If the whole load is slower, no request can change the verdict.
    is_slower = bool(compared) and (
        pair_verdicts.judge(compared, looks.margin).verdict == "slower"
    )
    return is_decided and (
        is_slower or not by_request.stands_out(looks, topic, measured)
    )


def _suites(
    looks: Looks, topic: Topic, measured: Measurements
) -> Iterable[suites.Suite]:
    """Yield the topic's suite, if its benchmarks are judged test by test."""
    if topic.scenario.tests and measured.tests is not None:
        yield suites.Suite(looks, topic, measured.tests)


@dataclass(frozen=True)
class Explained:
    """What profiling shows about why the two sides of one pair differ."""

    causes: list[Cause]
    ledger: Ledger
    outgoing: list[Outgoing]
    calls: list[CallCount]


def _explain(plan: Plan, rounds: Sequence[Round]) -> Iterable[Explained]:
    """Yield the causes and the ledger of each pair that was profiled."""
    for topic in plan.topics:
        for names in topic.pairs():
            pair = pair_of(rounds, topic.name, names)
            if len(pair.baseline) > 1:
                follow_up = pair_of(rounds, topic.name, names, "follow-up")
                yield Explained(
                    (
                        changes.explain(topic, names, rounds, plan.subject)
                        if plan.subject
                        else every_cause(topic, names, rounds)
                    ),
                    ledger(topic.name, names, pair),
                    outgoing(topic.name, names, pair),
                    call_counts(topic.name, names, follow_up),
                )


def _pair_verdicts(plan: Plan, compared: Sequence[Comparison]) -> Iterable[PairVerdict]:
    """Yield one overall verdict for each pair of every topic that has no claims."""
    for topic in plan.topics:
        for pair in () if topic.claims else topic.pairs():
            of_pair = [
                item
                for item in compared
                if (item.topic, item.baseline, item.candidate) == (topic.name, *pair)
            ]
            if topic.scenario.tests:
                yield suites.judge(topic.name, pair, of_pair, plan.settings.margin)
            elif of_pair:
                yield pair_verdicts.judge(of_pair, plan.settings.margin)


def _claims(
    plan: Plan,
    looks: Looks,
    measured: Measurements,
    compared: Sequence[Comparison],
) -> tuple[ClaimResult, ...]:
    """Judge each claim on its own, then all claims together by Holm's procedure."""
    claims = [(topic, claim) for topic in plan.topics for claim in topic.claims]
    levels = [looks.level(count) for count in range(1, len(claims) + 1)]
    judged: list[tuple[float, ClaimVerdict, str]] = []
    for topic, claim in claims:
        examined = comparisons.examine(
            looks, topic, (claim.baseline, claim.candidate), measured
        )
        if forbidden := examined.reason_forbidden(claim.metric):
            judged.append((1.0, "undecided", forbidden))
            continue
        spans = examined.spans(claim.metric)
        p, holds = statistics.judge_claim(spans, claim.expect, looks.margin, levels[0])
        judged.append((p, "holds" if holds else "refuted", ""))
    rejections = statistics.holm([p for p, _, _ in judged], levels)
    by_key = {(c.topic, c.baseline, c.candidate, c.metric): c for c in compared}
    results = []
    for (topic, claim), (p, verdict, reason), rejected in zip(
        claims, judged, rejections, strict=True
    ):
        alone: ClaimVerdict = verdict if p <= levels[0] else "undecided"
        gated: ClaimVerdict = verdict if rejected else "undecided"
        comparison = by_key[topic.name, claim.baseline, claim.candidate, claim.metric]
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
                reason=reason or _reason(claim, comparison, gated, alone, looks),
            )
        )
    return tuple(results)


def _reason(
    claim: Claim,
    comparison: Comparison,
    gated: ClaimVerdict,
    alone: ClaimVerdict,
    looks: Looks,
) -> str:
    """Return one sentence that says why a claim has its verdict."""
    if comparison.ratio is None:
        return comparison.reason or f"no launch gave a ratio of {claim.metric}"
    if comparison.low is None and alone == "undecided":
        return f"{wording.too_few_launches(comparison.launches)} for an interval"
    measured = wording.in_words(comparison)
    if gated == "holds":
        return f"measured {measured}, as expected ({claim.expect.text})"
    if gated == "refuted":
        if comparison.verdict == "same" and claim.expect.directed:
            margin = wording.percent(looks.margin)
            return f"measured {measured}: the same within {margin}"
        return f"measured {measured}, where {claim.expect.text} was claimed"
    if alone != "undecided":
        claims = looks.claims
        needed = statistics.fewest_launches(looks.level(claims))
        if comparison.launches < needed:
            return (
                f"measured {measured}: {alone} on its own, but {claims} claims "
                f"together need {needed} launches to decide, not "
                f"{comparison.launches}: give the run a longer --budget, or fewer "
                "topics"
            )
        return (
            f"measured {measured}: {alone} on its own, but not significant after the "
            "correction for all claims of this run"
        )
    return (
        f"measured {measured}, which does not settle whether {claim.expect.text} holds"
    )


def _budgets(
    looks: Looks, topic: Topic, measured: Measurements
) -> Iterable[BudgetResult]:
    """Judge budgets by one-sided bounds.

    The bounds are computed over launches. The bounds of a share of requests are
    computed over all requests instead: if no launch had a failure, the spread between
    launches is 0 and says nothing about how many failures could have been missed.
    """
    level = looks.level(looks.budgets)
    for budget in topic.budgets:
        values = numbers(measured, topic.name, budget.variant, budget.metric)
        if budget.metric in SHARES:
            interval, value = _share(measured, topic, budget, level)
        else:
            interval = statistics.signed_rank_interval(values, 2 * level)
            value = statistics.hodges_lehmann(values) if len(values) else None
        censored = censored_launches(
            measured, topic.name, budget.variant, budget.metric
        )
        verdict: ClaimVerdict = "undecided"
        if interval and interval[1] <= budget.at_most and not censored:
            verdict = "holds"
        elif interval and interval[0] > budget.at_most:
            verdict = "refuted"
        yield BudgetResult(
            topic=topic.name,
            variant=budget.variant,
            metric=budget.metric,
            at_most=budget.at_most,
            value=value,
            high=interval[1] if interval and not censored else None,
            verdict=verdict,
        )


def _share(
    measured: Measurements, topic: Topic, budget: Budget, one_sided: float
) -> tuple[tuple[float, float] | None, float | None]:
    """Return the exact interval of a share of failures or drops, and its estimate."""
    slices = failures.undisturbed_slices(measured, topic.name, budget.variant)
    if slices.empty:
        return None, None
    if budget.metric == "errors":
        part = slices["failed"].sum()
        total = slices["requests"].sum()
    else:
        # Users of a closed loop never drop anything.
        slices = slices[slices["mode"] == "open"]
        part = (slices["dropped"] + slices["unserved"]).sum()
        total = slices["planned"].sum()
    if not total:
        return None, None
    interval = statistics.binomial_interval(int(part), int(total), 2 * one_sided)
    return interval, float(part / total)


def _values(topic: Topic, measured: Measurements) -> Iterable[Value]:
    """Yield each variant's own numbers, with uncorrected 95 % intervals."""
    for variant in topic.variants:
        for metric in METRICS:
            values = numbers(measured, topic.name, variant.name, metric)
            if len(values) == 0:
                continue
            interval = statistics.signed_rank_interval(values, 0.05)
            censored = censored_launches(measured, topic.name, variant.name, metric)
            yield Value(
                topic=topic.name,
                variant=variant.name,
                metric=metric,
                value=statistics.hodges_lehmann(values),
                low=interval[0] if interval else None,
                high=interval[1] if interval and not censored else None,
                launches=len(values),
                censored=bool(censored),
            )
