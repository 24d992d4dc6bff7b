"""The study of causes: a run that failed is never right."""

from scripts.studies.attribution.known import Case
from scripts.studies.attribution.page import Answer, goals, is_right, page

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
