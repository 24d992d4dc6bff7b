"""What is made of slices: throughput, disturbed blocks, one number a launch."""

import math
from typing import Any

import numpy as np
import pytest

from assay import launch
from assay.load.remote import Slice
from assay.plan import Load, Mode


def taken(
    mode: Mode = "closed",
    ends: list[float] | None = None,
    users: list[int] | None = None,
    starts: list[float] | None = None,
    scheduled: list[float] | None = None,
    failed: list[int] | None = None,
    **changes: Any,
) -> Slice:
    end = np.array(ends if ends is not None else [1.0])
    count = len(end)
    columns = {
        "scheduled": np.array(scheduled or [0.0] * count),
        "start": np.array(starts or [0.0] * count),
        "end": end,
        "name": np.zeros(count, int),
        "user": np.array(users or [0] * count),
        "failed": np.array(failed or [0] * count),
    }
    numbers: dict[str, Any] = {
        "began": 0.0,
        "ended": 1.0,
        "planned": count,
        "done": count,
        "dropped": 0,
        "unserved": 0,
        "requests": count,
        "lag_p99": 0.0,
        "cpu": 0.5,
        "run_delay": 0.0,
        "generator_cpu": 0.1,
        "generator_run_delay": 0.0,
        "names": ["/"],
        "errors": {},
    }
    return Slice(variant="a", mode=mode, columns=columns, **{**numbers, **changes})


def test_throughput_of_a_server_at_capacity_has_no_edge_effect() -> None:
    # One request at a time, 10 a second, whatever the number of users: all begin
    # at once and wait for each other; the slice was meant to end at 0.35 s.
    ends = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    measured = taken(ends=ends, users=[0, 1, 2, 0, 1, 2])
    assert launch.throughput(measured) == pytest.approx(10)


def test_throughput_leaves_out_what_was_never_answered() -> None:
    measured = taken(ends=[0.5, 1.0, math.nan], users=[0, 0, 65535])
    assert launch.throughput(measured) == pytest.approx(2.0)


def rows(
    delays: list[float],
    variant: str = "a",
    mode: str = "closed",
    lag: float = 0.0,
    cpu: float = 0.5,
) -> list[dict[str, Any]]:
    return [
        {
            "block": block,
            "variant": variant,
            "mode": mode,
            "duration": 1.0,
            "cpu": cpu,
            "run_delay": delay,
            "lag_p99": lag,
        }
        for block, delay in enumerate(delays)
    ]


def test_a_block_is_disturbed_where_the_server_waited_unusually_long() -> None:
    assert launch.disturbed_blocks(rows([0.01, 0.02, 0.01, 0.08])) == {3}


def test_the_threads_of_a_server_are_not_taken_for_a_neighbour() -> None:
    threaded = rows([0.30, 0.31, 0.32, 0.31], "threaded")
    quiet = rows([0.00, 0.00, 0.00, 0.00], "quiet")
    assert launch.disturbed_blocks(threaded + quiet) == set()
    burst = rows([0.30, 0.31, 0.40, 0.31], "threaded")
    assert launch.disturbed_blocks(burst + quiet) == {2}


def test_where_quiet_slices_vary_more_must_be_unusual() -> None:
    varied = [0.20, 0.22, 0.24, 0.26, 0.28, 0.30, 0.32, 0.34]
    assert launch.disturbed_blocks(rows(varied)) == set()
    assert launch.disturbed_blocks(rows([*varied, 0.60])) == {8}


def test_who_had_the_core_all_the_time_was_not_robbed() -> None:
    delays = [0.01, 0.02, 0.01, 0.30]
    assert launch.disturbed_blocks(rows(delays, cpu=0.97), cores=1) == set()
    assert launch.disturbed_blocks(rows(delays, cpu=0.70), cores=1) == {3}
    assert launch.disturbed_blocks(rows(delays, cpu=0.97), cores=2) == {3}


def test_a_late_generator_disturbs_the_open_loop_only() -> None:
    assert launch.disturbed_blocks(rows([0.0, 0.0], mode="open", lag=2e-3)) == {0, 1}
    assert launch.disturbed_blocks(rows([0.0, 0.0], mode="closed", lag=2e-3)) == set()


def measured_launch(slices: list[Slice], disturbed: bool = False) -> launch.Launch:
    schedule = launch.Schedule(Load(), 10.0, {"a": 0.05}, 0.12, 4, 4)
    made = launch.Launch()
    for block, measured in enumerate(slices):
        row = launch._row(measured, block, 0, schedule)
        row["disturbed"] = disturbed and block == 0
        made.slices.append(row)
        made.samples.append((row, measured))
    return made


def test_latency_counts_from_the_scheduled_start() -> None:
    open_slice = taken(
        "open", ends=[1.5] * 8, starts=[1.4] * 8, scheduled=[1.0] * 8, users=[1] * 8
    )
    values = launch._values(measured_launch([open_slice] * 2), "a")
    assert values["a", "latency.mean"] == pytest.approx(0.5)
    assert values["a", "latency.p50"] == pytest.approx(0.5)


def test_a_quantile_needs_samples_beyond_it() -> None:
    open_slice = taken("open", ends=[1.0] * 120, users=[1] * 120)
    values = launch._values(measured_launch([open_slice]), "a")
    assert ("a", "latency.p95") in values
    assert ("a", "latency.p99") not in values


def test_what_was_never_answered_stays_in_the_quantiles() -> None:
    answers = [0.01] * 60 + [math.nan] * 60
    failed = [0] * 60 + [1] * 60
    values = launch._values(
        measured_launch([taken("open", ends=answers, failed=failed, unserved=60)]), "a"
    )
    # The 90th percentile is not known, and must not be that of the survivors.
    assert ("a", "latency.p90") not in values
    assert ("a", "latency.mean") not in values
    assert values["a", "errors"] == 0.5
    assert values["a", "dropped"] == 0.5


def test_failed_requests_have_no_say_in_latency() -> None:
    slow = taken("open", ends=[0.1] * 60 + [9.0] * 60, failed=[0] * 60 + [1] * 60)
    values = launch._values(measured_launch([slow]), "a")
    assert values["a", "latency.p90"] == pytest.approx(0.1)


def test_a_disturbed_block_is_left_out() -> None:
    loud, quiet = taken(cpu=50.0), taken(cpu=0.5)
    values = launch._values(measured_launch([loud, quiet], disturbed=True), "a")
    assert values["a", "cpu_per_request"] == pytest.approx(0.5)


def test_a_target_that_is_not_ours_has_no_cpu_time() -> None:
    values = launch._values(measured_launch([taken(cpu=0.0)]), "a")
    assert ("a", "cpu_per_request") not in values


def test_slices_are_as_short_as_the_work_allows() -> None:
    assert launch._slice_seconds(0.05, 10_000) == 0.05
    assert launch._slice_seconds(0.05, 100) == pytest.approx(0.25)
    assert launch._slice_seconds(0.05, 1) == launch.LONGEST_SLICE
    assert launch._blocks(12, 0.05, 0.05) == 12
    assert launch._blocks(12, 0.05, 2.0) == launch.FEWEST_BLOCKS
