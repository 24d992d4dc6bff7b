"""index.html: the answer first, then every claim with its evidence, in one file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.plan import Plan, Topic
from assay.report import evidence
from assay.report.forest import layout
from assay.report.forest_rows import asked, pair_anchor
from assay.report.metric_table import MetricRow, metric_rows
from assay.report.page import page
from assay.report.provenance import (
    controls,
    flatten,
    load,
    noise,
    repeat_command,
    spent,
)
from assay.report.summary import answer, budget_reason, budget_text, title
from assay.results import BudgetResult, ClaimResult, PairVerdict, Profile, Results
from assay.run_directory.run import RunDirectory
from assay.wording import one_line

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class PairView:
    """Everything that is shown of one pair of variants."""

    anchor: str
    baseline: str
    candidate: str
    claims: tuple[ClaimResult, ...]
    whole: PairVerdict | None
    metrics: tuple[MetricRow, ...]
    pictures: evidence.Pictures

    @property
    def forecasts(self) -> bool:
        """Whether any metric says when a small difference would be seen."""
        return any(row.forecast for row in self.metrics)

    @property
    def browsed(self) -> bool:
        """Whether any metric has no verdict."""
        return any(not row.verdict for row in self.metrics)


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
    plan, results = run.plan(), run.results()
    return page(
        "report.html",
        title=title(plan, results),
        answer=answer(plan, results),
        results=results,
        settings=plan.settings,
        looks=results.looks,
        discovery=f"{(1 - plan.settings.confidence) * 100:.3g}",
        censored=any(item.censored for item in results.values + results.comparisons),
        forest=layout(asked(plan, results), plan.settings.margin),
        topics=_topics(run, plan, results),
        noise=_noise(run, plan, results),
        spent=_spent(results),
        served=any(topic.scenario.locustfile for topic in plan.topics),
        benchmarked=any(topic.scenario.benchmarks for topic in plan.topics),
        environment=list(flatten(run.environment())),
        command=repeat_command(plan, results),
        run=run.name,
        seed=results.seed,
        partial=results.partial,
    )


def _topics(run: RunDirectory, plan: Plan, results: Results) -> list[TopicView]:
    profiles, launches = run.profiles(), run.launches()
    views = []
    for number, topic in enumerate(plan.topics):
        samples = evidence.usable_samples(run, topic.name)
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
                    (budget, budget_text(budget), budget_reason(results, budget))
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
        whole=next(
            (
                whole
                for whole in results.pairs
                if (whole.topic, whole.baseline, whole.candidate) == (topic.name, *pair)
            ),
            None,
        ),
        metrics=tuple(
            metric_rows(results, topic.name, pair, claims, plan.settings.margin)
        ),
        pictures=evidence.of_pair(
            pair,
            samples,
            of_topic,
            profiles,
            _busy(results, topic.name, pair),
            [claim.metric for claim in claims],
            anchor,
        ),
    )


def _noise(
    run: RunDirectory, plan: Plan, results: Results
) -> list[tuple[str, list[tuple[str, str]], list[str]]]:
    """Return for each topic the rows of `noise` and the lines of `controls`."""
    rows, lines = dict(noise(run.slices())), controls(results)
    known = [topic.name for topic in plan.topics]
    return [
        (name, rows.get(name, []), lines.get(name, []))
        for name in dict.fromkeys([*rows, *known])
        if name in rows or name in lines
    ]


def _spent(results: Results) -> list[str]:
    """Return where the time went: a sentence, and one for each topic of several."""
    if len(results.spent) < 2:
        return [spent(results.spent)] if results.spent else []
    each = [f"{one_line(item.topic)}: {spent([item])}" for item in results.spent]
    return [spent(results.spent), *each]


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
