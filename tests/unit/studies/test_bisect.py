"""The study of bisections does the runs that its options request."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.studies import bisect


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def run(kind: str, seed: int) -> dict[str, Any]:
        row = {"kind": kind, "seed": seed, "outcome": "found", "culprit": 3}
        return {**row, "suspects": [3], "steps": 6, "launches": 30, "seconds": 1.0}

    monkeypatch.setattr(bisect, "run", run)
    monkeypatch.setattr(bisect, "describe_machine", lambda: "a machine")
    return tmp_path / "rows.jsonl"


def study(monkeypatch: pytest.MonkeyPatch, rows: Path, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["study", "--output", str(rows), *words])
    bisect.main()


def test_more_runs_than_usual_are_made(
    monkeypatch: pytest.MonkeyPatch, rows: Path
) -> None:
    more = max(bisect.RUNS.values()) + 2
    study(monkeypatch, rows, "--kinds", "service", "--runs", str(more))
    seeds = [json.loads(line)["seed"] for line in rows.read_text().splitlines()]
    assert seeds == list(range(more))


def test_an_unknown_kind_is_named(
    monkeypatch: pytest.MonkeyPatch, rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        study(monkeypatch, rows, "--kinds", "service,servce")
    expected = "--kinds: unknown: 'servce'; expected benchmark, service, unchanged"
    assert expected in capsys.readouterr().err
    assert not rows.exists()
