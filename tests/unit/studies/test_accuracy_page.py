"""The page of the accuracy study, on runs with known numbers."""

import numpy as np
import pytest

from assay.load.answers import Slice
from scripts.studies import accuracy
from scripts.studies import accuracy_page as page
from scripts.studies.accuracy_page import (
    ASSAY,
    CELLS,
    FREEZING,
    LOCUST,
    CommandRun,
    Run,
)

QUIET = {
    "stall": 0.5e-3,
    "run_delay": 0.02,
    "generator_run_delay": 0.001,
    "generator_cpu": 2.0,
    "duration": 8.0,
    "lag_p50": 0.1e-3,
    "lag_p99": 0.4e-3,
}
COUNTS = {"planned": 400, "done": 400, "failed": 0}


def run(
    cell: page.Cell,
    errors_ms: dict[str, float],
    machine: dict[str, float] | None = None,
) -> Run:
    """Return a run with these errors, in milliseconds."""
    truth = {"p95": 0.25, "p99": 0.45} if cell[0] == FREEZING else {}
    truth = truth or {"p50": 5.2e-3, "p99": 6e-3}
    return Run(
        ASSAY,
        *cell,
        truth=truth,
        seen={
            name: value + errors_ms.get(name, 0) / 1e3 for name, value in truth.items()
        },
        machine={**QUIET, **(machine or {})},
        counts=COUNTS,
    )


def good_runs(times: int = 3) -> list[Run]:
    return [run(cell, {"p50": 0.2, "p99": 0.5}) for cell in CELLS] * times


def met(runs: list[Run], tests: list[CommandRun]) -> dict[str, bool | None]:
    return {goal.name: goal.met for goal in page.goals(runs, tests)}


def test_a_good_study_meets_every_goal_and_an_empty_one_none() -> None:
    goals = met(good_runs(), [CommandRun((), 0)] * 10)
    assert len(goals) == 2 * (len(CELLS) - 1) + 1 + 1
    assert set(goals.values()) == {True}
    assert set(met([], []).values()) == {None}
    assert "Not judged" in page.page([], [], [], 8.0)


@pytest.mark.parametrize(
    ("error_ms", "within"),
    [(0.29, True), (-0.29, True), (0.31, False), (-0.31, False)],
)
def test_a_percentile_is_judged_by_the_median_run(
    error_ms: float, within: bool
) -> None:
    cell = CELLS[0]
    others = [run(cell, {"p50": 9.0}), run(cell, {"p50": -9.0})]
    runs = [run(cell, {"p50": error_ms}), *others]
    goals = {goal.name: goal for goal in page.goals(runs, [])}
    goal = goals["p50, `HttpUser` at 50/s, constant"]
    assert goal.met is within
    assert f"{int(within)} of 3 runs within" in goal.measured


def test_a_share_of_a_long_time_is_allowed_too() -> None:
    cell = (FREEZING, "FastHttpUser", 400)
    for error_ms, within in ((24.0, True), (26.0, False)):
        name = "p95, `FastHttpUser` at 400/s, freezing"
        assert met([run(cell, {"p95": error_ms})], [])[name] is within


@pytest.mark.parametrize(
    "machine",
    [{"stall": 5e-3}, {"run_delay": 0.09}, {"generator_run_delay": 0.09}],
)
def test_a_disturbed_run_does_not_count_even_if_it_is_right(
    machine: dict[str, float],
) -> None:
    cell = CELLS[0]
    quiet = [run(cell, {"p50": 0.4})] * 3
    disturbed = run(cell, {}, machine)
    assert page.undisturbed([*quiet, disturbed], ASSAY, cell) == quiet
    assert met([*quiet, disturbed], [])["p50, `HttpUser` at 50/s, constant"] is False
    row = page.disturbances([*quiet, disturbed]).splitlines()[2]
    assert "| 1 of 4 |" in row


def test_what_is_usual_for_a_cell_disturbs_nothing() -> None:
    cell = CELLS[0]
    runs = [run(cell, {}, {"stall": 8e-3})] * 3
    assert page.undisturbed(runs, ASSAY, cell) == runs


def test_one_test_that_warns_misses_the_goal_and_its_warning_is_shown() -> None:
    warned = CommandRun(("The load generator itself was <late>.",), 0)
    tests = [CommandRun((), 0)] * 9 + [warned]
    text = page.page(good_runs(), tests, ["a machine"], 8.0)
    assert "1 of 10 tests ended with a warning" in text
    assert "<late>" not in text
    name = "tests with HttpUser at 50/s that end with a warning about the generator"
    assert met(good_runs(), tests)[name] is False


def test_only_warnings_about_the_generator_count() -> None:
    results: dict[str, object] = {
        "warnings": ["The load generator was busy.", "Requests timed out."]
    }
    assert page.generator_warnings(results) == ("The load generator was busy.",)
    assert page.generator_warnings({"warnings": []}) == ()
    assert page.generator_warnings({"bound": True})


def test_runs_go_on_until_enough_are_undisturbed_or_twice_as_many_are_done() -> None:
    cell = CELLS[0]
    quiet, disturbed = run(cell, {}), run(cell, {}, {"run_delay": 1.0})
    assert (ASSAY, cell) in accuracy.missing([quiet, disturbed], 2)
    assert (ASSAY, cell) not in accuracy.missing([quiet, quiet], 2)
    assert (ASSAY, cell) not in accuracy.missing([quiet, *[disturbed] * 3], 2)
    assert (LOCUST, cell) in accuracy.missing([quiet, quiet], 2)
    needed = accuracy.missing([], 1)
    for lean_cell in [cell for cell in CELLS if cell[1] == "LeanHttpUser"]:
        assert (ASSAY, lean_cell) in needed
        assert (LOCUST, lean_cell) not in needed


def test_latency_is_the_targets_waiting_and_the_time_to_the_answer() -> None:
    columns = {
        "scheduled": np.array([1.0, 2.0, 3.0]),
        "waited": np.array([0.0, 0.5, 0.0]),
        "start": np.array([1.1, 2.6, 3.1]),
        "end": np.array([1.4, 2.7, np.nan]),
    }
    counts = dict.fromkeys(("planned", "done", "dropped", "unserved", "requests"), 3)
    zero = "lag_p99 stall cpu run_delay generator_cpu generator_run_delay foreign"
    measured = Slice(
        variant="a",
        mode="open",
        began=1.0,
        ended=9.0,
        request_columns=columns,
        names=[],
        errors={},
        **counts,  # type: ignore[arg-type]
        **dict.fromkeys(zero.split(), 0.0),  # type: ignore[arg-type]
    )
    assert accuracy.latencies(measured) == pytest.approx([0.3, 0.6, 6.0])
