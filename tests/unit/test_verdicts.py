"""From tables to results."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from assay import tables, verdicts
from assay.expectations import parse
from assay.plan import Budget, Claim, Plan, Scenario, Settings, Target, Topic, Variant
from assay.results import Results

FILE = Path("scenarios/shop/claims.toml")


def claim(expect: str, metric: str = "cpu_per_request") -> Claim:
    return Claim(
        says="it is so",
        baseline="a",
        candidate="b",
        metric=metric,
        expect=parse(expect, metric),
    )


def plan(*claims: Claim, budgets: Sequence[Budget] = (), variants: str = "ab") -> Plan:
    topic = Topic(
        name="shop",
        title="Shop",
        file=FILE,
        target=Target(cwd=Path(".")),
        scenario=Scenario(locustfile=Path("locustfile.py")),
        variants=tuple(Variant(name=name) for name in variants),
        claims=claims,
        budgets=tuple(budgets),
    )
    return Plan(topics=(topic,), settings=Settings(seed=3))


def measured(
    ratios: Mapping[str, float],
    launches: int = 12,
    failed: Mapping[str, int] | None = None,
    noise: float = 0.01,
    disturbed_ratio: float | None = None,
) -> tables.Measured:
    """Tables in which variant b is `ratios[metric]` times variant a."""
    rng = np.random.default_rng(1)
    slices: list[dict[str, Any]] = []
    values: list[dict[str, Any]] = []
    for number in range(1, launches + 1):
        for variant in "abc":
            factor = {m: r if variant == "b" else 1.0 for m, r in ratios.items()}
            own = {m: f * math.exp(rng.normal(0, noise)) for m, f in factor.items()}
            for metric, value in own.items():
                values.append(
                    {
                        "topic": "shop",
                        "launch": number,
                        "variant": variant,
                        "metric": metric,
                        "value": value,
                    }
                )
            for block in range(4):
                disturbed = disturbed_ratio is not None and block == 3
                row: dict[str, Any] = {
                    "topic": "shop",
                    "launch": number,
                    "block": block,
                    "variant": variant,
                    "mode": "closed",
                    "requests": 100,
                    "failed": (failed or {}).get(variant, 0),
                    "dropped": 0,
                    "disturbed": disturbed,
                }
                for metric, column in tables.BLOCK_METRICS.items():
                    if metric in own:
                        extra = disturbed_ratio if disturbed and variant == "b" else 1
                        row[column] = own[metric] * (extra or 1)
                slices.append(row)
    return tables.Measured(pd.DataFrame(slices), pd.DataFrame(values))


def judge(a_plan: Plan, tables: tables.Measured) -> Results:
    return verdicts.evaluate(a_plan, tables, "run")


def test_a_claim_that_holds_and_one_that_does_not() -> None:
    results = judge(
        plan(claim("<= 0.30"), claim(">= 3", "throughput")),
        measured({"cpu_per_request": 0.2, "throughput": 1.0}),
    )
    assert [c.verdict for c in results.claims] == ["holds", "refuted"]
    assert "as expected (<= 0.30)" in results.claims[0].reason
    assert ">= 3 was claimed" in results.claims[1].reason
    comparison = next(c for c in results.comparisons if c.metric == "cpu_per_request")
    assert comparison.verdict == "faster"
    assert comparison.ratio == pytest.approx(0.2, rel=0.02)
    assert comparison.low is not None and comparison.high is not None
    assert comparison.low < 0.2 < comparison.high


def test_throughput_is_better_when_it_is_greater() -> None:
    results = judge(plan(claim(">= 1.5", "throughput")), measured({"throughput": 2.0}))
    assert results.comparisons[0].verdict == "faster"


def test_a_metric_that_no_claim_names_has_no_verdict() -> None:
    results = judge(
        plan(claim("same")), measured({"cpu_per_request": 1.0, "latency.mean": 9.0})
    )
    verdicts_of = {c.metric: c.verdict for c in results.comparisons}
    assert verdicts_of == {"cpu_per_request": "same", "latency.mean": None}


def test_without_claims_three_metrics_share_the_level() -> None:
    tables = measured({"cpu_per_request": 1.1, "latency.p50": 1.0, "memory.peak": 2.0})
    results = judge(plan(), tables)
    words = {c.metric: c.verdict for c in results.comparisons}
    assert words == {
        "cpu_per_request": "slower",
        "latency.p50": "same",
        "throughput": "undecided",
        "memory.peak": None,
    }
    shared, alone = (
        next(c for c in judge(p, tables).comparisons if c.metric == "cpu_per_request")
        for p in (plan(), plan(claim("slower")))
    )
    assert shared.low is not None and alone.low is not None
    assert shared.low <= alone.low


def test_disturbed_blocks_are_left_out_and_counted() -> None:
    results = judge(
        plan(claim("same")), measured({"cpu_per_request": 1.0}, disturbed_ratio=50.0)
    )
    assert results.comparisons[0].verdict == "same"
    assert results.comparisons[0].dropped_blocks == 12


def test_more_failures_forbid_a_verdict_on_speed() -> None:
    results = judge(
        plan(claim("<= 0.5")), measured({"cpu_per_request": 0.2}, failed={"b": 2})
    )
    assert results.claims[0].verdict == "undecided"
    assert "failure rates differ" in results.claims[0].reason
    assert "b 2.00%" in results.comparisons[0].reason


def test_too_few_launches_decide_nothing() -> None:
    results = judge(plan(claim("<= 0.5")), measured({"cpu_per_request": 0.2}, 4))
    assert results.claims[0].verdict == "undecided"
    assert "too few" in results.claims[0].reason


def test_nothing_measured_is_no_crash() -> None:
    empty = tables.Measured(pd.DataFrame(), pd.DataFrame())
    results = verdicts.evaluate(plan(claim("faster")), empty, "run", partial=True)
    assert results.claims[0].verdict == "undecided"
    assert results.comparisons[0].ratio is None


def test_many_claims_gate_together() -> None:
    many = plan(*[claim("<= 0.5") for _ in range(40)])
    tables = measured({"cpu_per_request": 0.2})
    together = judge(many, tables).claims[0]
    assert (together.alone, together.verdict) == ("holds", "undecided")
    assert "holds on its own" in together.reason
    assert not verdicts.decided(many, many.topics[0], tables)
    single = plan(claim("<= 0.5"))
    assert verdicts.decided(single, single.topics[0], tables)


def test_a_budget_is_judged_by_its_bound() -> None:
    budgets = [
        Budget(variant="a", metric="latency.p99", at_most=limit, text="")
        for limit in (1.5, 1.0, 0.5)
    ]
    results = judge(plan(budgets=budgets), measured({"latency.p99": 1.0}))
    assert [b.verdict for b in results.budgets] == ["holds", "undecided", "refuted"]


def test_a_single_large_claim_is_looked_at_early() -> None:
    assert verdicts.planned_looks(plan(claim("<= 0.30")))[0] == 8
    assert verdicts.planned_looks(plan(claim("same")))[0] == 12
    assert verdicts.planned_looks(plan(claim("<= 0.3"), claim("<= 0.3")))[0] == 12


def test_more_than_two_variants_are_compared_in_pairs() -> None:
    results = judge(plan(variants="abc"), measured({"cpu_per_request": 1.2}))
    pairs = {
        (c.baseline, c.candidate): c.verdict
        for c in results.comparisons
        if c.metric == "cpu_per_request"
    }
    assert pairs == {("a", "b"): "slower", ("a", "c"): "same"}
