"""From the tables of a run to its results: ratios, verdicts, reasons.

The experiment evaluates at every look, and `assay report` again later: both get
the same answer from the same tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from assay import wording
from assay.analysis import comparisons, failures, pair_verdicts, statistics
from assay.analysis.attribution.causes import causes
from assay.analysis.attribution.ledger import ledger
from assay.analysis.attribution.outgoing import outgoing
from assay.analysis.attribution.rounds import pair_of
from assay.analysis.controls import controls
from assay.analysis.deciding import LEAN_USER_HINT
from assay.analysis.looks import Looks
from assay.analysis.looks import of as looks_of
from assay.analysis.measurements import (
    Measurements,
    censored_launches,
    limited_by_generator,
    numbers,
    time_by_part,
    unanswered,
)
from assay.metrics import METRICS
from assay.observations import Round
from assay.plan import Budget, Claim, Plan, Topic
from assay.results import (
    BudgetResult,
    Cause,
    ClaimResult,
    ClaimVerdict,
    Comparison,
    Control,
    Ledger,
    Outgoing,
    PairVerdict,
    Results,
    TimeSpent,
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
    rounds: Sequence[Round] = (),
) -> Results:
    """Judge everything that has been measured so far."""
    looks = looks_of(plan)
    compared = comparisons.mark_differing(
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
    explained = list(_explain(plan, rounds))
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
            budget
            for topic in plan.topics
            for budget in _budgets(looks, topic, measured)
        ),
        values=tuple(
            value for topic in plan.topics for value in _values(topic, measured)
        ),
        spent=tuple(
            TimeSpent(topic=topic.name, **seconds)
            for topic in plan.topics
            if (seconds := time_by_part(measured, topic.name))
        ),
        causes=tuple(cause for each, _, _ in explained for cause in each),
        ledgers=tuple(entry for _, entry, _ in explained),
        outgoing=tuple(item for _, _, sent in explained for item in sent),
        warnings=tuple(
            dict.fromkeys(
                [
                    *warnings,
                    *_control_warnings(arms),
                    *_generator_warnings(plan, measured),
                    *_unanswered_warnings(plan, measured),
                ]
            )
        ),
    )


def decided(looks: Looks, topic: Topic, measured: Measurements) -> bool:
    """Say whether more launches of this topic would change no verdict.

    The level is shared among all claims of the run, so that a verdict that is decided
    here stays decided when Holm's correction includes every topic.
    """
    if any(item.verdict == "undecided" for item in _budgets(looks, topic, measured)):
        return False
    if not topic.claims:
        return all(
            item.verdict != "undecided"
            or comparisons.cannot_be_decided(
                comparisons.examine(
                    looks, topic, (item.baseline, item.candidate), measured
                ),
                item.metric,
            )
            for item in comparisons.comparisons(looks, topic, measured, True)
        )
    shared = looks.level(looks.claims)
    for claim in topic.claims:
        pairing = comparisons.examine(
            looks, topic, (claim.baseline, claim.candidate), measured
        )
        if comparisons.cannot_be_decided(pairing, claim.metric):
            continue
        spans = pairing.spans(claim.metric)
        p, _ = statistics.judge_claim(spans, claim.expect, looks.margin, looks.level())
        if p > shared or pairing.forbidden(claim.metric):
            return False
    return True


def _explain(
    plan: Plan, rounds: Sequence[Round]
) -> Iterable[tuple[list[Cause], Ledger, list[Outgoing]]]:
    """Attribute the differences of all pairs that were profiled."""
    for topic in plan.topics:
        for names in topic.pairs():
            pair = pair_of(rounds, topic.name, names)
            if len(pair.baseline) > 1:
                yield (
                    causes(topic.name, names, pair),
                    ledger(topic.name, names, pair),
                    outgoing(topic.name, names, pair),
                )


def _pair_verdicts(plan: Plan, compared: Sequence[Comparison]) -> Iterable[PairVerdict]:
    """Judge the pairs without claims as a whole."""
    for topic in plan.topics:
        for pair in () if topic.claims else topic.pairs():
            of_pair = [
                item
                for item in compared
                if (item.topic, item.baseline, item.candidate) == (topic.name, *pair)
            ]
            if of_pair:
                yield pair_verdicts.judge(of_pair, plan.settings.margin)


def _control_warnings(arms: Sequence[Control]) -> Iterable[str]:
    for control in arms:
        if control.failed:
            yield (
                f"{control.topic}: the A/A arm failed: {control.variant} against "
                f"itself came out as {control.ratio:.2f}× in {control.metric}. Do not "
                "trust the numbers of this run."
            )


def _generator_warnings(plan: Plan, measured: Measurements) -> Iterable[str]:
    """Say where the generator limited the throughput."""
    for topic in plan.topics:
        variants = [variant.name for variant in topic.variants]
        limited: list[str] = []
        if not topic.claims:
            limited = limited_by_generator(measured, topic.name, variants)
        if limited:
            yield (
                f"{topic.name}: the load generator is the limit under "
                f"{', '.join(limited)}, so the capacity is unknown, and "
                "service.p50 decides instead of throughput. " + LEAN_USER_HINT
            )
        names = [
            name
            for name in variants
            if name not in limited
            and censored_launches(measured, topic.name, name, THROUGHPUT)
        ]
        if names:
            yield (
                f"{topic.name}: the load generator was saturated under "
                f"{', '.join(names)}: throughput is at least what is shown. "
                + LEAN_USER_HINT
            )


def _unanswered_warnings(plan: Plan, measured: Measurements) -> Iterable[str]:
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
        pairing = comparisons.examine(
            looks, topic, (claim.baseline, claim.candidate), measured
        )
        if forbidden := pairing.forbidden(claim.metric):
            judged.append((1.0, "undecided", forbidden))
            continue
        spans = pairing.spans(claim.metric)
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

    The bounds are computed over launches. For a budget on a share of requests, they are
    computed over all requests: if no launch had a failure, the spread of launches would
    not tell how many failures could have been missed.
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
    """Return the exact interval and value of the share of failures or drops."""
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
    """Return each variant's own numbers, with uncorrected 95 % intervals."""
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
