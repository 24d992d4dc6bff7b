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


def bare(value: Any) -> Any:
    """Return results without their sentences."""
    if isinstance(value, dict):
        return {key: bare(one) for key, one in value.items() if key not in WORDS}
    if isinstance(value, list):
        return [bare(one) for one in value]
    return value


def numbers(value: Any) -> Any:
    """Return the same; numbers are compared as closely as floats allow."""
    if isinstance(value, dict):
        return {key: numbers(one) for key, one in value.items() if key not in WORDS}
    if isinstance(value, list):
        return [numbers(one) for one in value]
    return pytest.approx(value, rel=1e-9) if isinstance(value, float) else value


def test_there_are_several() -> None:
    assert len(RECORDED) >= 5


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda path: path.name)
def test_a_recorded_run_is_judged_as_it_was(recorded: Path, tmp_path: Path) -> None:
    copy = tmp_path / recorded.name
    shutil.copytree(recorded, copy)
    before = json.loads((copy / "results.json").read_text())
    found = json.loads(judge(RunDirectory.open(copy)).model_dump_json())
    found["schema"] = found.pop("schema_")
    assert found.pop("looks")
    assert bare(found) == numbers(before)
