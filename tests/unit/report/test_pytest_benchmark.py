"""Benchmarks of a run as files that pytest-benchmark reads."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from assay import report
from assay.errors import InputError
from assay.inputs import benchmark_json
from assay.run_directory import rows
from assay.run_directory.run import RunDirectory
from tests.unit.report.synthetic import build
from tests.unit.report.synthetic_suite import build_suite, name_of

TEST = name_of("slower", 0)


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """Return a run of two tests, in five launches; one test fails once."""
    suite = build_suite(tmp_path / "a run", {"slower": 1, "same": 1})
    for launch in range(1, 6):
        kept = [
            rows.TestRow(test, side, None if failed else seconds * launch, "")
            for side, seconds in (("base", 1e-3), ("head", 1.2e-3))
            for test in (TEST, name_of("same", 0))
            for failed in [launch == 3 and side == "head" and test == TEST]
        ]
        suite.append_tests(rows.tests("benchmarks", launch, kept))
    return suite


def test_each_side_is_a_file_with_a_round_for_each_launch(run: RunDirectory) -> None:
    base, head = report.write(run, ["pytest-benchmark"])
    assert (base.name, head.name) == ("benchmarks.base.json", "benchmarks.head.json")
    written = json.loads(head.read_text())
    assert written["commit_info"]["id"] == "2" * 40
    assert written["machine_info"]["python_version"] == "3.12.1"
    first = next(one for one in written["benchmarks"] if one["fullname"] == TEST)
    assert first["name"] == "test_0[a-0]" and first["param"] == "a-0"
    assert first["stats"]["data"] == pytest.approx([1.2e-3, 2.4e-3, 4.8e-3, 6e-3])
    assert first["stats"]["rounds"] == 4
    assert first["stats"]["median"] == pytest.approx(3.6e-3)
    other = next(one for one in written["benchmarks"] if one["fullname"] != TEST)
    assert other["stats"]["rounds"] == 5


def test_pytest_benchmark_itself_reads_them(run: RunDirectory) -> None:
    files = report.write(run, ["pytest-benchmark"])
    command = [sys.executable, "-m", "pytest_benchmark", "compare", "--csv=all.csv"]
    done = subprocess.run(
        [*command, "--group-by=fullname", *map(str, files)],
        cwd=run.path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Failed to load" not in done.stdout + done.stderr
    assert f"benchmark '{TEST}': 2 tests" in done.stdout
    assert "(1.20)" in done.stdout  # of the test that never failed
    assert len((run.path / "all.csv").read_text().splitlines()) == 5


def test_assay_reads_them_and_knows_that_they_are_no_single_runs(
    run: RunDirectory,
) -> None:
    for file in report.write(run, ["pytest-benchmark"]):
        found = benchmark_json.read(file)
        assert found.launches == 5
        assert set(found.medians) == {TEST, name_of("same", 0)}


def test_a_run_without_benchmarks_says_what_has_some(tmp_path: Path) -> None:
    run = build(tmp_path / "run", sampled=False)
    with pytest.raises(InputError, match="expected a run of assay compare"):
        report.write(run, ["pytest-benchmark"])
