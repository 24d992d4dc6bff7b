"""The verdict study stores the outcomes of each condition, which take hours."""

import json
from pathlib import Path

import pytest

from scripts.studies import storage, verdicts
from scripts.studies.outcomes import ANY, ASSAY, Outcome


def store(folder: Path, noise: str, false: int) -> None:
    words = ["slower"] * false + ["same"] * (60 - false)
    outcomes = [
        Outcome(noise, "A/A", ASSAY, ANY, word, 12)  # type: ignore[arg-type]
        for word in words
    ]
    text = verdicts._outcomes_json(f"measured on a machine for {noise}", outcomes)
    (folder / f"verdicts-{noise}.json").write_text(text)


def test_a_condition_that_is_not_measured_again_keeps_its_outcomes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store(tmp_path, "burst", false=3)
    verdicts.report(tmp_path / "nothing", tmp_path)
    page = (tmp_path / "verdicts.md").read_text()
    assert "| Assay | burst | 3/60 | 5 % |" in page
    assert "measured on a machine for burst" in page
    assert "quiet:** measured" not in page
    assert "false verdicts, burst: 3/60" in capsys.readouterr().out

    store(tmp_path, "quiet", false=1)
    verdicts.report(tmp_path / "nothing", tmp_path)
    page = (tmp_path / "verdicts.md").read_text()
    assert "| Assay | quiet | 1/60 | 1.67 % |" in page
    assert "| Assay | burst | 3/60 | 5 % |" in page


def test_outcomes_are_stored_one_a_line() -> None:
    outcome = Outcome("quiet", "A/A", ASSAY, ANY, "same", 12, ratio=1.01)
    text = verdicts._outcomes_json("a condition", [outcome, outcome])
    assert len(text.splitlines()) == 4
    stored = json.loads(text)
    assert stored["measured"] == "a condition"
    assert [Outcome(**row) for row in stored["outcomes"]] == [outcome, outcome]


def test_every_commit_that_measured_is_noted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for commit in ("one", "one", "two", "one"):
        machine = {"cpu": "fast", "python": "3.12.1", "commits": {"assay": commit}}
        monkeypatch.setattr(storage, "describe", lambda *_, m=machine: m)
        storage.note_machine(tmp_path, "burst")
    noted = storage.machines(tmp_path, "burst")
    assert [line.partition(" cores ")[2] for line in noted] == [
        "(fast), Python 3.12.1, commit one",
        "(fast), Python 3.12.1, commit two",
    ]
    assert storage.machines(tmp_path, "quiet") == []
