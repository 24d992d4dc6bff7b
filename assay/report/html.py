"""index.html: one file with the answer, then each claim with its evidence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.metrics import METRICS
from assay.observations import Source
from assay.plan import Plan, Topic
from assay.report import evidence
from assay.report.exports import links
from assay.report.forest import layout
from assay.report.forest_rows import forest_items, pair_anchor
from assay.report.metric_table import MetricRow, metric_rows
from assay.report.page import page
from assay.report.provenance import (
    control_lines,
    flatten,
    load_text,
    noise_rows,
    repeat_command,
    time_spent_text,
)
from assay.report.summary import answer, budget_reason, budget_text, title
from assay.report.test_table import TestTable, table_of_tests
from assay.report.why import WhyView, why
from assay.results import BudgetResult, ClaimResult, PairVerdict, Results
from assay.run_directory.run import RunDirectory
from assay.wording import one_line

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class PairView:
    """Everything that the page shows about one pair of variants."""

    anchor: str
    baseline: str
    candidate: str
    claims: tuple[ClaimResult, ...]
    overall: PairVerdict | None
    metrics: tuple[MetricRow, ...]
    tests: TestTable
    requests: TestTable
    why: WhyView
    pictures: evidence.Pictures
    exports: list[tuple[str, str]]

    @property
    def has_forecasts(self) -> bool:
        """Whether any metric has a forecast."""
        return any(row.forecast for row in self.metrics)

    @property
    def has_metrics_without_verdict(self) -> bool:
        """Whether any metric has no verdict."""
        return any(not row.verdict for row in self.metrics)


@dataclass(frozen=True)
class TopicView:
    """Everything that the page shows about one topic."""

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
        subject=plan.subject,
        looks=results.looks,
        discovery_rate=f"{(1 - plan.settings.confidence) * 100:.3g}",
        censored=any(item.censored for item in results.values + results.comparisons),
        forest=layout(forest_items(plan, results), plan.settings.margin),
        topics=_topics(run, plan, results),
        noise=_noise(run, plan, results),
        time_spent=_time_spent(results),
        with_servers=any(topic.scenario.locustfile for topic in plan.topics),
        with_tests=any(topic.scenario.tests for topic in plan.topics),
        with_requests=any(
            METRICS[item.metric].of_request for item in results.comparisons
        ),
        with_benchmarks=any(topic.scenario.benchmarks for topic in plan.topics),
        environment=list(flatten(run.environment())),
        command=repeat_command(plan, results),
        run=run.name,
        seed=results.seed,
        partial=results.partial,
    )


def _topics(run: RunDirectory, plan: Plan, results: Results) -> list[TopicView]:
    profiles, launches, rounds = run.profiles(), run.launches(), run.rounds()
    views = []
    for number, topic in enumerate(plan.topics):
        samples = evidence.usable_samples(run, topic.name)
        topic_profiles = [item for item in profiles if item.topic == topic.name]
        views.append(
            TopicView(
                anchor=f"topic-{number}",
                title=one_line(topic.title),
                guide=one_line(topic.guide),
                load=load_text(topic),
                pairs=tuple(
                    _pair(
                        plan,
                        results,
                        topic,
                        pair,
                        evidence.Measured(
                            samples,
                            _of_topic(launches, topic.name),
                            topic_profiles,
                            [
                                one
                                for one in rounds
                                if (one.topic, one.baseline, one.candidate)
                                == (topic.name, *pair)
                                and one.purpose == "load"
                            ],
                        ),
                        run.sources(topic.name, pair),
                    )
                    for pair in topic.pairs()
                ),
                budgets=tuple(
                    (
                        budget,
                        budget_text(budget),
                        budget_reason(results, budget, plan.settings.confidence),
                    )
                    for budget in results.budgets
                    if budget.topic == topic.name
                ),
            )
        )
    return views


def _of_topic(launches: pd.DataFrame, topic: str) -> pd.DataFrame:
    return launches if launches.empty else launches[launches["topic"] == topic]


def _pair(
    plan: Plan,
    results: Results,
    topic: Topic,
    pair: tuple[str, str],
    measured: evidence.Measured,
    sources: dict[str, Source],
) -> PairView:
    baseline, candidate = pair
    anchor = pair_anchor(plan, topic.name, baseline, candidate)
    claims = tuple(
        claim
        for claim in results.claims
        if (claim.topic, claim.baseline, claim.candidate) == (topic.name, *pair)
    )
    return PairView(
        anchor=anchor,
        baseline=one_line(baseline),
        candidate=one_line(candidate),
        claims=claims,
        overall=next(
            (
                verdict
                for verdict in results.pairs
                if (verdict.topic, verdict.baseline, verdict.candidate)
                == (topic.name, *pair)
            ),
            None,
        ),
        metrics=(
            ()
            if topic.scenario.tests
            else tuple(
                metric_rows(results, topic.name, pair, claims, plan.settings.margin)
            )
        ),
        tests=table_of_tests(results, topic.name, pair),
        requests=table_of_tests(results, topic.name, pair, of_requests=True),
        why=why(results, topic.name, pair, sources),
        pictures=evidence.pictures_of_pair(
            pair,
            measured,
            _busy_cores(results, topic.name, pair),
            [claim.metric for claim in claims],
            anchor,
        ),
        exports=links(topic.name, pair, measured.rounds),
    )


def _noise(
    run: RunDirectory, plan: Plan, results: Results
) -> list[tuple[str, list[tuple[str, str]], list[str]]]:
    """Return the noise (rows) and the A/A results (lines) of each topic."""
    rows, lines = dict(noise_rows(run.slices())), control_lines(results)
    topics = [topic.name for topic in plan.topics]
    return [
        (name, rows.get(name, []), lines.get(name, []))
        for name in dict.fromkeys([*rows, *topics])
        if name in rows or name in lines
    ]


def _time_spent(results: Results) -> list[str]:
    """Return where the time went: a sentence on all topics, and one for each."""
    if len(results.spent) < 2:
        return [time_spent_text(results.spent)] if results.spent else []
    by_topic = [
        f"{one_line(item.topic)}: {time_spent_text([item])}" for item in results.spent
    ]
    return [time_spent_text(results.spent), *by_topic]


def _busy_cores(
    results: Results, topic: str, pair: tuple[str, str]
) -> tuple[float, float] | None:
    """Return how many cores each side kept busy at capacity; None if not measured."""
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
