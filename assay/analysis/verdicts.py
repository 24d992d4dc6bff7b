"""From the tables of a run to its results: ratios, verdicts, reasons.

The experiment asks at every look, and `assay report` asks again later: both get
the same answer from the same tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from assay import wording
from assay.analysis import comparisons, failures, pair_verdicts, statistics
from assay.analysis.controls import controls
from assay.analysis.deciding import LEANER
from assay.analysis.looks import Looks
from assay.analysis.looks import of as looks_of
from assay.analysis.measurements import (
    Measurements,
    censored_launches,
    numbers,
    outrun,
    spent,
    unanswered,
)
from assay.metrics import METRICS
from assay.plan import Budget, Claim, Plan, Topic
from assay.results import (
    BudgetResult,
    ClaimResult,
    ClaimVerdict,
    Comparison,
    Control,
    PairVerdict,
    Results,
    Spent,
    Value,
)

SHARES = ("errors", "dropped")
THROUGHPUT = "throughput"


def evaluate(
    plan: Plan,
    measured: Measurements,
    run: str,
    partial: bool = False,
    warnings: Sequence[str] = (),
) -> Results:
    """Judge everything that has been measured so far."""
    looks = looks_of(plan)
    compared = comparisons.browsed(
        looks,
        plan.topics,
        measured,
        [
            item
            for topic in plan.topics
            for item in comparisons.comparisons(looks, topic, measured)
        ],
    )
    arms = [
        control for topic in plan.topics for control in controls(looks, topic, measured)
    ]
    return Results(
        run=run,
        partial=partial,
        seed=plan.settings.seed,
        looks=looks.launches,
        comparisons=tuple(compared),
        pairs=tuple(_pair_verdicts(plan, compared)),
        controls=tuple(arms),
        claims=_claims(plan, looks, measured, compared),
        budgets=tuple(
            b for topic in plan.topics for b in _budgets(looks, topic, measured)
        ),
        values=tuple(v for topic in plan.topics for v in _values(topic, measured)),
        spent=tuple(
            Spent(topic=topic.name, **seconds)
            for topic in plan.topics
            if (seconds := spent(measured, topic.name))
        ),
        warnings=tuple(
            dict.fromkeys(
                [
                    *warnings,
                    *_failed(arms),
                    *_outrun(plan, measured),
                    *_unanswered(plan, measured),
                ]
            )
        ),
    )


def decided(looks: Looks, topic: Topic, measured: Measurements) -> bool:
    """Say whether more launches of this topic could not change a verdict's word.

    The level is shared among all claims of the run beforehand, so that what is
    decided here still is when Holm's correction sees every topic.
    """
    if any(b.verdict == "undecided" for b in _budgets(looks, topic, measured)):
        return False
    if not topic.claims:
        return all(
            item.verdict != "undecided"
            or comparisons.cannot_be_decided(
                comparisons.pairing(
                    looks, topic, (item.baseline, item.candidate), measured
                ),
                item.metric,
            )
            for item in comparisons.comparisons(looks, topic, measured, True)
        )
    shared = looks.level(looks.claims)
    for claim in topic.claims:
        found = comparisons.pairing(
            looks, topic, (claim.baseline, claim.candidate), measured
        )
        if comparisons.cannot_be_decided(found, claim.metric):
            continue
        x = found.spans(claim.metric)
        p, _ = statistics.judge_claim(x, claim.expect, looks.margin, looks.level())
        if p > shared or found.forbidden(claim.metric):
            return False
    return True


def _pair_verdicts(plan: Plan, compared: Sequence[Comparison]) -> Iterable[PairVerdict]:
    """Judge the pairs without claims as a whole."""
    for topic in plan.topics:
        for pair in () if topic.claims else topic.pairs():
            own = [
                item
                for item in compared
                if (item.topic, item.baseline, item.candidate) == (topic.name, *pair)
            ]
            if own:
                yield pair_verdicts.judge(own, plan.settings.margin)


def _failed(arms: Sequence[Control]) -> Iterable[str]:
    for control in arms:
        if control.failed:
            yield (
                f"{control.topic}: the A/A arm failed: {control.variant} against "
                f"itself came out as {control.ratio:.2f}× in {control.metric}. Do not "
                "trust the numbers of this run."
            )


def _outrun(plan: Plan, measured: Measurements) -> Iterable[str]:
    """Say where the generator was the limit."""
    for topic in plan.topics:
        every = [variant.name for variant in topic.variants]
        replaced: list[str] = []
        if not topic.claims:
            replaced = outrun(measured, topic.name, every)
        if replaced:
            yield (
                f"{topic.name}: the load generator is the limit under "
                f"{', '.join(replaced)}: how many requests a second could be served "
                "nobody knows, and service.p50 decides in the place of throughput. "
                + LEANER
            )
        names = [
            name
            for name in every
            if name not in replaced
            and censored_launches(measured, topic.name, name, THROUGHPUT)
        ]
        if names:
            yield (
                f"{topic.name}: the load generator had no time left under "
                f"{', '.join(names)}: throughput is at least what is shown. " + LEANER
            )


def _unanswered(plan: Plan, measured: Measurements) -> Iterable[str]:
    """Say which variants left requests without an answer."""
    for topic in plan.topics:
        for variant in topic.variants:
            lost, planned = unanswered(measured, topic.name, variant.name)
            if lost:
                yield (
                    f"{topic.name}: variant {variant.name} did not answer {lost:,} of "
                    f"{planned:,} arrivals."
                )


def _claims(
    plan: Plan,
    looks: Looks,
    measured: Measurements,
    compared: Sequence[Comparison],
) -> tuple[ClaimResult, ...]:
    """Judge every claim alone, and together by Holm's procedure."""
    claims = [(topic, claim) for topic in plan.topics for claim in topic.claims]
    levels = [looks.level(count) for count in range(1, len(claims) + 1)]
    judged: list[tuple[float, ClaimVerdict, str]] = []
    for topic, claim in claims:
        found = comparisons.pairing(
            looks, topic, (claim.baseline, claim.candidate), measured
        )
        if forbidden := found.forbidden(claim.metric):
            judged.append((1.0, "undecided", forbidden))
            continue
        x = found.spans(claim.metric)
        p, true = statistics.judge_claim(x, claim.expect, looks.margin, levels[0])
        judged.append((p, "holds" if true else "refuted", ""))
    together = statistics.holm([p for p, _, _ in judged], levels)
    of = {(c.topic, c.baseline, c.candidate, c.metric): c for c in compared}
    results = []
    for (topic, claim), (p, verdict, reason), rejected in zip(
        claims, judged, together, strict=True
    ):
        alone: ClaimVerdict = verdict if p <= levels[0] else "undecided"
        gated: ClaimVerdict = verdict if rejected else "undecided"
        comparison = of[topic.name, claim.baseline, claim.candidate, claim.metric]
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
    """Say in a sentence why a claim has its verdict."""
    if comparison.ratio is None:
        return comparison.reason or f"no launch gave a ratio of {claim.metric}"
    if comparison.low is None and alone == "undecided":
        return f"{comparison.launches} launches are too few for an interval"
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
                f"measured {measured}: {alone} on its own, but {claims} claims at once "
                f"take {needed} launches to decide, not {comparison.launches}: give "
                "the run a longer --budget, or fewer topics"
            )
        return (
            f"measured {measured}: {alone} on its own, but not beyond what chance "
            "allows among all claims of this run"
        )
    return f"measured {measured}, which reaches across {claim.expect.text}"


def _budgets(
    looks: Looks, topic: Topic, measured: Measurements
) -> Iterable[BudgetResult]:
    """Judge budgets by one-sided bounds.

    Over launches, or over all requests where the budget is on a share of them: of
    launches that all had no failure, no spread of launches would tell how many
    failures could have been missed.
    """
    each = looks.level(looks.budgets)
    for budget in topic.budgets:
        x = numbers(measured, topic.name, budget.variant, budget.metric)
        if budget.metric in SHARES:
            interval, value = _share(measured, topic, budget, each)
        else:
            interval = statistics.signed_rank_interval(x, 2 * each)
            value = statistics.hodges_lehmann(x) if len(x) else None
        cut = censored_launches(measured, topic.name, budget.variant, budget.metric)
        verdict: ClaimVerdict = "undecided"
        if interval and interval[1] <= budget.at_most and not cut:
            verdict = "holds"
        elif interval and interval[0] > budget.at_most:
            verdict = "refuted"
        yield BudgetResult(
            topic=topic.name,
            variant=budget.variant,
            metric=budget.metric,
            at_most=budget.at_most,
            value=value,
            high=interval[1] if interval and not cut else None,
            verdict=verdict,
        )


def _share(
    measured: Measurements, topic: Topic, budget: Budget, one_sided: float
) -> tuple[tuple[float, float] | None, float | None]:
    """Return the exact interval and value of the share of failures or drops."""
    own = failures.fair_slices(measured, topic.name, budget.variant)
    if own.empty:
        return None, None
    if budget.metric == "errors":
        part, of_all = own["failed"].sum(), own["requests"].sum()
    else:
        own = own[own["mode"] == "open"]  # users of a closed loop never drop anything
        part, of_all = (own["dropped"] + own["unserved"]).sum(), own["planned"].sum()
    if not of_all:
        return None, None
    interval = statistics.binomial_interval(int(part), int(of_all), 2 * one_sided)
    return interval, float(part / of_all)


def _values(topic: Topic, measured: Measurements) -> Iterable[Value]:
    """Return each variant's own numbers, with plain 95 % intervals."""
    for variant in topic.variants:
        for metric in METRICS:
            x = numbers(measured, topic.name, variant.name, metric)
            if len(x) == 0:
                continue
            interval = statistics.signed_rank_interval(x, 0.05)
            cut = censored_launches(measured, topic.name, variant.name, metric)
            yield Value(
                topic=topic.name,
                variant=variant.name,
                metric=metric,
                value=statistics.hodges_lehmann(x),
                low=interval[0] if interval else None,
                high=interval[1] if interval and not cut else None,
                launches=len(x),
                censored=bool(cut),
            )
