"""The study of causes: a run that failed is never right."""

from pathlib import Path

import pytest

from assay.observations import Round
from scripts.studies.attribution.cases import stopwatch
from scripts.studies.attribution.known import Case
from scripts.studies.attribution.page import Answer, goals, in_interval, is_right, page
from scripts.studies.attribution.study import noted_per_request, read_notes

PLANTED = Case("own_cpu", "cpu", ("score",))
SILENT = Case("identical")
PROFILED = Answer("identical", 0, [], None, (0.01, 0.01), 60.0, [], 20.0)
WITHOUT_ROUNDS = Answer("identical", 1, [], None, (0.0, 0.0), 60.0, ["a"], 1.0)
FAILED = Answer("identical", 2, [], None, (0.0, 0.0), 5.0, ["Traceback"])
CAUSE: dict[str, object] = {"kind": "cpu", "where": "a", "sentence": "It is a."}


def test_nothing_is_right_only_if_both_sides_were_profiled() -> None:
    assert is_right(SILENT, PROFILED)
    assert not is_right(SILENT, WITHOUT_ROUNDS)
    assert not is_right(SILENT, FAILED)
    said = Answer("identical", 3, [CAUSE], None, (0.01, 0.01), 60.0, [], 20.0)
    assert not is_right(SILENT, said)


def test_a_failed_run_explains_nothing() -> None:
    answers = [
        Answer("own_cpu", 0, [CAUSE], 0.95, (0.01, 0.02), 60.0, [], 20.0),
        Answer("own_cpu", 1, [], None, (0.0, 0.0), 5.0, ["Traceback"]),
    ]
    (ledger,) = [goal for goal in goals([PLANTED], answers) if "ledger" in goal.name]
    assert ledger.measured == "1 of 2" and ledger.met is False


def test_a_failed_run_misses_the_goal_and_is_named() -> None:
    answers = [FAILED, PROFILED]
    (silent,) = [goal for goal in goals([SILENT], answers) if "nothing" in goal.name]
    assert silent.met is False
    text = page([SILENT], answers, [])
    assert "| not profiled |" in text and "- Not profiled.\n" in text


@pytest.mark.parametrize(
    ("planted", "inside"), [(0.002, True), (0.004, False), (None, False)]
)
def test_the_interval_must_contain_the_planted_amount(
    planted: float | None, inside: bool
) -> None:
    cause = CAUSE | {"low": 0.001, "high": 0.003, "amount": 0.002, "where": "score"}
    latency = (0.01, 0.02)
    answer = Answer("own_cpu", 0, [cause], 0.9, latency, 60.0, [], 20.0, planted)
    assert in_interval(PLANTED, answer) is inside
    assert not in_interval(Case("own_cpu", "lock", ("score",)), answer)
    (goal,) = [goal for goal in goals([PLANTED], [answer]) if "interval" in goal.name]
    assert goal.measured == ("0 of 0" if planted is None else f"{inside:d} of 1")


def test_what_the_service_noted_outside_the_rounds_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOPWATCH", str(tmp_path / "head"))
    times = iter([9.0, 11.0, 12.0, 15.0, 22.0])
    monkeypatch.setattr("time.time", lambda: next(times))
    for seconds in (0.5, 0.25, 0.5, 4.0, 0.25):
        stopwatch.note(seconds)
    notes = read_notes(tmp_path / "head")
    assert notes[0] == (9.0, 0.5) and len(notes) == 5
    rounds = [
        Round(
            topic="shop",
            baseline="base",
            candidate="head",
            number=number,
            variant="head",
            began=10.0 * number,
            ended=10.0 * number + 3.0,
            requests=2,
            latency=0.01,
            cpu=0.001,
            cpu_wait=0.0,
        )
        for number in (1, 2)
    ]
    assert noted_per_request(notes, rounds) == (0.25 + 0.5 + 0.25) / 4
    assert read_notes(tmp_path / "base") == []
