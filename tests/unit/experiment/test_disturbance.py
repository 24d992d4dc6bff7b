"""Which slices something disturbed: neighbours, the generator, a machine that stops.

Times are seconds of slices that last one second, so they are shares as well.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from assay.experiment import slices
from assay.experiment.deadlines import LONGEST_DRAIN
from assay.experiment.disturbance import (
    DISTURBED_SHARE,
    MAX_EXTRA_STALL,
    MAX_LAG_P99,
    SYSTEM_SHARE,
    causes,
)
from assay.metrics import Mode
from assay.run_directory.rows import Disturbance, SliceRow
from tests.unit.synthetic import taken

UNKNOWN = math.nan


def row(variant: str = "a", mode: Mode = "closed", **changes: Any) -> SliceRow:
    """A quiet slice of a second, with some changes."""
    quiet = slices.row(taken(mode), 0, 0, 40.0, 4)
    usual = replace(
        quiet,
        variant=variant,
        duration=1.0,
        occupied=1.0,
        cpu=0.5,
        foreign=0.0,
        latency_p50=0.001 if mode == "open" else UNKNOWN,
        planned=40,
    )
    return replace(usual, **changes)


def delayed(
    delays: Sequence[float], variant: str = "a", foreign: float = UNKNOWN, **rest: Any
) -> list[SliceRow]:
    return [row(variant, run_delay=d, foreign=foreign, **rest) for d in delays]


def hit(rows: Sequence[SliceRow], cores: int = 0) -> set[int]:
    return {n for n, cause in enumerate(causes(rows, cores)) if cause}


def one(**changes: Any) -> Disturbance:
    """The cause of one slice among seven quiet ones."""
    mode = changes.get("mode", "closed")
    return causes([row(mode=mode)] * 7 + [row(**changes)])[-1]


def test_nothing_disturbs_a_quiet_launch() -> None:
    assert causes([row(), row(mode="open")] * 4) == [""] * 8
    assert causes([]) == []


@pytest.mark.parametrize("cores", [0, 1, 2])
@pytest.mark.parametrize("delay", [0.0, 0.3, 5.0, 40.0])
def test_threads_that_delay_each_other_are_never_dropped(
    delay: float, cores: int
) -> None:
    # 40 threads wait for one core, in this slice only; no other process used it.
    quiet = delayed([0.0] * 7, foreign=0.0)
    assert hit([*quiet, row(run_delay=delay, foreign=0.0, cpu=0.99)], cores) == set()
    # The clocks of /proc are a little apart.
    assert hit([*quiet, row(run_delay=delay, foreign=-0.01)], cores) == set()


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("threaded", {"run_delay": 12.0, "foreign": 0.2, "cpu": 0.8}),
        ("on four cores", {"run_delay": 0.3, "foreign": 0.3, "cpu": 3.7}),
        ("light", {"run_delay": 0.02, "foreign": 0.5, "cpu": 0.05, "occupied": 0.08}),
        ("at capacity", {"run_delay": 0.06, "foreign": 0.08, "cpu": 0.93}),
    ],
)
def test_a_neighbour_is_found(what: str, changes: dict[str, Any]) -> None:
    assert one(**changes) == "neighbour", what
    # It is found even if it is in every slice, and so not unusual.
    assert causes([row(**changes)] * 8, 4) == ["neighbour"] * 8


def test_both_the_wait_and_the_neighbour_must_reach_a_share_of_the_work() -> None:
    work, much, little = 0.4, DISTURBED_SHARE * 0.41, DISTURBED_SHARE * 0.39
    robbed = {"occupied": work, "run_delay": much, "foreign": much + SYSTEM_SHARE}
    assert one(**robbed) == "neighbour"
    assert one(**robbed | {"run_delay": little}) == ""
    assert one(**robbed | {"foreign": little}) == ""
    # The same wait is little beside more work.
    assert one(**robbed | {"occupied": 1.0}) == ""


def test_what_the_system_always_uses_is_no_neighbour() -> None:
    # A light service; the kernel uses a little time on every core.
    light: dict[str, Any] = {"occupied": 0.05, "run_delay": 0.004, "cpu": 0.05}
    assert one(**light, foreign=SYSTEM_SHARE * 1.1) == ""
    assert one(**light, foreign=SYSTEM_SHARE * 2) == "neighbour"
    assert causes([row(**light, foreign=SYSTEM_SHARE * 2)] * 8, 2) == [""] * 8


def test_a_small_neighbour_may_have_met_an_idle_target() -> None:
    # Without a neighbour it already waits 15 % of its work: threads delay each other.
    light = row(occupied=0.1, run_delay=0.015, cpu=0.08)
    small = SYSTEM_SHARE + DISTURBED_SHARE * 0.9
    large = SYSTEM_SHARE + DISTURBED_SHARE * 1.1
    quiet = [light] * 3

    def last(**changes: Any) -> Disturbance:
        return causes([*quiet, replace(light, **changes)], 1)[-1]

    assert last(foreign=small) == ""
    assert last(foreign=small, run_delay=0.015 + DISTURBED_SHARE * 0.09) == ""
    assert last(foreign=small, run_delay=0.015 + DISTURBED_SHARE * 0.11) == "neighbour"
    # A larger neighbour has almost certainly met the target at work.
    assert last(foreign=large) == "neighbour"
    # With a neighbour in all slices, the variant's own wait is unknown, and another
    # variant's wait cannot replace it.
    always = [replace(light, foreign=small)] * 4
    assert causes(always, 1) == ["neighbour"] * 4
    other = [replace(one, variant="b") for one in quiet]
    assert causes([*other, *always], 1) == [""] * 3 + ["neighbour"] * 4
    # Nor can a slice without any work.
    nothing = row(occupied=0.0)
    assert causes([nothing, *always], 1) == [""] + ["neighbour"] * 4


def test_a_neighbour_in_idle_time_disturbs_nothing() -> None:
    assert one(run_delay=0.0, foreign=0.9, cpu=0.1, occupied=0.1) == ""
    assert one(run_delay=0.002, foreign=0.9, cpu=0.1, occupied=0.1) == ""


def test_where_others_are_unknown_the_wait_must_be_unusual() -> None:
    assert hit(delayed([0.01, 0.02, 0.01, 0.08])) == {3}


def test_where_others_are_unknown_threads_are_not_taken_for_a_neighbour() -> None:
    threaded = delayed([0.30, 0.31, 0.32, 0.31], "threaded")
    quiet = delayed([0.00, 0.00, 0.00, 0.00], "quiet")
    assert hit(threaded + quiet) == set()
    burst = delayed([0.30, 0.31, 0.40, 0.31], "threaded")
    assert hit(burst + quiet) == {2}
    # Each variant is compared with its own usual wait.
    assert hit(threaded + delayed([0.0, 0.0, 0.3, 0.0], "quiet")) == {6}


def test_where_quiet_slices_vary_more_must_be_unusual() -> None:
    varied = [0.20, 0.22, 0.24, 0.26, 0.28, 0.30, 0.32, 0.34]
    assert hit(delayed(varied)) == set()
    assert hit(delayed([*varied, 0.60])) == {8}


def test_who_had_the_core_all_the_time_was_not_robbed() -> None:
    delays = [0.01, 0.02, 0.01, 0.30]
    assert hit(delayed(delays, cpu=0.97), cores=1) == set()
    assert hit(delayed(delays, cpu=0.70), cores=1) == {3}
    assert hit(delayed(delays, cpu=0.97), cores=2) == {3}
    assert hit(delayed(delays, cpu=0.97), cores=0) == {3}


def test_arrivals_sent_late_disturb_the_open_loop_only() -> None:
    late = MAX_LAG_P99 * 1.1
    assert causes([row(mode="open", lag_p99=late)] * 2) == ["generator"] * 2
    assert causes([row(mode="closed", lag_p99=late)] * 2) == ["", ""]
    assert one(mode="open", lag_p99=MAX_LAG_P99 * 0.9) == ""


def test_a_generator_is_late_if_that_shows_in_the_latencies() -> None:
    late = MAX_LAG_P99 * 3
    assert one(mode="open", lag_p99=late, latency_p50=late) == "generator"
    long_beside_it = late / DISTURBED_SHARE * 1.1
    assert one(mode="open", lag_p99=late, latency_p50=long_beside_it) == ""
    # All requests were given up after a tenth of a second.
    gone = {"latency_p50": math.inf, "duration": 0.1}
    assert one(mode="open", lag_p99=0.004, **gone) == ""
    assert one(mode="open", lag_p99=0.006, **gone) == "generator"
    assert one(mode="open", lag_p99=late, latency_p50=UNKNOWN) == "generator"


def test_a_generator_off_its_core_disturbs_the_closed_loop_only() -> None:
    assert one(generator_run_delay=DISTURBED_SHARE * 1.1) == "generator"
    assert one(generator_run_delay=DISTURBED_SHARE * 0.9) == ""
    assert one(mode="open", generator_run_delay=0.5) == ""


def test_the_generators_wait_is_measured_by_what_is_usual() -> None:
    usual = [row(generator_run_delay=0.2)] * 7
    fine = row(generator_run_delay=0.2 + DISTURBED_SHARE * 0.9)
    assert causes([*usual, fine])[-1] == ""
    late = row(generator_run_delay=0.2 + DISTURBED_SHARE * 1.1)
    assert causes([*usual, late])[-1] == "generator"
    # The limit is a share of the slice, so a long slice may have a longer wait.
    assert causes([*usual, row(generator_run_delay=0.44, duration=2.0)])[-1] == ""


def test_a_stall_is_measured_by_what_is_usual_for_the_variant() -> None:
    heavy, light = [row("heavy", stall=0.02)] * 7, [row("light", stall=0.001)] * 7
    hiccup = 0.02 + MAX_EXTRA_STALL * 0.9
    assert causes([*heavy, *light, row("heavy", stall=hiccup)])[-1] == ""
    assert causes([*heavy, *light, row("light", stall=hiccup)])[-1] == "stall"
    worse = row("heavy", stall=0.02 + MAX_EXTRA_STALL * 1.1)
    assert causes([*heavy, *light, worse])[-1] == "stall"
    assert one(mode="open", stall=0.001 + MAX_EXTRA_STALL) == "stall"


def test_one_slice_has_one_cause() -> None:
    # A neighbour also explains a stall and late arrivals; a stall also explains late
    # arrivals.
    robbed = {"run_delay": 0.5, "foreign": 0.5}
    assert one(mode="open", stall=0.1, lag_p99=0.1, **robbed) == "neighbour"
    assert one(mode="open", stall=0.1, lag_p99=0.1) == "stall"
    assert one(mode="open", lag_p99=0.1) == "generator"


def test_only_the_slice_that_was_hit_is_named() -> None:
    quiet = [row("a"), row("b")] * 4
    robbed = row("b", run_delay=0.2, foreign=0.2)
    assert causes([*quiet, robbed, row("a")]) == [""] * 8 + ["neighbour", ""]


@pytest.mark.parametrize("lost", ["unserved", "dropped", "given_up"])
def test_what_the_target_does_not_answer_is_no_disturbance(lost: str) -> None:
    robbed: dict[str, Any] = {"run_delay": 0.5, "foreign": 0.5}
    late: dict[str, Any] = {"mode": "open", "lag_p99": 1.0, "stall": 1.0}
    for cause in (robbed, late):
        assert one(**cause) != ""
        assert one(**cause, **{lost: 1}) == ""
    # Such a slice does not count towards what is usual, either.
    changes: dict[str, Any] = {"run_delay": 9.0, "stall": 9.0, lost: 1}
    frozen = row(generator_run_delay=9.0, **changes)
    waits = row(generator_run_delay=2 * DISTURBED_SHARE)
    assert causes([frozen] * 9 + [row()] * 3 + [waits])[-1] == "generator"
    assert causes([frozen] * 4) == [""] * 4


def test_too_few_users_are_a_disturbance() -> None:
    assert one(mode="open", short=3) == "users"
    assert one(mode="open", short=3, unserved=1) == ""
    # At most a twentieth of the arrivals, or a single one, waits: no disturbance.
    assert one(mode="open", short=2) == ""
    assert one(mode="open", short=1, planned=5) == ""
    assert one(mode="open", short=2, planned=5) == "users"


def test_who_had_no_time_to_answer_is_not_blamed() -> None:
    # The time budget ended, so this slice waited less than the usual ten seconds.
    assert one(unserved=1, given_up=1, drain=LONGEST_DRAIN / 2) == "time"
    assert one(unserved=0, drain=LONGEST_DRAIN / 2) == ""
    assert one(unserved=1, given_up=1) == ""
