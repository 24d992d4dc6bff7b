"""The comparisons of a pair, metric by metric, and what forbids a verdict."""

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from assay import wording
from assay.analysis import comparisons, deciding, measurements, power, statistics
from assay.analysis.controls import controls as controls_of
from assay.analysis.looks import looks_of
from assay.metrics import DECIDING_METRICS, METRICS
from assay.plan import AA_SUFFIX, Plan, Settings
from assay.results import Comparison, Control
from tests.unit.synthetic import claim, measured, plan

CPU, RATE, MEDIAN = DECIDING_METRICS
MEAN = "latency.mean"
PAIR = ("a", "b")
SAME = dict.fromkeys(DECIDING_METRICS, 1.0)
EVERY = range(1, 100)


def compared(
    a_plan: Plan, tables: measurements.Measurements, deciding_only: bool = False
) -> dict[str, Comparison]:
    """The comparisons of b with a, by metric."""
    return {
        item.metric: item
        for item in comparisons.comparisons(
            looks_of(a_plan), a_plan.topics[0], tables, deciding_only
        )
        if (item.baseline, item.candidate) == PAIR
    }


def controls(a_plan: Plan, tables: measurements.Measurements) -> dict[str, Control]:
    arms = controls_of(looks_of(a_plan), a_plan.topics[0], tables)
    return {arm.metric: arm for arm in arms}


# Levels.


def test_large_claims_are_looked_at_early() -> None:
    assert looks_of(plan(claim("<= 0.30"))).launches[0] == 8
    assert looks_of(plan(claim(">= 3", RATE))).launches[0] == 8
    assert looks_of(plan(claim("same"))).launches[0] == 15
    assert looks_of(plan(claim("<= 0.7"))).launches[0] == 15
    assert looks_of(plan()).launches == Settings().looks
    # The first look comes as soon as agreeing launches can reach the shared level.
    for number, first in ((2, 9), (4, 10), (9, 11)):
        looks = looks_of(plan(*[claim("<= 0.3")] * number)).launches
        assert looks[0] == first
        assert looks[-5:] == Settings().looks
        assert statistics.smallest_p(first) <= statistics.pocock_level(
            looks, 0.05 / number
        )
    # A claim that expects a small effect would gain nothing from an early look.
    mixed = plan(claim("<= 0.3"), claim("<= 0.7"))
    assert looks_of(mixed).launches == Settings().looks


def test_who_asks_for_one_look_gets_one() -> None:
    once = plan(claim("<= 0.3"))
    settings = once.settings.model_copy(update={"looks": (6,)})
    assert looks_of(once.model_copy(update={"settings": settings})).launches == (6,)


def test_a_first_look_that_could_decide_nothing_is_put_off() -> None:
    many = plan(*[claim("faster")] * 400)
    looks = looks_of(many).launches
    assert looks == (16, *Settings().looks[1:])
    agreeing = -np.log(np.linspace(1.5, 2.0, looks[0]))
    expect = claim("faster").expect
    shared = looks_of(many).level(400)
    assert min(statistics.claim_p(agreeing, expect, 0.05)) <= shared
    assert min(statistics.claim_p(agreeing[1:], expect, 0.05)) > shared


def crossing(looks: Sequence[int], level: float) -> float:
    """Simulate how often a random walk is beyond the level at any look."""
    rng = np.random.default_rng(31)
    steps = rng.standard_normal((40_000, looks[-1])).cumsum(axis=1)
    at = np.array(looks)
    z = np.abs(steps[:, at - 1]) / np.sqrt(at)
    return float(np.mean((z > stats.norm.isf(level / 2)).any(axis=1)))


@pytest.mark.parametrize("family", [1, 3, 6])
@pytest.mark.parametrize("a_plan", [plan(), plan(claim("<= 0.3"))])
def test_the_level_of_a_look_keeps_the_share_of_alpha(
    a_plan: Plan, family: int
) -> None:
    looks = looks_of(a_plan).launches
    level = looks_of(a_plan).level(family)
    share = 0.05 / family
    noise = 3.5 * math.sqrt(share / 40_000)
    assert crossing(looks, level) == pytest.approx(share, abs=noise)


def test_all_comparisons_without_claims_share_alpha() -> None:
    assert deciding.family_size(plan()) == 3
    assert deciding.family_size(plan(variants="abc")) == 6
    assert deciding.family_size(plan(claim("same"))) == 0
    three, two = plan(variants="abc").topics[0], plan().topics[0]
    several = plan().model_copy(update={"topics": (three, two)})
    assert deciding.family_size(several) == 9
    micro = two.scenario.model_copy(
        update={"locustfile": None, "benchmarks": "bench_*.py"}
    )
    alone = two.model_copy(update={"scenario": micro})
    assert deciding.family_size(plan().model_copy(update={"topics": (alone,)})) == 1


@pytest.mark.parametrize(("variants", "family"), [("ab", 3), ("abc", 6), ("abcd", 9)])
def test_intervals_are_at_the_shared_level(variants: str, family: int) -> None:
    a_plan = plan(variants=variants)
    tables = measured({**SAME, MEAN: 1.0}, 18, variants=variants, noise=0.1)
    items = compared(a_plan, tables)
    for metric, of in ((CPU, family), (RATE, family), (MEDIAN, family), (MEAN, 1)):
        x = measurements.log_ratios(tables, "shop", *PAIR, metric)
        level = statistics.pocock_level(Settings().looks, 0.05 / of)
        expected = statistics.signed_rank_interval(x, level)
        assert expected is not None
        low, high = items[metric].low, items[metric].high
        assert (low, high) == pytest.approx(tuple(np.exp(expected)))
        assert items[metric].verdict is None or metric != MEAN


def test_a_claim_is_compared_at_the_whole_level() -> None:
    tables = measured(SAME, 18, noise=0.1)
    x = measurements.log_ratios(tables, "shop", *PAIR, CPU)
    level = statistics.pocock_level(Settings().looks, 0.05)
    expected = statistics.signed_rank_interval(x, level)
    assert expected is not None
    item = compared(plan(claim("same")), tables)[CPU]
    assert (item.low, item.high) == pytest.approx(tuple(np.exp(expected)))


# One metric.


@pytest.mark.parametrize(
    ("metric", "ratio", "word"),
    [
        (CPU, 1.2, "slower"),
        (CPU, 0.8, "faster"),
        (CPU, 1.0, "same"),
        (RATE, 1.2, "faster"),
        (RATE, 0.8, "slower"),
        (MEDIAN, 1.2, "slower"),
        (MEDIAN, 0.8, "faster"),
    ],
)
def test_the_word_for_a_ratio(metric: str, ratio: float, word: str) -> None:
    item = compared(plan(), measured({**SAME, metric: ratio}))[metric]
    assert item.verdict == word and item.reason == ""
    assert item.ratio == pytest.approx(ratio, rel=0.02)
    assert item.low and item.ratio and item.high
    assert item.low < item.ratio < item.high
    assert item.launches == 12


def test_metrics_come_in_the_order_of_the_plan_and_only_where_there_are() -> None:
    tables = measured({**SAME, MEAN: 1.0, "startup": 1.0})
    assert list(compared(plan(), tables)) == [
        metric for metric in METRICS if metric in {*SAME, MEAN, "startup"}
    ]
    assert set(compared(plan(), tables, deciding_only=True)) == set(SAME)
    # A deciding metric that was never measured is undecided, not left out.
    without = compared(plan(), measured({CPU: 1.0}))
    assert (without[RATE].verdict, without[RATE].ratio) == ("undecided", None)


def test_undecided_says_why_in_one_metric() -> None:
    wide = compared(plan(), measured(SAME, noise=0.3))[CPU]
    assert wide.verdict == "undecided"
    assert "extends beyond the margin of 5 % after 12 launches" in wide.reason
    few = compared(plan(), measured(SAME, 5))[CPU]
    assert few.reason == "5 launches are too few for an interval"


def test_less_than_half_of_the_margin_is_not_called_a_difference() -> None:
    tables = measured(SAME, 15, noise=0.0)
    slower = tables.slices["variant"] == "b"
    by_launch = {**{n: 1.008 + n * 1e-4 for n in range(1, 11)}, 14: 1.2, 15: 1.3}
    frame = tables.slices.copy()
    frame.loc[slower, "cpu_per_request"] *= frame["launch"].map(
        lambda n: by_launch.get(n, 1.03)
    )
    item = compared(plan(), measurements.Measurements(frame, tables.launches))[CPU]
    assert item.ratio and item.low and item.high
    assert item.low > 1 and item.high > 1.05 and item.ratio < 1.02
    assert item.verdict == "undecided"
    assert item.reason == (
        "the difference is less than half of the margin of 5 %, but the interval is "
        "too wide to call it the same after 15 launches"
    )


def test_a_forecast_says_how_long_the_margin_takes_to_see() -> None:
    quiet = compared(plan(), measured(SAME, noise=0.005))[CPU].seconds_to_see
    loud = compared(plan(), measured(SAME, noise=0.1))[CPU].seconds_to_see
    assert quiet is not None and loud is not None
    # A launch takes 4 s in these tables, and the first look is after 15 launches.
    assert quiet == 15 * 4.0
    assert loud > quiet
    assert compared(plan(), measured(SAME, 2))[CPU].seconds_to_see is None


# What forbids a verdict.


@pytest.mark.parametrize("by", ["failed", "dropped"])
def test_failures_forbid_verdicts_on_speed(by: str) -> None:
    changes: dict[str, Any] = {by: {"b": 4}}
    tables = measured({**SAME, CPU: 0.2, MEAN: 0.2, "memory.peak": 2.0}, **changes)
    items = compared(plan(), tables)
    for metric in DECIDING_METRICS:
        assert items[metric].verdict == "undecided"
        assert items[metric].reason.startswith("failure rates differ beyond chance")
        assert "a 0.00%, b " in items[metric].reason
    for metric in (*DECIDING_METRICS, MEAN):
        assert items[metric].seconds_to_see is None
    assert items["memory.peak"].seconds_to_see is not None
    # The numbers are still shown.
    assert items[CPU].ratio == pytest.approx(0.2, rel=0.02)
    topic = plan().topics[0]
    examined = comparisons.examine(looks_of(plan()), topic, PAIR, tables)
    assert comparisons.cannot_be_decided(examined, CPU)
    assert not comparisons.cannot_be_decided(examined, "memory.peak")


def test_failures_while_something_else_disturbed_forbid_nothing() -> None:
    tables = measured({**SAME, CPU: 0.2})
    hit = (tables.slices["launch"] == 3) & (tables.slices["block"] == 0)
    tables.slices.loc[hit & (tables.slices["variant"] == "b"), "failed"] = 100
    assert compared(plan(claim("faster")), tables)[CPU].verdict == "undecided"
    tables.slices.loc[hit, "disturbed"] = True
    assert compared(plan(claim("faster")), tables)[CPU].verdict == "faster"


def test_equal_failure_rates_of_unequal_shares_of_the_loads_forbid_nothing() -> None:
    # Both drop 4 of 104 arrivals; in its closed loop, the quicker one answers more.
    tables = measured({**SAME, CPU: 0.2}, dropped={"a": 4, "b": 4})
    quick = (tables.slices["variant"] == "b") & (tables.slices["mode"] == "closed")
    tables.slices.loc[quick, "requests"] = 1000
    assert compared(plan(claim("faster")), tables)[CPU].verdict == "faster"


def test_a_server_that_runs_already_is_not_judged_by_its_cpu_time() -> None:
    a_plan = plan()
    topic = a_plan.topics[0]
    running = [
        variant.model_copy(update={"url": f"http://127.0.0.1:{port}"})
        for port, variant in enumerate(topic.variants, start=8000)
    ]
    topic = topic.model_copy(update={"variants": tuple(running)})
    assert deciding.deciding_metrics(topic, PAIR) == {RATE, MEDIAN}
    assert deciding.deciding_metrics(a_plan.topics[0], PAIR) == set(DECIDING_METRICS)


@pytest.mark.parametrize("limited", ["a", "b", "ab"])
def test_where_the_generator_is_the_limit_the_closed_loop_decides_nothing(
    limited: str,
) -> None:
    shares = {"a": 0.3, "b": 0.3} | dict.fromkeys(limited, 0.91)
    # Answers that wait for the generator make the slower side look quicker.
    numbers = SAME | {"service.p50": 0.9}
    tables = measured(numbers, 15, generator=shares)
    topic = plan().topics[0]
    assert deciding.deciding_metrics(topic, PAIR, tables) == {CPU, MEDIAN}
    assert deciding.deciding_metrics(topic, PAIR) == set(DECIDING_METRICS)
    by_metric = compared(plan(), tables)
    assert {m for m, item in by_metric.items() if item.verdict} == {CPU, MEDIAN}
    # A metric that cannot be judged is not marked as different, and has no forecast.
    assert by_metric[RATE].seconds_to_see is None
    far = measured(numbers | {RATE: 3.0, "service.p50": 0.5}, 15, generator=shares)
    everything = list(comparisons.comparisons(looks_of(plan()), topic, far))
    marked = comparisons.mark_differing(
        looks_of(plan()), plan().topics, far, everything
    )
    closed_loop = (RATE, "service.p50")
    assert not [item for item in marked if item.metric in closed_loop and item.differs]


def test_a_generator_with_time_left_is_no_limit() -> None:
    topic = plan().topics[0]
    for shares in ({"a": 0.9, "b": 0.9}, {}, None):
        tables = measured(SAME, 15, generator=shares)
        assert deciding.deciding_metrics(topic, PAIR, tables) == set(DECIDING_METRICS)
    # If the target uses up its own core, the target is the limit.
    busy = {"a": 0.95, "b": 0.97}
    for cores, full in (({"a": 0.96, "b": 0.98}, True), ({"a": 0.8, "b": 0.8}, False)):
        tables = measured(SAME, 15, generator=busy, cores=cores)
        assert (RATE in deciding.deciding_metrics(topic, PAIR, tables)) is full
    # A full generator core under another variant does not matter to this pair.
    three = measured(SAME, 15, variants="abc", generator={"c": 0.99})
    assert RATE in deciding.deciding_metrics(topic, PAIR, three)


def test_a_claim_on_throughput_is_judged_on_it_all_the_same() -> None:
    tables = measured(SAME | {"service.p50": 1.0}, 15, generator={"a": 1.0, "b": 1.0})
    a_plan = plan(claim("same", RATE))
    assert deciding.deciding_metrics(a_plan.topics[0], PAIR, tables) == {RATE}
    assert compared(a_plan, tables)[RATE].verdict == "same"


def test_an_arm_fails_only_where_the_spread_of_launches_is_known() -> None:
    censored = {("b", MEAN): EVERY}
    tables = measured({**SAME, MEAN: 5.0}, again=1.07, censored=censored)
    arms = controls(plan(claim(">= 3", MEAN)), tables)
    assert not arms[MEAN].failed


def test_failures_on_both_sides_forbid_nothing() -> None:
    tables = measured({**SAME, CPU: 0.2}, failed={"a": 4, "b": 4})
    assert compared(plan(), tables)[CPU].verdict == "faster"
    # Failures of another variant do not count for this pair.
    other = measured({**SAME, CPU: 0.2}, variants="abc", failed={"c": 50})
    assert compared(plan(variants="abc"), other)[CPU].verdict == "faster"


def test_a_refused_quantile_says_how_many_requests_it_needs() -> None:
    a_plan = plan(claim("faster", "latency.p999"))
    tables = measured(SAME)
    item = compared(a_plan, tables)["latency.p999"]
    assert item.verdict == "undecided"
    assert item.reason == (
        "latency.p999 needs 5000 requests per launch, but a typical launch had only "
        "400: raise load.arrival_rate, or ask for a lower percentile"
    )
    examined = comparisons.examine(looks_of(a_plan), a_plan.topics[0], PAIR, tables)
    assert comparisons.cannot_be_decided(examined, "latency.p999")
    assert not comparisons.cannot_be_decided(examined, MEDIAN)
    assert not comparisons.cannot_be_decided(examined, MEAN)
    # With too few launches it can still be decided; only too few requests refuse it.
    enough = measured({"latency.p999": 1.0}, 5)
    examined = comparisons.examine(looks_of(a_plan), a_plan.topics[0], PAIR, enough)
    assert not comparisons.cannot_be_decided(examined, "latency.p999")
    few = compared(a_plan, enough)["latency.p999"]
    assert few.reason == "5 launches are too few for an interval"


def test_too_many_launches_lost_forbid_latency_only() -> None:
    tables = measured({**SAME, MEAN: 1.0}, 12, lost=13)
    items = compared(plan(), tables)
    assert items[CPU].verdict == "same"
    assert items[MEDIAN].verdict == "undecided"
    assert items[MEDIAN].reason.startswith("13 of 25 launches were too disturbed")
    assert "assay doctor" in items[MEDIAN].reason
    assert items[MEDIAN].seconds_to_see is None and items[MEAN].seconds_to_see is None
    assert items[CPU].seconds_to_see is not None
    fine = measured(SAME, 12, lost=12)
    assert compared(plan(), fine)[MEDIAN].verdict == "same"
    # More launches can still decide it.
    topic = plan().topics[0]
    examined = comparisons.examine(looks_of(plan()), topic, PAIR, tables)
    assert not comparisons.cannot_be_decided(examined, MEDIAN)


# The A/A arm.


def test_a_fine_control_forbids_nothing() -> None:
    tables = measured(SAME, 12, again=1.01)
    arms = controls(plan(), tables)
    assert set(arms) == set(DECIDING_METRICS)
    for arm in arms.values():
        assert (arm.variant, arm.launches, arm.failed) == ("a", 3, False)
        assert arm.ratio == pytest.approx(1.01, abs=0.03)
    assert compared(plan(), tables)[MEDIAN].verdict == "same"


@pytest.mark.parametrize("again", [1.4, 0.7])
def test_a_failed_control_forbids_latency(again: float) -> None:
    tables = measured({**SAME, MEAN: 1.0}, 12, again=again)
    arms = controls(plan(), tables)
    assert all(arm.failed for arm in arms.values())
    assert arms[MEDIAN].ratio == pytest.approx(again, rel=0.03)
    items = compared(plan(), tables)
    assert items[CPU].verdict == "same"
    assert items[MEDIAN].verdict == "undecided"
    assert "a against itself came out as " in items[MEDIAN].reason
    assert "(3 launches)" in items[MEDIAN].reason
    assert AA_SUFFIX not in items[MEDIAN].reason
    assert items[MEAN].seconds_to_see is None


def test_a_control_must_be_wrong_beyond_margin_and_noise() -> None:
    inside = measured(SAME, 40, noise=0.001, again=1.04)
    assert not any(arm.failed for arm in controls(plan(), inside).values())
    noisy = measured(SAME, 12, noise=0.4, again=1.3)
    assert not any(arm.failed for arm in controls(plan(), noisy).values())


@pytest.mark.parametrize("side", [1, -1])
def test_a_control_fails_by_chance_once_in_a_thousand(side: int) -> None:
    tables = measured({CPU: 1.0}, 12, noise=0.05, again=1.0)
    sd = power.spread(measurements.log_ratios(tables, "shop", "a", "b", CPU))
    assert sd is not None
    # Twelve launches give the spread, and three of them have the arm.
    limit = side * stats.t.isf(0.001 / 2, 11) * sd / math.sqrt(3)
    before = math.log(controls(plan(), tables)[CPU].ratio)
    for share, failed in ((0.98, False), (1.02, True)):
        slices = tables.slices.copy()
        arm = slices["variant"] == "a" + AA_SUFFIX
        slices.loc[arm, "cpu_per_request"] *= math.exp(share * limit - before)
        moved = measurements.Measurements(slices, tables.launches)
        assert controls(plan(), moved)[CPU].failed == failed


def test_a_control_is_judged_on_what_decides() -> None:
    ratios = {**SAME, MEAN: 1.0, "memory.peak": 1.0}
    tables = measured(ratios, again=1.0)
    assert set(controls(plan(claim("same", MEAN)), tables)) == {MEAN}
    assert controls(plan(), measured(SAME)) == {}
    empty = measurements.Measurements(pd.DataFrame(), pd.DataFrame())
    assert controls(plan(), empty) == {}


def test_a_control_is_no_false_alarm() -> None:
    # Identical code in three launches of the arm; each check has the level 1 in 1000.
    failed = 0
    rng = np.random.default_rng(41)
    for _ in range(60):
        tables = measured({CPU: 1.0}, 12, noise=0.0, again=1.0)
        frame = tables.slices
        keys = frame[["launch", "variant"]].apply(tuple, axis=1)
        noise = {key: math.exp(rng.normal(0, 0.08)) for key in sorted(set(keys))}
        frame["cpu_per_request"] *= keys.map(noise)
        failed += controls(plan(), tables)[CPU].failed
    assert failed <= 1


# Metrics that decide nothing, marked if they differ.


def test_what_stands_out_is_marked_and_has_no_verdict() -> None:
    ratios = {**SAME, MEAN: 1.5, "latency.p90": 1.0, "memory.peak": 0.5, CPU: 2.0}
    tables = measured(ratios)
    items = list(compared(plan(), tables).values())
    marked = comparisons.mark_differing(looks_of(plan()), plan().topics, tables, items)
    assert [item.metric for item in marked] == [item.metric for item in items]
    differs = {item.metric for item in marked if item.differs}
    assert differs == {MEAN, "memory.peak"}
    assert all(item.verdict is None for item in marked if item.differs)


def test_browsing_minds_how_much_is_browsed() -> None:
    # Nine launches of one sign are enough for a single metric, not for one of eight.
    p = statistics.beyond_margin_p(np.full(9, math.log(1.2)), 0.05)
    level = looks_of(plan()).level()
    assert level / 8 < p <= level
    names = [metric for metric in METRICS if metric not in SAME][:8]
    lone = measured({names[0]: 1.2}, 9)
    many = measured({**dict.fromkeys(names, 1.0), names[0]: 1.2}, 9)
    for tables, differs in ((lone, True), (many, False)):
        items = list(compared(plan(), tables).values())
        marked = comparisons.mark_differing(
            looks_of(plan()), plan().topics, tables, items
        )
        assert any(item.differs for item in marked) == differs


# Timeouts.


def test_a_ratio_to_a_timeout_is_a_bound() -> None:
    censored = {("b", MEAN): EVERY}
    tables = measured({MEAN: 5.0}, censored=censored)
    item = compared(plan(claim("faster", MEAN)), tables)[MEAN]
    assert (item.verdict, item.censored) == ("slower", "candidate")
    assert item.ratio == pytest.approx(5.0, rel=0.02)
    # In every launch the ratio is a lower bound, so the interval has only a low end.
    assert item.low == pytest.approx(5.0, rel=0.05) and item.high is None
    assert re.fullmatch(r"≥ [45]\.\d× \[[45]\.\d, ∞\)", wording.in_words(item))
    swapped = measured({MEAN: 0.2}, censored={("a", MEAN): EVERY})
    item = compared(plan(claim("faster", MEAN)), swapped)[MEAN]
    assert (item.verdict, item.censored) == ("faster", "baseline")
    assert item.ratio == pytest.approx(0.2, rel=0.02)
    assert item.low == 0.0 and item.high == pytest.approx(0.2, rel=0.05)


def test_the_deciding_median_can_time_out_too() -> None:
    tables = measured({**SAME, MEDIAN: 5.0}, censored={("b", MEDIAN): EVERY})
    item = compared(plan(), tables)[MEDIAN]
    assert (item.verdict, item.censored) == ("slower", "candidate")
    assert item.ratio == pytest.approx(5.0, rel=0.02)
    tables = measured({**SAME, MEDIAN: 0.2}, censored={("a", MEDIAN): EVERY})
    item = compared(plan(), tables)[MEDIAN]
    assert (item.verdict, item.censored) == ("faster", "baseline")


def test_few_timeouts_leave_the_ratio_known() -> None:
    tables = measured({MEAN: 5.0}, censored={("b", MEAN): (3, 7)})
    item = compared(plan(claim("faster", MEAN)), tables)[MEAN]
    assert (item.verdict, item.censored) == ("slower", "")
    assert item.ratio == pytest.approx(5.0, rel=0.05)
    assert item.low is not None and item.low > 4.5


def test_where_both_sides_time_out_nothing_is_known() -> None:
    both = {("a", MEAN): EVERY, ("b", MEAN): EVERY}
    item = compared(plan(claim("faster", MEAN)), measured({MEAN: 5.0}, censored=both))[
        MEAN
    ]
    assert (item.verdict, item.censored, item.launches) == ("undecided", "both", 0)
    assert item.low is None and item.high is None
    assert wording.in_words(item) == "an unknown ratio"
    assert item.seconds_to_see is None


# What the generator limits.


def test_who_outruns_the_generator_is_at_least_as_fast() -> None:
    tables = measured({**SAME, RATE: 5.0}, censored={("b", RATE): EVERY})
    item = compared(plan(), tables)[RATE]
    assert (item.verdict, item.censored) == ("faster", "candidate")
    assert item.ratio == pytest.approx(5.0, rel=0.02)
    assert item.low == pytest.approx(5.0, rel=0.05) and item.high is None
    tables = measured({**SAME, RATE: 0.2}, censored={("a", RATE): EVERY})
    item = compared(plan(), tables)[RATE]
    assert (item.verdict, item.censored) == ("slower", "baseline")
    # Equal numbers decide nothing if one of them is only a lower bound.
    tables = measured(SAME, censored={("b", RATE): EVERY})
    assert compared(plan(), tables)[RATE].verdict == "undecided"


def test_who_both_outrun_the_generator_are_not_the_same() -> None:
    assert compared(plan(), measured(SAME))[RATE].verdict == "same"
    both = {("a", RATE): EVERY, ("b", RATE): EVERY}
    tables = measured(SAME, censored=both)
    item = compared(plan(), tables)[RATE]
    assert (item.verdict, item.censored, item.ratio) == ("undecided", "both", None)
    assert item.reason == (
        "the load generator was the limit on both sides, not the service"
    )
    pair = comparisons.examine(looks_of(plan()), plan().topics[0], PAIR, tables)
    assert comparisons.cannot_be_decided(pair, RATE)
    assert not comparisons.cannot_be_decided(pair, CPU)
    # Other metrics do not depend on the number of requests.
    assert compared(plan(), tables)[CPU].verdict == "same"


@pytest.mark.parametrize("unlike", [(1, 2), (1, 2, 3, 4, 5, 6, 7)])
def test_a_generator_that_is_seldom_the_limit_forbids_nothing(
    unlike: Sequence[int],
) -> None:
    some = {("a", RATE): (1, 2), ("b", RATE): unlike}
    item = compared(plan(), measured(SAME, 14, censored=some))[RATE]
    assert (item.verdict, item.censored, item.launches) == ("same", "", 14)
    assert item.low == pytest.approx(1, abs=0.02)
    assert item.high == pytest.approx(1, abs=0.02)


def test_a_generator_that_is_mostly_the_limit_always_is() -> None:
    mostly = {("b", RATE): (1, 2, 4, 6, 7, 10, 13, 14)}
    item = compared(plan(), measured(SAME, 14, censored=mostly))[RATE]
    assert (item.verdict, item.censored, item.launches) == (
        "undecided",
        "candidate",
        14,
    )
    assert item.low == pytest.approx(1, abs=0.02) and item.high is None
