"""From tables to results: claims, budgets, pairs, values and warnings."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scipy import stats

from assay.analysis import measurements, statistics, verdicts
from assay.analysis.looks import looks_of
from assay.experiment.run import judge as judge_run
from assay.metrics import DECIDING_METRICS
from assay.plan import Budget, Plan
from assay.results import BudgetResult, Results
from assay.run_directory.directory import NotARunError
from assay.run_directory.run import RunDirectory
from tests.unit.synthetic import claim, measured, plan

CPU, RATE, MEDIAN = DECIDING_METRICS
MEAN, P99 = "latency.mean", "latency.p99"
SAME = dict.fromkeys(DECIDING_METRICS, 1.0)
EVERY = range(1, 100)
EMPTY = measurements.Measurements(pd.DataFrame(), pd.DataFrame())


def judge(a_plan: Plan, tables: measurements.Measurements) -> Results:
    return verdicts.evaluate(a_plan, tables, "run")


def decided(a_plan: Plan, tables: measurements.Measurements) -> bool:
    return verdicts.decided(looks_of(a_plan), a_plan.topics[0], tables)


def budget(metric: str, at_most: float, variant: str = "a") -> Budget:
    return Budget(variant=variant, metric=metric, at_most=at_most, text="")


# Claims.


def test_a_claim_that_holds_and_one_that_does_not() -> None:
    results = judge(
        plan(claim("<= 0.30"), claim(">= 3", RATE)), measured({CPU: 0.2, RATE: 1.0})
    )
    assert [c.verdict for c in results.claims] == ["holds", "refuted"]
    assert "as expected (<= 0.30)" in results.claims[0].reason
    assert ">= 3 was claimed" in results.claims[1].reason
    comparison = next(c for c in results.comparisons if c.metric == CPU)
    assert comparison.verdict == "faster"
    assert comparison.ratio == pytest.approx(0.2, rel=0.02)
    assert comparison.low is not None and comparison.high is not None
    assert comparison.low < 0.2 < comparison.high


def test_throughput_is_better_when_it_is_greater() -> None:
    results = judge(plan(claim(">= 1.5", RATE)), measured({RATE: 2.0}))
    assert results.comparisons[0].verdict == "faster"


@pytest.mark.parametrize(
    ("expect", "metric", "ratio", "verdict"),
    [
        ("faster", CPU, 0.8, "holds"),
        ("faster", RATE, 1.25, "holds"),
        ("faster", RATE, 0.8, "refuted"),
        ("not slower", RATE, 0.8, "refuted"),
        ("not slower", RATE, 1.25, "holds"),
        ("same", RATE, 1.0, "holds"),
        ("slower", MEDIAN, 1.25, "holds"),
    ],
)
def test_a_direction_is_that_of_the_metric(
    expect: str, metric: str, ratio: float, verdict: str
) -> None:
    results = judge(plan(claim(expect, metric)), measured({metric: ratio}))
    assert results.claims[0].verdict == verdict


def test_faster_is_refuted_by_the_same() -> None:
    result = judge(plan(claim("faster")), measured({CPU: 1.0})).claims[0]
    assert result.verdict == "refuted"
    assert result.reason.endswith(": the same within 5 %")


def test_a_metric_that_no_claim_names_has_no_verdict() -> None:
    results = judge(plan(claim("same")), measured({CPU: 1.0, MEAN: 9.0}))
    assert {c.metric: c.verdict for c in results.comparisons} == {
        CPU: "same",
        MEAN: None,
    }
    # But it is marked, because it differs by more than the margin.
    assert [c.metric for c in results.comparisons if c.differs] == [MEAN]
    assert results.pairs == ()


def test_disturbed_blocks_are_left_out_and_counted() -> None:
    results = judge(plan(claim("same")), measured({CPU: 1.0}, disturbed={"b": 50.0}))
    assert results.comparisons[0].verdict == "same"
    assert results.comparisons[0].dropped_blocks == 24  # of both loads


def test_more_failures_forbid_a_verdict_on_speed() -> None:
    a_plan = plan(claim("<= 0.5"))
    tables = measured({CPU: 0.2}, failed={"b": 2})
    results = judge(a_plan, tables)
    assert results.claims[0].verdict == "undecided"
    assert results.claims[0].alone == "undecided"
    assert "failure rates differ" in results.claims[0].reason
    assert "b 2.00%" in results.comparisons[0].reason
    assert decided(a_plan, tables), "more launches would not change it"


def test_too_few_launches_decide_nothing() -> None:
    results = judge(plan(claim("<= 0.5")), measured({CPU: 0.2}, 4))
    assert results.claims[0].verdict == "undecided"
    assert "too few" in results.claims[0].reason


def test_an_interval_across_the_bound_is_undecided() -> None:
    a_plan = plan(claim("<= 0.5"))
    tables = measured({CPU: 0.5}, noise=0.05)
    result = judge(a_plan, tables).claims[0]
    assert result.verdict == "undecided"
    assert result.reason.endswith("which does not settle whether <= 0.5 holds")
    assert not decided(a_plan, tables)


def test_nothing_measured_is_no_crash() -> None:
    results = verdicts.evaluate(plan(claim("faster")), EMPTY, "run", partial=True)
    assert results.claims[0].verdict == "undecided"
    assert results.claims[0].reason == "0 launches are too few for an interval"
    assert results.comparisons[0].ratio is None
    free = verdicts.evaluate(plan(budgets=[budget("errors", 0.1)]), EMPTY, "run")
    assert free.pairs[0].verdict == "undecided"
    assert (free.budgets[0].verdict, free.budgets[0].value) == ("undecided", None)


def test_many_claims_gate_together() -> None:
    many = plan(*[claim("<= 0.5") for _ in range(40)])
    tables = measured({CPU: 0.2})
    together = judge(many, tables).claims[0]
    assert (together.alone, together.verdict) == ("holds", "undecided")
    assert "holds on its own" in together.reason
    assert not decided(many, tables)
    # All launches agree, but they are too few; the reason says how many are needed.
    assert "40 claims together need 13 launches to decide, not 12" in together.reason
    enough = judge(many, measured({CPU: 0.2}, 13)).claims[0]
    assert enough.verdict == "holds"
    assert decided(plan(claim("<= 0.5")), tables)


def test_where_launches_disagree_it_is_chance_that_forbids() -> None:
    many = plan(*[claim("faster", RATE) for _ in range(40)])
    tables = measured({RATE: 1.2}, 20, noise=0.18)
    result = judge(many, tables).claims[0]
    assert (result.alone, result.verdict) == ("holds", "undecided")
    assert "not significant after the correction for all claims" in result.reason
    assert "launches to decide" not in result.reason


def test_claims_step_down_from_the_shared_level() -> None:
    # Nine launches of one sign are enough for one of three claims, not for one of six.
    ratios = {CPU: 0.2, RATE: 1.0, MEDIAN: 1.0}
    claims = [claim("<= 0.5"), claim(">= 0.99", RATE), claim("<= 1.01", MEDIAN)]
    tables = measured(ratios, 9, noise=0.05)
    a_plan = plan(*claims)
    p = 2 * 0.5**9
    assert looks_of(a_plan).level(3) > p > looks_of(a_plan).level(6)
    words = [result.verdict for result in judge(a_plan, tables).claims]
    assert words == ["holds", "undecided", "undecided"]
    twice = plan(*claims, *claims[1:], claims[2])
    assert [r.alone for r in judge(twice, tables).claims][0] == "holds"
    assert judge(twice, tables).claims[0].verdict == "undecided"


# Timeouts.


@pytest.mark.parametrize("metric", [MEAN, MEDIAN, P99])
def test_a_candidate_that_times_out_is_slower(metric: str) -> None:
    a_plan = plan(claim("not slower", metric))
    tables = measured({metric: 5.0}, censored={("b", metric): EVERY})
    results = judge(a_plan, tables)
    assert results.claims[0].verdict == "refuted"
    assert results.claims[0].reason.startswith("measured ≥ ")
    assert "not slower was claimed" in results.claims[0].reason
    assert results.comparisons[0].censored == "candidate"
    assert decided(a_plan, tables)


def test_a_baseline_that_times_out_is_slower() -> None:
    tables = measured({MEAN: 0.2}, censored={("a", MEAN): EVERY})
    result = judge(plan(claim("<= 0.3", MEAN)), tables).claims[0]
    assert result.verdict == "holds"
    assert result.reason.startswith("measured ≤ ")
    # The ratio is only an upper bound, so it may or may not be below 0.01.
    further = judge(plan(claim("<= 0.01", MEAN)), tables).claims[0]
    assert further.verdict == "undecided"
    assert further.reason.startswith("measured ≤ ")
    again = judge(plan(claim("slower", MEAN)), tables).claims[0]
    assert again.verdict == "refuted"


def test_too_few_launches_are_too_few_with_timeouts_too() -> None:
    tables = measured({MEAN: 5.0}, 4, censored={("b", MEAN): EVERY})
    result = judge(plan(claim("not slower", MEAN)), tables).claims[0]
    assert result.verdict == "undecided"
    assert "4 launches are too few" in result.reason


def test_where_both_time_out_a_claim_is_undecided() -> None:
    both = {("a", MEAN): EVERY, ("b", MEAN): EVERY}
    result = judge(
        plan(claim("not slower", MEAN)), measured({MEAN: 5.0}, censored=both)
    )
    assert result.claims[0].verdict == "undecided"


def test_a_variants_own_number_is_a_bound_where_it_timed_out() -> None:
    tables = measured({MEAN: 5.0, CPU: 5.0}, censored={("b", MEAN): (2,)})
    values = {(v.variant, v.metric): v for v in judge(plan(), tables).values}
    cut, finite = values["b", MEAN], values["b", CPU]
    assert cut.censored and cut.high is None and cut.low is not None
    assert not finite.censored and finite.high is not None
    assert finite.low is not None and finite.low < finite.value < finite.high
    assert not values["a", MEAN].censored
    assert cut.value == pytest.approx(5.0, rel=0.02)


def test_where_the_generator_was_the_limit_there_is_a_warning() -> None:
    often, seldom = range(1, 8), range(1, 7)
    tables = measured({RATE: 1.0}, censored={("a", RATE): often, ("b", RATE): seldom})
    (warning,) = judge(plan(), tables).warnings
    assert warning.startswith("shop: the load generator was saturated under a: ")
    assert "LeanHttpUser" in warning
    assert judge(plan(), measured({RATE: 1.0})).warnings == ()


# Pairs without claims.


def test_a_pair_whose_generator_is_the_limit_has_a_verdict() -> None:
    shares = {"a": 0.97, "b": 0.98}
    censored = {(name, RATE): EVERY for name in "ab"}
    numbers = SAME | {"service.p50": 1.0}
    tables = measured(numbers, 15, censored=censored, generator=shares)
    results = judge(plan(), tables)
    assert results.pairs[0].verdict == "same"
    assert decided(plan(), tables)
    (warning,) = results.warnings
    assert "the load generator is the limit under a, b" in warning
    assert "throughput does not decide" in warning and "LeanHttpUser" in warning
    # Old runs, which lack the generator's share, and claims are judged as before.
    before = measured(numbers, 15, censored=censored)
    assert judge(plan(), before).pairs[0].verdict == "undecided"
    (warning,) = judge(plan(claim("same", RATE)), tables).warnings
    assert "was saturated under a, b" in warning


def test_who_does_not_answer_is_named() -> None:
    tables = measured(SAME, 15)
    assert judge(plan(), tables).warnings == ()
    hit = (tables.slices["variant"] == "b") & (tables.slices["mode"] == "open")
    tables.slices.loc[hit, "unserved"] = 20
    (warning,) = judge(plan(), tables).warnings
    # 15 launches with four slices of each mode, and 100 requests in each slice.
    assert warning == "shop: variant b did not answer 1,200 of 12,000 arrivals."


def test_the_results_say_where_the_time_went() -> None:
    tables = measured(SAME, 2, lost=1)
    assert judge(plan(), tables).spent == ()
    parts = {"starts": 2.0, "log_ins": 3.0, "warm_up": 1.0, "slices": 4.0, "rest": 0.5}
    rows = [
        {
            **{"topic": "shop", "launch": launch, "variant": "", "censored": False},
            **{"metric": f"seconds.{part}", "value": seconds},
        }
        for launch in (1, 2, 3)
        for part, seconds in parts.items()
    ]
    timed = measurements.Measurements(
        tables.slices, pd.concat([tables.launches, pd.DataFrame(rows)])
    )
    (spent,) = judge(plan(), timed).spent
    assert spent.topic == "shop"
    # The times include the launch that was too disturbed to count.
    assert (spent.starts, spent.log_ins, spent.rest) == (6.0, 9.0, 1.5)
    assert measurements.uncounted_launches(timed, "shop") == (1, 3)
    assert measurements.seconds_per_launch(timed, "shop") is None


def test_without_claims_three_metrics_share_the_level() -> None:
    tables = measured({CPU: 1.1, MEDIAN: 1.0, "memory.peak": 2.0})
    results = judge(plan(), tables)
    assert {c.metric: c.verdict for c in results.comparisons} == {
        CPU: "slower",
        MEDIAN: "same",
        RATE: "undecided",
        "memory.peak": None,
    }
    shared, alone = (
        next(c for c in judge(p, tables).comparisons if c.metric == CPU)
        for p in (plan(), plan(claim("slower")))
    )
    assert shared.low is not None and alone.low is not None
    assert shared.low < alone.low


def test_more_than_two_variants_are_compared_in_pairs() -> None:
    results = judge(plan(variants="abc"), measured({CPU: 1.2}, variants="abc"))
    assert {
        (c.baseline, c.candidate): c.verdict
        for c in results.comparisons
        if c.metric == CPU
    } == {("a", "b"): "slower", ("a", "c"): "same"}
    assert [(w.baseline, w.candidate, w.verdict) for w in results.pairs] == [
        ("a", "b", "slower"),
        ("a", "c", "undecided"),
    ]


def test_a_pair_is_judged_as_a_whole() -> None:
    same = judge(plan(), measured(SAME)).pairs[0]
    assert same.verdict == "same"
    hinted = judge(plan(), measured({**SAME, MEAN: 1.5})).pairs[0]
    assert (hinted.verdict, hinted.differing) == ("undecided", (MEAN,))


def test_of_a_pair_that_fails_unequally_nothing_is_said_of_its_speed() -> None:
    quicker = {**SAME, MEAN: 0.5, "memory.peak": 2.0}
    failed = judge(plan(), measured(quicker, failed={"b": 9})).pairs[0]
    assert failed.verdict == "undecided"
    assert failed.reason.startswith("failure rates differ beyond chance")
    assert failed.differing == ("memory.peak",)


@pytest.mark.parametrize(
    ("changes", "enough"),
    [
        ({}, True),
        ({"noise": 0.3}, False),
        ({"failed": {"b": 9}}, True),
        ({"launches": 5}, False),
        # A quieter machine can still decide these.
        ({"again": 1.4}, False),
        ({"lost": 20}, False),
    ],
)
def test_a_pair_is_decided_when_every_metric_is(
    changes: Mapping[str, Any], enough: bool
) -> None:
    assert decided(plan(), measured(SAME, **changes)) == enough


def test_a_failed_control_warns() -> None:
    results = judge(plan(), measured(SAME, again=1.4))
    assert {arm.metric for arm in results.controls if arm.failed} == set(SAME)
    warning = next(w for w in results.warnings if CPU in w)
    assert warning.startswith("shop: the A/A arm failed: a against itself came out as")
    assert results.pairs[0].verdict == "undecided"
    fine = judge(plan(), measured(SAME, again=1.0))
    assert len(fine.controls) == 3 and fine.warnings == ()
    # The failed arm forbids a verdict on latency, but not one on CPU time.
    tables = measured({MEAN: 0.2, CPU: 0.2}, again=1.4)
    both = judge(plan(claim("<= 0.5", MEAN), claim("<= 0.5")), tables)
    assert [c.verdict for c in both.claims] == ["undecided", "holds"]
    assert "against itself" in both.claims[0].reason
    assert not decided(plan(claim("<= 0.5", MEAN)), tables)


# Budgets.


def test_a_budget_is_judged_by_its_bound() -> None:
    budgets = [budget(P99, limit) for limit in (1.5, 1.0, 0.5)]
    results = judge(plan(budgets=budgets), measured({P99: 1.0}))
    assert [b.verdict for b in results.budgets] == ["holds", "undecided", "refuted"]
    assert not decided(plan(budgets=budgets), measured({**SAME, P99: 1.0}))
    assert decided(plan(budgets=budgets[:1]), measured({**SAME, P99: 1.0}))


def test_budgets_share_the_level_and_are_one_sided() -> None:
    tables = measured({P99: 1.0}, 18, noise=0.2)
    for count in (1, 4):
        a_plan = plan(budgets=[budget(P99, 1.5)] * count)
        result = judge(a_plan, tables).budgets[0]
        x = measurements.numbers(tables, "shop", "a", P99)
        each = looks_of(a_plan).level(count)
        expected = statistics.signed_rank_interval(x, 2 * each)
        assert expected is not None
        assert result.high == expected[1]
        assert result.value == statistics.hodges_lehmann(x)


def test_a_budget_on_what_timed_out_does_not_hold() -> None:
    budgets = [budget(MEAN, 9.0), budget(MEAN, 0.5), budget(MEAN, 9.0, "b")]
    tables = measured({MEAN: 1.0}, censored={("a", MEAN): (5,)})
    roomy, tight, other = judge(plan(budgets=budgets), tables).budgets
    assert (roomy.verdict, roomy.high) == ("undecided", None)
    # The lower bound already exceeds the limit, so the true value does, too.
    assert tight.verdict == "refuted"
    assert other.verdict == "holds"


def shares(
    metric: str, limit: float, launches: int = 12, **changes: Any
) -> BudgetResult:
    tables = measured({metric: 1.0, **SAME}, launches, **changes)
    return judge(plan(budgets=[budget(metric, limit)]), tables).budgets[0]


def test_no_failure_in_few_requests_does_not_hold_a_tight_budget() -> None:
    # 12 launches of 4 blocks in 2 modes, with 100 requests each, are 9600 requests.
    few, many = shares("errors", 0.0003), shares("errors", 0.001)
    assert few.verdict == "undecided" and few.value == 0.0
    assert many.verdict == "holds"
    one_sided = looks_of(plan(budgets=[budget("errors", 0.001)])).level()
    assert few.high == pytest.approx(1 - one_sided ** (1 / 9600))
    assert shares("errors", 0.0003, 40).verdict == "holds"


def test_a_share_of_failures_is_judged_by_the_exact_bound() -> None:
    failed = {"a": 2}
    for limit, verdict in ((0.025, "holds"), (0.02, "undecided"), (0.015, "refuted")):
        result = shares("errors", limit, failed=failed)
        assert (result.verdict, result.value) == (verdict, 0.02)
    one_sided = looks_of(plan(budgets=[budget("errors", 0.02)])).level()
    exact = stats.binomtest(192, 9600).proportion_ci(1 - 2 * one_sided, "exact")
    assert result.high == pytest.approx(exact.high)
    assert shares("errors", 0.015, failed={"b": 9}).verdict == "holds"


def test_what_failed_while_something_else_disturbed_is_nobodys_share() -> None:
    tables = measured({"errors": 1.0, **SAME})
    hit = (tables.slices["launch"] == 3) & (tables.slices["block"] == 0)
    tables.slices.loc[hit & (tables.slices["variant"] == "a"), "failed"] = 100
    hasty = judge(plan(budgets=[budget("errors", 0.001)]), tables).budgets[0]
    tables.slices.loc[hit, "disturbed"] = True
    fair = judge(plan(budgets=[budget("errors", 0.001)]), tables).budgets[0]
    assert (hasty.verdict, fair.verdict, fair.value) == ("refuted", "holds", 0.0)
    # Failures in a launch that does not count are ignored, too.
    lost = measured({"errors": 1.0, **SAME}, lost=1)
    lost.slices.loc[lost.slices["launch"] == 13, "failed"] = 100
    assert judge(plan(budgets=[budget("errors", 0.001)]), lost).budgets[0].value == 0.0


def test_a_share_of_drops_is_judged_by_the_exact_bound() -> None:
    # Only the open loop has arrivals: 4 x 4 of 4 x 104 are dropped in each launch.
    dropped = {"a": 4}
    share = 16 / 416
    for limit, verdict in ((0.05, "holds"), (0.04, "undecided"), (0.03, "refuted")):
        result = shares("dropped", limit, dropped=dropped)
        assert result.verdict == verdict
        assert result.value == pytest.approx(share)
    tables = measured({"dropped": 1.0, **SAME})
    tables.slices["unserved"] = 4
    late = judge(plan(budgets=[budget("dropped", 0.01)]), tables).budgets[0]
    assert late.verdict == "refuted"
    assert late.value == pytest.approx(0.04)


# A run on disk.


def kept(path: Path, tables: measurements.Measurements) -> RunDirectory:
    run = RunDirectory.create(path / "run", plan(claim("<= 0.5")), {})
    tables.slices.to_parquet(run.path / "slices.parquet", index=False)
    tables.launches.to_parquet(run.path / "launches.parquet", index=False)
    return run


def test_a_run_that_died_is_judged_as_far_as_it_went(tmp_path: Path) -> None:
    tables = measured({CPU: 0.2})
    run = kept(tmp_path, tables)
    died = judge_run(run)
    assert died.partial
    assert died.warnings == ("The run ended before it could write its results.",)
    assert died.claims[0].verdict == "holds"
    run.write_results(verdicts.evaluate(run.plan(), tables, run.name, False, ["Mind."]))
    complete = judge_run(run)
    assert not complete.partial and complete.warnings == ("Mind.",)
    assert complete == run.results()
    text = (run.path / "results.json").read_text()
    for length in (0, 1, len(text) // 2, len(text) - 1):
        (run.path / "results.json").write_text(text[:length])
        again = judge_run(run)
        assert again.partial and again.claims == complete.claims
        assert "results.json was cut off" in again.warnings[0]
    (run.path / "results.json").write_text("{}")
    with pytest.raises(NotARunError, match="cannot be read"):
        judge_run(run)


def test_results_without_numbers_are_written_and_read(tmp_path: Path) -> None:
    cut = {("b", MEDIAN): EVERY, ("a", MEAN): EVERY, ("b", MEAN): EVERY}
    tables = measured({**SAME, MEDIAN: 5.0, MEAN: 1.0}, censored=cut)
    results = judge(plan(), tables)
    run = RunDirectory.create(tmp_path / "run", plan(), {})
    run.write_results(results)
    text = (run.path / "results.json").read_text()
    assert "NaN" not in text and "Infinity" not in text
    assert run.results() == results
    assert all(
        number is None or math.isfinite(number)
        for c in results.comparisons
        for number in (c.ratio, c.low, c.high, c.seconds_to_see)
    )
