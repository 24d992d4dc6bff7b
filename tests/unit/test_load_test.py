"""A load test from a script: its options are those of the command."""

from pathlib import Path
from typing import Any

import pytest

import assay
from assay.errors import InputError
from assay.load_plan import LoadPlan
from assay.load_tests import run, summary
from assay.run_directory.load_run import LoadRun
from tests.unit.load_tests.synthetic import Sample, written


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[LoadPlan, LoadRun]]:
    """Return a list of what would be measured; nothing is really measured."""
    found = list[tuple[LoadPlan, LoadRun]]()
    monkeypatch.setattr(
        run, "measure", lambda plan, directory, _: found.append((plan, directory))
    )
    return found


def begin(folder: Path, **options: Any) -> None:
    (folder / "f.py").write_text("")
    assay.load_test(folder / "f.py", "http://127.0.0.1:1", folder / "out", **options)


def test_a_baseline_is_kept(
    tmp_path: Path, measured: list[tuple[LoadPlan, LoadRun]]
) -> None:
    before = written(tmp_path, [Sample(1.0, 1.5)])
    before.write_results(summary.summarise(before))
    (tmp_path / "new").mkdir()
    begin(tmp_path / "new", users=5, baseline=str(before.path))
    ((_, directory),) = measured
    assert directory.former() == before.results()


def test_a_baseline_must_be_a_load_test(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no load test is there"):
        begin(tmp_path, users=5, baseline=tmp_path / "nothing")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("users", [20, "20"])
def test_users_are_a_number_or_its_text(
    tmp_path: Path, measured: list[tuple[LoadPlan, LoadRun]], users: int | str
) -> None:
    begin(tmp_path, users=users)
    assert measured[0][0].users == 20 and not measured[0][0].shaped


@pytest.mark.parametrize("users", [0, -5, 60_001, 2.5, "many", True])
def test_other_users_are_refused(tmp_path: Path, users: Any) -> None:
    with pytest.raises(InputError, match="expected a number from 1 to 60000"):
        begin(tmp_path, users=users)


def test_a_single_string_is_one_of_several(
    tmp_path: Path, measured: list[tuple[LoadPlan, LoadRun]]
) -> None:
    begin(tmp_path, users=5, require="latency.p99 <= 50ms", tag="branch=main")
    ((plan, _),) = measured
    assert [item.text for item in plan.requirements] == ["latency.p99 <= 50ms"]
    assert plan.tags == {"branch": "main"}
    with pytest.raises(TypeError, match="no_such"):
        begin(tmp_path, no_such=1)
