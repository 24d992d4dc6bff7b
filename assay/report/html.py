"""index.html: the answer first, then every claim with its evidence, in one file."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.plan import METRICS, Plan, Topic
from assay.report import pictures
from assay.report.answer import (
    answer,
    budget_reason,
    budget_text,
    comparison_of,
    read_results,
    side_text,
    title,
    without_claims,
)
from assay.report.conditions import flatten, load, noise, repeat_command
from assay.report.forest import Asked, layout
from assay.report.text import (
    clean,
    compared,
    expectation,
    meaning_of,
    one_line,
)
from assay.results import (
    BudgetResult,
    ClaimResult,
    Comparison,
    Profile,
    Results,
    RunDirectory,
)

if TYPE_CHECKING:
    import pandas as pd
    from markupsafe import Markup


@dataclass(frozen=True)
class MetricRow:
    """One metric of a pair, as text."""

    metric: str
    meaning: str
    baseline: str
    candidate: str
    compared: str
    verdict: str
    reason: str
    claimed: bool


@dataclass(frozen=True)
class PairView:
    """Everything that is shown of one pair of variants."""

    anchor: str
    baseline: str
    candidate: str
    claims: tuple[ClaimResult, ...]
    metrics: tuple[MetricRow, ...]
    pictures: pictures.Pictures


@dataclass(frozen=True)
class TopicView:
    """One topic: its pairs, its budgets, and how it went."""

    anchor: str
    title: str
    guide: str
    load: str
    pairs: tuple[PairView, ...]
    budgets: tuple[tuple[BudgetResult, str, str], ...]


def render(run: RunDirectory) -> str:
    """Return the page as one HTML document that needs no other file."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    templates = Environment(
        loader=PackageLoader("assay.report", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # What came from the target may hold control characters; none gets out.
        finalize=lambda value: (
            clean(value)
            if isinstance(value, str) and not isinstance(value, Markup)
            else value
        ),
    )
    templates.filters["expectation"] = expectation
    templates.filters["code_spans"] = code_spans
    plan, results = run.plan(), read_results(run)
    script = _asset("report.js")
    slices = run.slices()
    return templates.get_template("report.html").render(
        title=title(plan, results),
        answer=answer(plan, results),
        results=results,
        settings=plan.settings,
        forest=layout(_asked(plan, results), plan.settings.margin),
        topics=_topics(run, plan, results),
        noise=noise(slices),
        served=any(topic.scenario.locustfile for topic in plan.topics),
        benchmarked=any(topic.scenario.benchmarks for topic in plan.topics),
        environment=list(flatten(run.environment())),
        command=repeat_command(plan, results),
        run=run.name,
        style=Markup(_asset("report.css")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def code_spans(text: str) -> Markup:
    """Return escaped text in which `backticks` have become code elements."""
    from markupsafe import Markup, escape

    escaped = str(escape(clean(text)))
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped))


def pair_anchor(plan: Plan, topic: str, baseline: str, candidate: str) -> str:
    """Return a fragment name that is unique, and free of hostile characters."""
    names = [known.name for known in plan.topics]
    number = names.index(topic) if topic in names else len(names)
    raw = f"{topic}\0{baseline}\0{candidate}"
    return f"pair-{number}-{hashlib.sha256(raw.encode()).hexdigest()[:8]}"


def _asset(name: str) -> str:
    from importlib.resources import files

    return (files("assay.report") / "template" / name).read_text(encoding="utf-8")


def _asked(plan: Plan, results: Results) -> list[Asked]:
    """Return the rows of the first picture: the claims, then what else decides."""
    rows = []
    for claim in results.claims:
        planned = _topic(plan, claim.topic)
        expect = next(
            (
                known.expect
                for known in (planned.claims if planned else ())
                if (known.says, known.metric, known.baseline, known.candidate)
                == (claim.says, claim.metric, claim.baseline, claim.candidate)
            ),
            None,
        )
        rows.append(
            Asked(
                text=one_line(claim.says),
                detail=f"{one_line(claim.baseline)} → {one_line(claim.candidate)} · "
                f"{clean(claim.metric)} {expectation(claim.expect)}",
                anchor=pair_anchor(plan, claim.topic, claim.baseline, claim.candidate),
                metric=claim.metric,
                comparison=comparison_of(results, claim),
                verdict=claim.verdict,
                expect=expect,
            )
        )
    rows += [_asked_without_claim(plan, item) for item in without_claims(results)]
    return rows


def _asked_without_claim(plan: Plan, comparison: Comparison) -> Asked:
    return Asked(
        text=meaning_of(comparison.metric),
        detail=f"{one_line(comparison.baseline)} → {one_line(comparison.candidate)} · "
        f"{clean(comparison.metric)}",
        anchor=pair_anchor(
            plan, comparison.topic, comparison.baseline, comparison.candidate
        ),
        metric=comparison.metric,
        comparison=comparison,
        verdict=None,
        expect=None,
    )


def _topics(run: RunDirectory, plan: Plan, results: Results) -> list[TopicView]:
    profiles, launches = run.profiles(), run.launches()
    views = []
    for number, topic in enumerate(plan.topics):
        samples = pictures.usable_samples(run, topic.name)
        of_topic = [profile for profile in profiles if profile.topic == topic.name]
        views.append(
            TopicView(
                anchor=f"topic-{number}",
                title=one_line(topic.title),
                guide=one_line(topic.guide),
                load=load(topic),
                pairs=tuple(
                    _pair(plan, results, topic, pair, samples, launches, of_topic)
                    for pair in topic.pairs()
                ),
                budgets=tuple(
                    (budget, budget_text(budget), budget_reason(budget))
                    for budget in results.budgets
                    if budget.topic == topic.name
                ),
            )
        )
    return views


def _pair(
    plan: Plan,
    results: Results,
    topic: Topic,
    pair: tuple[str, str],
    samples: pd.DataFrame,
    launches: pd.DataFrame,
    profiles: list[Profile],
) -> PairView:
    baseline, candidate = pair
    anchor = pair_anchor(plan, topic.name, baseline, candidate)
    claims = tuple(
        claim
        for claim in results.claims
        if (claim.topic, claim.baseline, claim.candidate) == (topic.name, *pair)
    )
    of_topic = launches
    if not launches.empty:
        of_topic = launches[launches["topic"] == topic.name]
    return PairView(
        anchor=anchor,
        baseline=one_line(baseline),
        candidate=one_line(candidate),
        claims=claims,
        metrics=tuple(_metric_rows(results, topic.name, pair, claims)),
        pictures=pictures.of_pair(
            pair,
            samples,
            of_topic,
            profiles,
            _busy(results, topic.name, pair),
            [claim.metric for claim in claims],
            anchor,
        ),
    )


def _metric_rows(
    results: Results,
    topic: str,
    pair: tuple[str, str],
    claims: tuple[ClaimResult, ...],
) -> list[MetricRow]:
    """Return every metric measured on the pair: the claimed first, then by METRICS."""
    values = {
        (value.variant, value.metric): value
        for value in results.values
        if value.topic == topic
    }
    comparisons = {
        comparison.metric: comparison
        for comparison in results.comparisons
        if (comparison.topic, comparison.baseline, comparison.candidate)
        == (topic, *pair)
    }
    claimed = [claim.metric for claim in claims]
    names = [name for variant, name in values if variant in pair]
    order = list(METRICS)
    found = sorted(
        dict.fromkeys([*names, *comparisons]),
        key=lambda name: (
            name not in claimed,
            order.index(name) if name in order else len(order),
            name,
        ),
    )
    rows = []
    for name in found:
        comparison = comparisons.get(name)
        rows.append(
            MetricRow(
                metric=name,
                meaning=meaning_of(name),
                baseline=side_text(values.get((pair[0], name))),
                candidate=side_text(values.get((pair[1], name))),
                compared=(
                    compared(comparison)
                    if comparison and comparison.ratio is not None
                    else "–"
                ),
                verdict=(comparison.verdict or "") if comparison else "",
                reason=comparison.reason if comparison else "",
                claimed=name in claimed,
            )
        )
    return rows


def _busy(
    results: Results, topic: str, pair: tuple[str, str]
) -> tuple[float, float] | None:
    """Return the cores that both sides kept busy at capacity, if it was measured."""
    values = {
        (value.variant, value.metric): value.value
        for value in results.values
        if value.topic == topic
    }
    busy = [
        values.get((variant, "throughput"), math.nan)
        * values.get((variant, "cpu_per_request"), math.nan)
        for variant in pair
    ]
    return (busy[0], busy[1]) if all(map(math.isfinite, busy)) else None


def _topic(plan: Plan, name: str) -> Topic | None:
    return next((topic for topic in plan.topics if topic.name == name), None)
