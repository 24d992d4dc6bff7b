"""How `assay bisect` goes on with an earlier search."""

from pathlib import Path

import pytest

from assay.bisection.record import Record
from assay.bisection_results import Bisection, Request, SearchOutcome
from assay.cli.bisect import PAGE, _report, _resumed

ASKED = Request(good="a" * 40, bad="b" * 40, benchmarks=("tests",))
BEGUN = Bisection(command="earlier", seed=3, request=ASKED, good="v1", bad="main")
FOLDER = Path("/search")


def test_another_seed_is_said_to_be_ignored() -> None:
    said: list[str] = []
    state = _resumed(BEGUN, 4, FOLDER, [], said.append)
    assert state.seed == 3 and "--seed 3 " in state.command
    (line,) = said
    assert line.startswith("--seed 4 is ignored: this search was begun with --seed 3")


@pytest.mark.parametrize("seed", [None, 3])
def test_the_same_seed_is_not_worth_a_word(seed: int | None) -> None:
    said: list[str] = []
    _resumed(BEGUN, seed, FOLDER, [], said.append)
    assert not said


@pytest.mark.parametrize("outcome", ["partial", "found"])
def test_the_command_has_the_options_of_what_is_still_to_be_done(
    outcome: SearchOutcome,
) -> None:
    state = BEGUN.model_copy(update={"outcome": outcome})
    state = _resumed(state, None, FOLDER, ["--budget", "9m"], lambda line: None)
    assert ("--budget 9m" in state.command) == (outcome == "partial")


@pytest.mark.parametrize("as_json", [False, True])
def test_what_is_reported_has_no_secrets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    answer = "cannot reach http://me:hunter2x9@db.example/x"
    state = BEGUN.model_copy(update={"answer": answer, "outcome": "unsure"})
    _report(state, Record(tmp_path), as_json)
    shown = capsys.readouterr().out
    assert ('"schema": 1' in shown) == as_json
    assert "***@db.example" in (tmp_path / PAGE).read_text()
    assert "hunter2x9" not in shown + (tmp_path / PAGE).read_text()
