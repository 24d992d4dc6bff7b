"""The page of the study of accuracy, on runs whose every number is known."""

import numpy as np
import pytest

from assay.load.answers import Slice
from scripts.studies import accuracy
from scripts.studies import accuracy_page as page
from scripts.studies.accuracy_page import ASSAY, CELLS, FREEZING, LOCUST, Ended, Run

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
    off: dict[str, float],
    machine: dict[str, float] | None = None,
) -> Run:
    """Return a run that is so many milliseconds off."""
    truth = {"p95": 0.25, "p99": 0.45} if cell[0] == FREEZING else {}
    truth = truth or {"p50": 5.2e-3, "p99": 6e-3}
    return Run(
        ASSAY,
        *cell,
        truth=truth,
        seen={name: value + off.get(name, 0) / 1e3 for name, value in truth.items()},
        machine={**QUIET, **(machine or {})},
        counts=COUNTS,
    )


def good(times: int = 3) -> list[Run]:
    return [run(cell, {"p50": 0.2, "p99": 0.5}) for cell in CELLS] * times


def judged(runs: list[Run], ended: list[Ended]) -> dict[str, bool | None]:
    return {target.what: target.met for target in page.targets(runs, ended)}


def test_a_good_study_meets_every_target_and_an_empty_one_none() -> None:
    met = judged(good(), [Ended((), 0)] * 10)
    assert len(met) == 2 * (len(CELLS) - 1) + 1 + 1
    assert set(met.values()) == {True}
    assert set(judged([], []).values()) == {None}
    assert "Not judged" in page.page([], [], [], 8.0)


@pytest.mark.parametrize(
    ("off", "met"), [(0.29, True), (-0.29, True), (0.31, False), (-0.31, False)]
)
def test_a_percentile_is_judged_by_the_median_run(off: float, met: bool) -> None:
    cell = CELLS[0]
    others = [run(cell, {"p50": 9.0}), run(cell, {"p50": -9.0})]
    runs = [run(cell, {"p50": off}), *others]
    found = {t.what: t for t in page.targets(runs, [])}
    mine = found["p50, `HttpUser` at 50/s, constant"]
    assert mine.met is met
    assert f"{int(met)} of 3 runs within" in mine.found


def test_a_share_of_a_long_time_is_allowed_too() -> None:
    cell = (FREEZING, "FastHttpUser", 400)
    for off, met in ((24.0, True), (26.0, False)):
        what = "p95, `FastHttpUser` at 400/s, freezing"
        assert judged([run(cell, {"p95": off})], [])[what] is met


@pytest.mark.parametrize(
    "machine",
    [{"stall": 5e-3}, {"run_delay": 0.09}, {"generator_run_delay": 0.09}],
)
def test_a_disturbed_run_has_no_say_however_right_it_is(
    machine: dict[str, float],
) -> None:
    cell = CELLS[0]
    calm = [run(cell, {"p50": 0.4})] * 3
    lost = run(cell, {}, machine)
    assert page.chosen([*calm, lost], ASSAY, cell) == calm
    assert judged([*calm, lost], [])["p50, `HttpUser` at 50/s, constant"] is False
    row = page.disturbances([*calm, lost]).splitlines()[2]
    assert "| 1 of 4 |" in row


def test_what_is_usual_for_a_cell_disturbs_nothing() -> None:
    cell = CELLS[0]
    runs = [run(cell, {}, {"stall": 8e-3})] * 3
    assert page.chosen(runs, ASSAY, cell) == runs


def test_one_test_that_warns_is_a_target_missed_and_its_words_are_shown() -> None:
    ended = [Ended((), 0)] * 9 + [Ended(("The load generator itself was <late>.",), 0)]
    text = page.page(good(), ended, ["a machine"], 8.0)
    assert "1 of 10 tests ended with a warning" in text
    assert "<late>" not in text
    what = "tests with HttpUser at 50/s that end with a warning about the generator"
    assert judged(good(), ended)[what] is False


def test_only_what_is_about_the_generator_counts_as_its_warning() -> None:
    results: dict[str, object] = {
        "warnings": ["The load generator was busy.", "Requests timed out."]
    }
    assert page.about_generator(results) == ("The load generator was busy.",)
    assert page.about_generator({"warnings": []}) == ()
    assert page.about_generator({"bound": True})


def test_runs_go_on_until_enough_are_undisturbed_or_twice_as_many_are_done() -> None:
    cell = CELLS[0]
    calm, lost = run(cell, {}), run(cell, {}, {"run_delay": 1.0})
    assert (ASSAY, cell) in accuracy.missing([calm, lost], 2)
    assert (ASSAY, cell) not in accuracy.missing([calm, calm], 2)
    assert (ASSAY, cell) not in accuracy.missing([calm, *[lost] * 3], 2)
    assert (LOCUST, cell) in accuracy.missing([calm, calm], 2)
    lean = [cell for cell in CELLS if cell[1] == "LeanHttpUser"]
    asked = accuracy.missing([], 1)
    assert all((ASSAY, one) in asked and (LOCUST, one) not in asked for one in lean)


def test_latency_is_the_targets_waiting_and_the_time_to_the_answer() -> None:
    columns = {
        "scheduled": np.array([1.0, 2.0, 3.0]),
        "waited": np.array([0.0, 0.5, 0.0]),
        "start": np.array([1.1, 2.6, 3.1]),
        "end": np.array([1.4, 2.7, np.nan]),
    }
    counts = dict.fromkeys(("planned", "done", "dropped", "unserved", "requests"), 3)
    zero = "lag_p99 stall cpu run_delay generator_cpu generator_run_delay foreign"
    taken = Slice(
        variant="a",
        mode="open",
        began=1.0,
        ended=9.0,
        columns=columns,
        names=[],
        errors={},
        **counts,  # type: ignore[arg-type]
        **dict.fromkeys(zero.split(), 0.0),  # type: ignore[arg-type]
    )
    assert accuracy.latencies(taken) == pytest.approx([0.3, 0.6, 6.0])
