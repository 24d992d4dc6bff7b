"""Runs that were recorded before are judged as they were then, apart from wording."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from assay.experiment.run import judge
from assay.run_directory.run import RunDirectory

RECORDED = sorted((Path(__file__).parent / "recorded").iterdir())
WORDS = {"reason", "warnings"}


def without_sentences(value: Any) -> Any:
    """Return results without their sentences."""
    if isinstance(value, dict):
        return {
            key: without_sentences(item)
            for key, item in value.items()
            if key not in WORDS
        }
    if isinstance(value, list):
        return [without_sentences(item) for item in value]
    return value


def as_then(value: Any, before: Any) -> Any:
    """Return a value without fields that were added to results since the recording."""
    if isinstance(value, dict):
        return {
            key: as_then(item, before[key])
            for key, item in value.items()
            if key in before
        }
    if isinstance(value, list) and len(value) == len(before):
        return [as_then(one, then) for one, then in zip(value, before, strict=True)]
    return value


def numbers(value: Any) -> Any:
    """Return a value whose floats are compared with a tolerance of rounding errors."""
    if isinstance(value, dict):
        return {key: numbers(item) for key, item in value.items() if key not in WORDS}
    if isinstance(value, list):
        return [numbers(item) for item in value]
    return pytest.approx(value, rel=1e-9) if isinstance(value, float) else value


def test_there_are_several() -> None:
    assert len(RECORDED) >= 5


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda path: path.name)
def test_a_recorded_run_is_judged_as_it_was(recorded: Path, tmp_path: Path) -> None:
    copy = tmp_path / recorded.name
    shutil.copytree(recorded, copy)
    before = json.loads((copy / "results.json").read_text())
    judged = json.loads(judge(RunDirectory.open(copy)).model_dump_json())
    judged["schema"] = judged.pop("schema_")
    assert judged.pop("looks")
    # These runs were not profiled, and have no benchmarks.
    for later in ("calls", "causes", "gates", "ledgers", "left_out", "outgoing"):
        assert judged.pop(later) == []
    assert set(judged) == set(before)
    assert as_then(without_sentences(judged), before) == numbers(before)
