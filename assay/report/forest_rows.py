"""The rows of the first picture: the claims, then what else was decided."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from assay.plan import Expectation, Plan
from assay.report.forest import Asked
from assay.report.summary import (
    answer,
    by_whole,
    claim_notes,
    comparison_of,
    notes,
    pair_text,
    unsaid,
    without_claims,
)
from assay.results import ClaimResult, Comparison, Results
from assay.wording import clean, expectation, meaning_of, one_line


def asked(plan: Plan, results: Results) -> list[Asked]:
    """Return a row for each claim, each pair as a whole, and what else decides.

    What `answer` says above them already is left out of their notes.
    """
    rows = [_claim(plan, results, claim) for claim in results.claims]
    said = answer(plan, results)
    return [
        replace(row, notes=tuple(unsaid(row.notes, said)))
        for row in (*rows, *_without_claims(plan, results))
    ]


def pair_anchor(plan: Plan, topic: str, baseline: str, candidate: str) -> str:
    """Return a fragment name that is unique, and free of hostile characters."""
    names = [known.name for known in plan.topics]
    number = names.index(topic) if topic in names else len(names)
    raw = f"{topic}\0{baseline}\0{candidate}"
    return f"pair-{number}-{hashlib.sha256(raw.encode()).hexdigest()[:8]}"


def _title(plan: Plan, name: str) -> str:
    titles = {topic.name: topic.title for topic in plan.topics}
    return one_line(titles.get(name, name))


def _claim(plan: Plan, results: Results, claim: ClaimResult) -> Asked:
    return Asked(
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
    """Return what the plan says that a claim expects, if it knows the claim."""
    for topic in plan.topics:
        for known in topic.claims:
            if (topic.name, known.says, known.metric, known.baseline) == (
                claim.topic,
                claim.says,
                claim.metric,
                claim.baseline,
            ) and known.candidate == claim.candidate:
                return known.expect
    return None


def _without_claims(plan: Plan, results: Results) -> Iterator[Asked]:
    for whole, items in by_whole(results, without_claims(results)):
        if whole:
            yield Asked(
                text=pair_text(whole),
                detail="as a whole",
                anchor=pair_anchor(plan, whole.topic, whole.baseline, whole.candidate),
                metric="",
                comparison=None,
                verdict=whole.verdict,
                expect=None,
                notes=(whole.reason,),
                topic=_title(plan, whole.topic),
            )
        for item in items:
            pair = f"{one_line(item.baseline)} → {one_line(item.candidate)} · "
            detail = ("" if whole else pair) + clean(item.metric)
            yield _comparison(plan, results, item, detail)


def _comparison(plan: Plan, results: Results, item: Comparison, detail: str) -> Asked:
    return Asked(
        text=meaning_of(item.metric),
        detail=detail,
        anchor=pair_anchor(plan, item.topic, item.baseline, item.candidate),
        metric=item.metric,
        comparison=item,
        verdict=None,
        expect=None,
        notes=tuple(notes(results, item, plan.settings.margin)),
        topic=_title(plan, item.topic),
    )
