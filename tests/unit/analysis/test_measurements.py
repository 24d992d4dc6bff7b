"""Numbers and ratios by launch, and which of them are bounds."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from assay.analysis import comparisons, looks, measurements
from assay.plan import AA_SUFFIX
from tests.unit.synthetic import claim, measured, plan

EMPTY = measurements.Measurements(pd.DataFrame(), pd.DataFrame())
MEAN, MEDIAN, CPU = "latency.mean", "latency.p50", "cpu_per_request"
EVERY = range(1, 100)


def blocks(
    *sides: tuple[str, int, Sequence[float]], mode: str = "closed"
) -> measurements.Measurements:
    """One launch; a side is its variant, disturbed block (-1: none) and CPU times."""
    rows: list[dict[str, Any]] = [
        {
            "topic": "shop",
            "launch": 1,
            "mode": mode,
            "block": block,
            "variant": variant,
            "disturbed": block == bad,
            "requests": 100,
            "cpu_per_request": value if mode == "closed" else math.nan,
            "latency_p50": value if mode == "open" else math.nan,
        }
        for variant, bad, values in sides
        for block, value in enumerate(values)
    ]
    launches = [{"topic": "shop", "launch": 1, "metric": "", "variant": "a"}]
    return measurements.Measurements(pd.DataFrame(rows), pd.DataFrame(launches))


def ratio(
    tables: measurements.Measurements, candidate: str = "b", metric: str = CPU
) -> float:
    x = measurements.log_ratios(tables, "shop", "a", candidate, metric)
    assert len(x) == 1
    return float(np.exp(x[0]))


@pytest.mark.parametrize("metric", [CPU, MEDIAN, MEAN, "memory.peak"])
def test_a_ratio_is_candidate_by_baseline(metric: str) -> None:
    tables = measured({metric: 3.0}, 6, noise=0.0)
    forth = measurements.log_ratios(tables, "shop", "a", "b", metric)
    assert forth == pytest.approx([math.log(3)] * 6)
    back = measurements.log_ratios(tables, "shop", "b", "a", metric)
    assert back == pytest.approx([-math.log(3)] * 6)
    launches, _ = measurements.by_launch(tables, "shop", "a", "b", metric)
    assert launches.tolist() == [1, 2, 3, 4, 5, 6]


def test_a_launch_is_the_median_of_its_blocks() -> None:
    tables = blocks(("a", -1, [1, 1, 1, 2]), ("b", -1, [1.1, 1.2, 9.0, 2.6]))
    assert ratio(tables) == pytest.approx(math.sqrt(1.2 * 1.3))


def test_a_block_with_one_side_disturbed_is_left_out_for_its_pairs_only() -> None:
    tables = blocks(("a", -1, [1, 1, 1]), ("b", 2, [2, 2, 50]), ("c", 0, [50, 3, 3]))
    assert ratio(tables, "b") == pytest.approx(2)
    assert ratio(tables, "c") == pytest.approx(3)
    # b's disturbed third slice does not remove c's third slice.
    kept = blocks(("a", -1, [1, 1, 1]), ("b", 2, [2, 2, 50]), ("c", -1, [3, 3, 9]))
    assert ratio(kept, "c") == pytest.approx(3)
    only = blocks(("a", 0, [1, 1]), ("b", 1, [2, 2]), ("c", -1, [3, 4]))
    assert len(measurements.log_ratios(only, "shop", "a", "b", CPU)) == 0
    assert ratio(only, "c") == pytest.approx(4)


def test_blocks_left_out_are_counted_by_pair_and_mode() -> None:
    tables = measured({CPU: 1.0}, 5, variants="abc", disturbed={"b": 9.0})

    def dropped(pair: tuple[str, str], metric: str = CPU) -> int:
        return measurements.dropped_blocks(tables, "shop", pair, metric)

    assert dropped(("a", "b")) == 10, "CPU time is read from both loads"
    assert dropped(("a", "b"), MEDIAN) == 5
    assert dropped(("a", "c")) == 0
    both = measured({CPU: 1.0}, 5, disturbed={"a": 2.0, "b": 2.0})
    assert measurements.dropped_blocks(both, "shop", ("a", "b"), CPU) == 10
    one_mode = blocks(("a", 0, [1, 1]), ("b", 1, [2, 2]))
    assert measurements.dropped_blocks(one_mode, "shop", ("a", "b"), CPU) == 2
    assert measurements.dropped_blocks(one_mode, "shop", ("a", "b"), MEDIAN) == 0
    assert measurements.dropped_blocks(one_mode, "other", ("a", "b"), CPU) == 0


def test_a_side_that_was_given_up_makes_the_ratio_infinite() -> None:
    cut = {("b", MEAN): (1, 2, 3), ("a", MEAN): (3, 4)}
    tables = measured({MEAN: 2.0}, 6, noise=0.0, censored=cut)
    launches, x = measurements.by_launch(tables, "shop", "a", "b", MEAN)
    # In launch 3 both sides are bounds, so nothing is known about the ratio.
    assert launches.tolist() == [1, 2, 4, 5, 6]
    assert x.tolist() == pytest.approx(
        [math.inf, math.inf, -math.inf, math.log(2), math.log(2)]
    )
    mirrored = measurements.log_ratios(tables, "shop", "b", "a", MEAN)
    assert mirrored.tolist() == pytest.approx((-x).tolist())
    bounds = measurements.log_bounds(tables, "shop", "a", "b", MEAN)
    assert bounds == pytest.approx([math.log(2)] * 5)
    assert measurements.censored_launches(tables, "shop", "b", MEAN) == {1, 2, 3}
    assert measurements.censored_launches(tables, "shop", "a", MEAN) == {3, 4}
    assert measurements.censored_launches(tables, "shop", "a", CPU) == set()


@pytest.mark.parametrize("given_up", ["a", "b"])
@pytest.mark.parametrize("unknown", [range(1, 9), (2, 5), EVERY])
def test_a_launch_that_was_given_up_without_a_bound_is_open(
    given_up: str, unknown: Sequence[int]
) -> None:
    """So few of its requests ended that it has no pooled value."""
    tables = measured(
        {MEDIAN: 2.0}, 12, noise=0.0, censored={(given_up, MEDIAN): EVERY}
    )
    lacks = (tables.launches["variant"] == given_up) & tables.launches["launch"].isin(
        list(unknown)
    )
    tables = measurements.Measurements(tables.slices, tables.launches[~lacks])
    x = measurements.log_ratios(tables, "shop", "a", "b", MEDIAN)
    beyond = math.inf if given_up == "b" else -math.inf
    assert x.tolist() == [beyond] * 12
    bounds = measurements.log_bounds(tables, "shop", "a", "b", MEDIAN)
    assert bounds == pytest.approx(
        [-beyond if launch in unknown else math.log(2) for launch in range(1, 13)]
    )


def test_an_interval_of_what_has_no_bound_is_open_at_both_ends() -> None:
    tables = measured({MEDIAN: 2.0}, 12, censored={("b", MEDIAN): EVERY})
    of_b = tables.launches["variant"] == "b"
    tables = measurements.Measurements(tables.slices, tables.launches[~of_b])
    shop = plan(claim("faster", MEDIAN))
    (item,) = comparisons.comparisons(
        looks.looks_of(shop), shop.topics[0], tables, deciding_only=True
    )
    assert (item.ratio, item.high) == (None, None)
    assert not item.low and item.low != math.inf


@pytest.mark.parametrize(
    ("baseline", "candidate", "expected"),
    [
        ([1, 1, 1], [math.inf] * 3, math.inf),
        ([math.inf] * 3, [1, 1, 1], -math.inf),
        ([1, 1, 1], [2, 2, math.inf], math.log(2)),
        ([1, 1, 1, 1], [2, 2, math.inf, math.inf], math.inf),
        ([math.inf, 1, 1], [math.inf, 2, 3], math.log(2) / 2 + math.log(3) / 2),
        ([math.inf] * 3, [math.inf] * 3, None),
    ],
)
def test_blocks_that_were_given_up_are_beyond_the_others(
    baseline: list[float], candidate: list[float], expected: float | None
) -> None:
    tables = blocks(("a", -1, baseline), ("b", -1, candidate), mode="open")
    x = measurements.log_ratios(tables, "shop", "a", "b", MEDIAN)
    assert x.tolist() == ([] if expected is None else [pytest.approx(expected)])


def test_a_run_of_before_there_were_bounds_is_read() -> None:
    new = measured({MEAN: 2.0, CPU: 2.0}, 6, censored={("b", MEAN): EVERY})
    old = measurements.Measurements(new.slices, new.launches.drop(columns="censored"))
    assert measurements.censored_launches(old, "shop", "b", MEAN) == set()
    assert np.isfinite(measurements.log_ratios(old, "shop", "a", "b", MEAN)).all()


def test_nothing_measured_says_nothing() -> None:
    assert len(measurements.log_ratios(EMPTY, "shop", "a", "b", CPU)) == 0
    assert measurements.metrics_of(EMPTY, "shop") == set()
    assert len(measurements.numbers(EMPTY, "shop", "a", CPU)) == 0
    assert measurements.dropped_blocks(EMPTY, "shop", ("a", "b"), CPU) == 0
    assert measurements.requests_held(EMPTY, "shop", "a") == 0
    assert measurements.seconds_per_launch(EMPTY, "shop") is None
    assert measurements.uncounted_launches(EMPTY, "shop") == (0, 0)
    assert measurements.censored_launches(EMPTY, "shop", "a", CPU) == set()


def test_what_is_not_there_has_no_ratio() -> None:
    tables = measured({CPU: 2.0, MEAN: 2.0})
    for metric in (CPU, MEAN, "startup"):
        assert len(measurements.log_ratios(tables, "shop", "a", "z", metric)) == 0
        assert len(measurements.log_ratios(tables, "other", "a", "b", metric)) == 0
    assert len(measurements.log_ratios(tables, "shop", "a", "b", "throughput")) == 0
    assert len(measurements.log_bounds(tables, "shop", "a", "z", MEAN)) == 0
    assert measurements.metrics_of(tables, "shop") == {CPU, MEAN}


def test_a_number_of_zero_has_no_ratio() -> None:
    tables = blocks(("a", -1, [0, 1, 1]), ("b", -1, [2, 2, 0]))
    assert ratio(tables) == pytest.approx(2)


def test_a_launch_that_does_not_count_has_no_ratio() -> None:
    tables = measured({CPU: 2.0}, 5, lost=3)
    assert len(measurements.log_ratios(tables, "shop", "a", "b", CPU)) == 5
    assert measurements.uncounted_launches(tables, "shop") == (3, 8)
    assert measurements.uncounted_launches(tables, "other") == (0, 0)
    none = measurements.Measurements(tables.slices, pd.DataFrame())
    assert measurements.uncounted_launches(none, "shop") == (8, 8)


def test_the_control_arm_is_in_the_launches_that_had_it() -> None:
    tables = measured({CPU: 2.0, MEAN: 2.0}, 11, noise=0.0, again=1.5)
    for metric in (CPU, MEAN):
        launches, x = measurements.by_launch(
            tables, "shop", "a", "a" + AA_SUFFIX, metric
        )
        assert launches.tolist() == [1, 6, 11]
        assert np.exp(x) == pytest.approx([1.5] * 3)
        assert len(measurements.log_ratios(tables, "shop", "a", "b", metric)) == 11


def test_the_requests_that_a_launch_held_are_those_of_the_open_loop() -> None:
    tables = measured({CPU: 1.0}, 5, disturbed={"b": 2.0})
    assert measurements.requests_held(tables, "shop", "a") == 400
    assert measurements.requests_held(tables, "shop", "b") == 300
    assert measurements.requests_held(tables, "shop", "z") == 0
    closed = blocks(("a", -1, [1, 1]))
    assert measurements.requests_held(closed, "shop", "a") == 0


def test_a_launch_takes_its_time_and_that_of_those_that_do_not_count() -> None:
    assert measurements.seconds_per_launch(measured({CPU: 1.0}, 3), "shop") == 4.0
    assert measurements.seconds_per_launch(measured({CPU: 1.0}, 2), "shop") is None
    tables = measured({CPU: 1.0}, 6)
    # A launch that took very long, for example because the machine slept, is ignored.
    late = (tables.launches["launch"] == 6) & (tables.launches["metric"] == "seconds")
    tables.launches.loc[late, "value"] = 900.0
    assert measurements.seconds_per_launch(tables, "shop") == 4.0
    lossy = measured({CPU: 1.0}, 6, lost=3)
    assert measurements.seconds_per_launch(lossy, "shop") == pytest.approx(6.0)


def test_what_failed_has_no_latency_to_hold() -> None:
    tables = measured({CPU: 1.0}, 5, failed={"b": 30})
    assert measurements.requests_held(tables, "shop", "a") == 400
    assert measurements.requests_held(tables, "shop", "b") == 280


@pytest.mark.parametrize(
    ("metric", "blocks_lost"),
    [
        (CPU, 12),
        ("throughput", 6),
        (MEAN, 6),
        ("errors", 12),
        ("startup", 0),
        ("memory.peak", 0),
    ],
)
def test_blocks_are_lost_to_the_metrics_that_are_read_from_them(
    metric: str, blocks_lost: int
) -> None:
    tables = measured({CPU: 1.0, MEAN: 1.0}, 6, disturbed={"b": 2.0})
    assert (
        measurements.dropped_blocks(tables, "shop", ("a", "b"), metric) == blocks_lost
    )


def test_numbers_are_by_launch() -> None:
    tables = measured({CPU: 2.0}, 4, noise=0.0)
    assert measurements.numbers(tables, "shop", "b", CPU).tolist() == [2.0] * 4
    assert len(measurements.numbers(tables, "shop", "z", CPU)) == 0


def test_what_disturbed_most_slices_of_some_launches() -> None:
    whys = [
        *(("shop", 1, "stall"), ("shop", 1, "generator"), ("shop", 1, "generator")),
        *(("shop", 1, ""), ("shop", 1, ""), ("shop", 1, None)),
        *(("shop", 2, "neighbour"),) * 4,
        *(("cafe", 1, "stall"),) * 9,
        ("shop", 3, ""),
    ]
    slices = pd.DataFrame(whys, columns=["topic", "launch", "why"])
    measured = measurements.Measurements(slices, pd.DataFrame())
    assert measurements.main_disturbance(measured, "shop", [1]) == "generator"
    assert measurements.main_disturbance(measured, "shop", [1, 2]) == "neighbour"
    assert measurements.main_disturbance(measured, "shop", [3]) == ""
    assert measurements.main_disturbance(measured, "shop", []) == ""


def test_a_launch_that_was_cut_short_was_not_disturbed() -> None:
    tables = measured({CPU: 1.0}, 5, lost=2)
    assert measurements.uncounted_launches(tables, "shop") == (2, 7)
    tables.slices["cut"] = tables.slices["launch"] == 7
    assert measurements.uncounted_launches(tables, "shop") == (1, 6)
    # A launch that was cut short and counts all the same is in the total.
    tables.slices["cut"] = tables.slices["launch"] >= 5
    assert measurements.uncounted_launches(tables, "shop") == (0, 5)


def test_latency_is_the_targets_part_of_the_wait() -> None:
    samples = pd.DataFrame(
        {
            "scheduled": [1.0, 1.0, 1.0],
            "start": [1.3, 1.5, math.nan],
            "end": [1.4, 1.75, math.nan],
            "waited": [0.0, 0.4, 0.0],
        }
    )
    latency = measurements.latency(samples)
    assert latency.tolist()[:2] == pytest.approx([0.1, 0.65])
    assert math.isnan(latency[2])
    old = measurements.latency(samples.drop(columns="waited"))
    assert old.tolist()[:2] == pytest.approx([0.4, 0.75])
