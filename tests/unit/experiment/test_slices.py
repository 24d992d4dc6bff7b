"""The metrics of slices: throughput, busy time, latencies, one number a launch."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.experiment import slices
from assay.load.answers import Slice
from assay.load.recorder import FAILED, FINE, NO_USER, TIMED_OUT
from assay.metrics import BLOCK_COLUMNS, QUANTILES, SAMPLES_BEYOND, requests_needed
from tests.unit.synthetic import taken

moments = st.integers(0, 20).map(lambda tick: tick / 20)
spans = st.lists(st.tuples(moments, moments).map(sorted), max_size=12)


def values(
    measured: Sequence[Slice], disturbed: Sequence[int] = ()
) -> dict[str, tuple[float, bool]]:
    rows = []
    for block, one in enumerate(measured):
        row = slices.row(one, block, 0, 10.0, 4)
        row.disturbed = block in disturbed
        rows.append((row, one))
    return slices.metric_values(rows, "a")


def test_throughput_is_what_users_and_their_cycles_make_of_it() -> None:
    # Two users; a request takes 0.1 s, and the next one follows after 0.1 s: each user
    # makes five a second.
    starts = [0.2 * n for n in range(5)] * 2
    measured = taken(
        ends=[start + 0.1 for start in starts],
        starts=starts,
        users=[0] * 5 + [1] * 5,
    )
    assert slices.throughput(measured, 2) == pytest.approx(10)
    assert slices.row(measured, 0, 0, 0.0, 2).throughput == pytest.approx(10)
    assert values([measured])["throughput"] == pytest.approx((10, False))


def test_what_was_never_answered_is_no_throughput_but_takes_its_time() -> None:
    hung = taken(ends=[0.5, 0.5, math.nan], users=[0, 1, NO_USER])
    assert slices.throughput(hung, 3) == pytest.approx(3 * 2 / (0.5 + 0.5 + 1.0))
    assert slices.throughput(taken(ends=[math.nan], users=[NO_USER]), 1) == 0.0


def test_what_is_no_request_of_the_load_is_left_out() -> None:
    names = [("start", "POST", "/login"), ("request", "GET", "/"), ("stop", "", "x")]
    mixed = taken(ends=[0.1, 0.2, 0.3, 0.4], names=names)
    mixed.request_columns["name"][:] = [0, 1, 2, 1]
    ours = slices.load_requests_only(mixed)
    assert ours.request_columns["end"].tolist() == [0.2, 0.4]
    assert ours.requests == 2
    plain = taken()
    assert slices.load_requests_only(plain) is plain


@given(spans)
def test_busy_is_the_union_of_the_requests(made: list[list[float]]) -> None:
    measured = taken(ends=[end for _, end in made], starts=[begin for begin, _ in made])
    ticks = np.arange(0.5, 20) / 20
    union = sum(any(begin < tick < end for begin, end in made) for tick in ticks)
    assert slices.occupied(measured) == pytest.approx(union / 20)


def test_who_was_never_answered_waited_to_the_end() -> None:
    hung = taken(ends=[0.2, math.nan], starts=[0.1, 0.7])
    assert slices.occupied(hung) == pytest.approx(0.1 + 0.3)
    never_sent = taken(ends=[0.2, math.nan], starts=[0.1, math.nan], began=0.05)
    assert slices.occupied(never_sent) == pytest.approx(0.95)


def test_what_was_given_up_is_infinite_and_what_failed_is_left_out() -> None:
    measured = taken(
        "open",
        ends=[0.3, 0.9, 0.4, math.nan],
        scheduled=[0.2, 0.1, 0.1, 0.4],
        failed=[FINE, TIMED_OUT, FAILED, FAILED],
        starts=[0.25, 0.1, 0.1, 0.5],
        waited=[0.03, 0.0, 0.0, 0.0],
        dropped=2,
    )
    waited, at_least = slices.latencies(measured)
    assert waited == pytest.approx([0.08, math.inf, math.inf, math.inf, math.inf])
    # The client gave up on a request after 0.8 s. The slice ended 0.6 s after the last
    # request was due.
    assert at_least == pytest.approx([0.08, 0.8, 0.6, math.inf, math.inf])


def test_a_row_has_the_columns_that_tables_look_for() -> None:
    closed = slices.row(taken(ends=[0.5, 1.0], cpu=0.5), 3, 1, 10.0, 4)
    assert (closed.block, closed.position, closed.users) == (3, 1, 4)
    assert closed.cpu_per_request == pytest.approx(0.25)
    assert closed.throughput == pytest.approx(2 / 0.75)
    assert closed.given_up == closed.short == closed.peak == 0
    assert closed.service_p50 == pytest.approx(0.75)
    assert closed.occupied == pytest.approx(1.0)
    assert math.isnan(closed.latency_p50) and math.isnan(closed.rate)
    assert not closed.disturbed and closed.why == ""
    assert set(BLOCK_COLUMNS.values()) <= set(vars(closed))
    measured = taken("open", ends=[0.5, 0.7, 0.9], cpu=0.6)
    open_ = slices.row(measured, 0, 0, 10.0, 32)
    assert open_.latency_p50 == pytest.approx(0.7)
    assert open_.latency_mean == pytest.approx(0.7)
    assert open_.rate == 10.0
    assert open_.cpu_per_request == pytest.approx(0.2)
    for column in ("throughput", "service_p50"):
        assert math.isnan(getattr(open_, column))
    nothing = slices.row(taken(ends=[], cpu=0.5), 0, 0, 10.0, 4)
    assert math.isnan(nothing.cpu_per_request)


def test_cpu_per_request_is_of_both_loads() -> None:
    answered = [taken(ends=[0.5] * 4, cpu=cpu) for cpu in (0.4, 0.8)]
    arrived = [taken("open", ends=[0.5] * 4, cpu=cpu) for cpu in (1.2, 2.0, 2.4)]
    found = values([*answered, *arrived])
    assert found["cpu_per_request"] == pytest.approx((0.3, False))


def test_a_timeout_of_half_the_requests_is_in_the_row() -> None:
    # Timeouts count in the open loop's times; failures do not in the closed loop's.
    half = taken("open", ends=[0.1, 0.2, 0.9, 0.9], failed=[0, 0, 2, 2])
    assert slices.row(half, 0, 0, 10.0, 4).latency_p50 == math.inf
    quick = taken(ends=[0.1, 0.2, 0.3, 0.9], failed=[0, 0, 0, 1])
    assert slices.row(quick, 0, 0, 10.0, 4).service_p50 == pytest.approx(0.2)


def test_what_the_generator_was_late_by_is_no_latency() -> None:
    # Due at 1.0. For 0.3 s all users waited for the target, and then the generator was
    # late by 0.1 s.
    open_slice = taken(
        "open", [1.5] * 10, [1.4] * 10, scheduled=[1.0] * 10, waited=[0.3] * 10
    )
    found = values([open_slice] * 2)
    assert found["latency.mean"] == pytest.approx((0.4, False))
    assert found["latency.p50"] == pytest.approx((0.4, False))
    assert slices.row(open_slice, 0, 0, 1.0, 4).latency_p50 == pytest.approx(0.4)


def test_samples_of_an_older_run_count_from_the_scheduled_start() -> None:
    new = taken("open", [1.5], [1.4], scheduled=[1.0], waited=[0.3])
    old = {
        name: new.request_columns[name]
        for name in new.request_columns
        if name != "waited"
    }
    assert slices.latencies(replace(new, request_columns=old))[0] == pytest.approx(
        [0.5]
    )


@pytest.mark.parametrize("metric", QUANTILES)
def test_a_quantile_needs_samples_beyond_it(metric: str) -> None:
    # (1 - q) n >= 5: at least five requests must be beyond the quantile.
    needed = {"p50": 10, "p90": 50, "p95": 100, "p99": 500, "p999": 5000}
    assert requests_needed(metric) == needed[metric.removeprefix("latency.")]
    count = requests_needed(metric)
    assert count * (1 - QUANTILES[metric]) == pytest.approx(SAMPLES_BEYOND)
    for requests, there in ((count, True), (count - 1, False)):
        found = values([taken("open", ends=np.linspace(0, 1, requests).tolist())])
        assert (metric in found) == there
        if there:
            value, censored = found[metric]
            # The value is that of the next slower request, never of a quicker one.
            assert 0 <= value - QUANTILES[metric] + 1e-9 <= 1.1 / (count - 1)
            assert not censored


def test_requests_add_up_over_the_slices_of_a_launch() -> None:
    assert "latency.p95" not in values([taken("open", ends=[1.0] * 60)])
    assert "latency.p95" in values([taken("open", ends=[1.0] * 60)] * 2)


def test_a_quantile_among_those_given_up_is_a_bound() -> None:
    answers = [0.01] * 60 + [math.nan] * 40
    failed = [FINE] * 60 + [FAILED] * 40
    found = values([taken("open", ends=answers, failed=failed, unserved=40)])
    assert found["latency.p50"] == pytest.approx((0.01, False))
    # The 90th percentile is unknown, and must not be that of the answered requests.
    assert found["latency.p90"] == pytest.approx((1.0, True))
    mean, censored = found["latency.mean"]
    assert (mean, censored) == pytest.approx((0.6 * 0.01 + 0.4 * 1.0, True))
    assert found["errors"] == (0.4, False)
    assert found["dropped"] == (0.4, False)


def test_a_client_that_timed_out_is_a_bound_too() -> None:
    ends = [0.1] * 40 + [0.5] * 60
    failed = [FINE] * 40 + [TIMED_OUT] * 60
    found = values([taken("open", ends=ends, failed=failed)])
    assert found["latency.p50"] == pytest.approx((0.5, True))
    assert found["latency.mean"] == pytest.approx((0.34, True))


def test_what_was_never_sent_bounds_by_the_longest_answer() -> None:
    found = values([taken("open", ends=[0.1] * 50 + [0.3] * 10, dropped=60)])
    assert found["latency.p90"] == pytest.approx((0.3, True))
    assert found["latency.mean"][1]
    assert found["latency.mean"][0] <= 0.3


def test_a_bound_is_no_more_than_was_waited() -> None:
    # One answer took 10 s. The client gave up on all other requests after 1 s, and they
    # might have been answered immediately after that.
    ends = [10.0] + [1.0] * 19
    found = values([taken("open", ends=ends, failed=[FINE] + [TIMED_OUT] * 19)])
    assert found["latency.p50"] == pytest.approx((1.0, True))


def test_where_all_were_given_up_there_are_bounds_and_no_crash() -> None:
    found = values([taken("open", ends=[0.5] * 20, failed=[TIMED_OUT] * 20)])
    assert found["latency.p50"] == pytest.approx((0.5, True))
    assert found["latency.mean"] == pytest.approx((0.5, True))
    none = values([taken("open", ends=[0.5] * 20, failed=[FAILED] * 20)])
    assert not [metric for metric in none if metric.startswith("latency.")]


def test_failed_requests_have_no_say_in_latency() -> None:
    failed = [FINE] * 60 + [FAILED] * 60
    found = values([taken("open", ends=[0.1] * 60 + [9.0] * 60, failed=failed)])
    assert found["latency.p90"] == pytest.approx((0.1, False))
    assert found["latency.mean"] == pytest.approx((0.1, False))


def test_a_disturbed_slice_is_left_out() -> None:
    found = values([taken(cpu=50.0), taken(cpu=0.5)], disturbed=[0])
    assert found["cpu_per_request"][0] == pytest.approx(0.5)
    slow, quick = taken("open", ends=[9.0] * 20), taken("open", ends=[0.1] * 20)
    assert values([slow, quick], [0])["latency.mean"][0] == pytest.approx(0.1)
    assert values([slow, quick], [0, 1]) == {}


def test_only_the_variants_own_slices_have_a_say() -> None:
    other = taken("open", ends=[9.0] * 20, variant="b", failed=[FAILED] * 20)
    found = values([other, taken("open", ends=[0.1] * 20)])
    assert found["latency.mean"][0] == pytest.approx(0.1)
    assert found["errors"][0] == 0.0


def test_a_target_that_is_not_ours_has_no_cpu_time() -> None:
    assert "cpu_per_request" not in values([taken(cpu=0.0)])
    assert "throughput" in values([taken(cpu=0.0)])


def test_throughput_is_a_bound_where_the_generator_had_no_time_left() -> None:
    busy, idle = taken(generator_cpu=0.99), taken(generator_cpu=0.9)
    assert values([busy])["throughput"] == (1.0, True)
    assert values([idle])["throughput"] == (1.0, False)
    assert values([busy, idle])["throughput"] == (1.0, False)
    # Disturbed slices are ignored. Open slices are, too: they do not show capacity.
    assert values([busy, idle], disturbed=[1])["throughput"] == (1.0, True)
    arrivals = taken("open", generator_cpu=1.0)
    assert values([idle, arrivals])["throughput"] == (1.0, False)
    assert not values([busy])["cpu_per_request"][1]
