"""The rows of the forest plot: the claims, then all other verdicts."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from assay.plan import Expectation, Plan
from assay.report.forest import ForestItem
from assay.report.summary import (
    answer,
    claim_notes,
    comparison_of,
    drop_repeated,
    group_by_pair,
    in_topics_without_claims,
    notes,
    pair_text,
    shown,
)
from assay.results import ClaimResult, Comparison, Results
from assay.wording import clean, expectation, meaning_of, one_line

SHOWN_TESTS = 30  # at most this many tests are shown, and none that is *same*


def forest_items(plan: Plan, results: Results) -> list[ForestItem]:
    """Return a row for each claim, each pair as a whole, and each other verdict.

    The notes leave out what the answer at the top of the report already says.
    """
    claims = [_claim_row(plan, results, claim) for claim in results.claims]
    answer_text = answer(plan, results)
    return [
        replace(item, notes=tuple(drop_repeated(item.notes, answer_text)))
        for item in (*claims, *_rows_without_claims(plan, results))
    ]


def pair_anchor(plan: Plan, topic: str, baseline: str, candidate: str) -> str:
    """Return a unique HTML anchor for a pair; any character is allowed in the names."""
    names = [planned.name for planned in plan.topics]
    number = names.index(topic) if topic in names else len(names)
    raw = f"{topic}\0{baseline}\0{candidate}"
    return f"pair-{number}-{hashlib.sha256(raw.encode()).hexdigest()[:8]}"


def _title(plan: Plan, name: str) -> str:
    titles = {topic.name: topic.title for topic in plan.topics}
    return one_line(titles.get(name, name))


def _claim_row(plan: Plan, results: Results, claim: ClaimResult) -> ForestItem:
    return ForestItem(
        text=one_line(claim.says),
        detail=f"{one_line(claim.baseline)} → {one_line(claim.candidate)} · "
        f"{clean(claim.metric)} {expectation(claim.expect)}",
        anchor=pair_anchor(plan, claim.topic, claim.baseline, claim.candidate),
        metric=claim.metric,
        comparison=comparison_of(results, claim),
        verdict=claim.verdict,
        expect=_expected(plan, claim),
        notes=tuple(claim_notes(results, claim, plan.settings.margin)),
        topic=_title(plan, claim.topic),
    )


def _expected(plan: Plan, claim: ClaimResult) -> Expectation | None:
    """Return a claim's expectation from the plan; None if the claim is not there."""
    for topic in plan.topics:
        if topic.name != claim.topic:
            continue
        for planned in topic.claims:
            if (
                planned.says == claim.says
                and planned.metric == claim.metric
                and planned.baseline == claim.baseline
                and planned.candidate == claim.candidate
            ):
                return planned.expect
    return None


def _rows_without_claims(plan: Plan, results: Results) -> Iterator[ForestItem]:
    for pair_verdict, comparisons in group_by_pair(
        results, shown(in_topics_without_claims(results), SHOWN_TESTS)
    ):
        if pair_verdict:
            yield ForestItem(
                text=pair_text(pair_verdict),
                detail="as a whole",
                anchor=pair_anchor(
                    plan,
                    pair_verdict.topic,
                    pair_verdict.baseline,
                    pair_verdict.candidate,
                ),
                metric="",
                comparison=None,
                verdict=pair_verdict.verdict,
                expect=None,
                notes=(pair_verdict.reason,),
                topic=_title(plan, pair_verdict.topic),
            )
        for comparison in comparisons:
            detail = clean(comparison.metric)
            if pair_verdict is None:
                detail = (
                    f"{one_line(comparison.baseline)} → "
                    f"{one_line(comparison.candidate)} · {detail}"
                )
            yield _comparison_row(plan, results, comparison, detail)


def _comparison_row(
    plan: Plan, results: Results, comparison: Comparison, detail: str
) -> ForestItem:
    return ForestItem(
        text=one_line(comparison.test) or meaning_of(comparison.metric),
        detail=detail,
        anchor=pair_anchor(
            plan, comparison.topic, comparison.baseline, comparison.candidate
        ),
        metric=comparison.metric,
        comparison=comparison,
        verdict=None,
        expect=None,
        notes=tuple(notes(results, comparison, plan.settings.margin)),
        topic=_title(plan, comparison.topic),
    )
