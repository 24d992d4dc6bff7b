"""Assay's plugin for the user's pytest."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from assay.experiment import pytest_process
from assay.experiment.benchmark_plugin import assay_benchmark_plugin as plugin
from assay.experiment.pytest_process import Place, Selection

TESTS = """
import pytest


@pytest.mark.parametrize("text", ["a b", "c]d", "ä"])
def test_text(benchmark, text):
    benchmark(str.upper, text)


class TestGroup:
    def test_pedantic(self, benchmark):
        benchmark.pedantic(abs, args=(1,), rounds=3, iterations=2)


def test_wrong(benchmark):
    benchmark(abs, 1)
    assert "the answer" == 42


@pytest.mark.skip(reason="not today")
def test_skipped(benchmark):
    benchmark(abs, 1)


def test_plain():
    raise RuntimeError("no benchmark, so it is not run")
"""


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ("-ra --cov=src --cov-report term-missing -q", "-ra -q"),
        ("--junitxml report.xml --reruns 2 --benchmark-sort mean tests", "tests"),
        ("--cov src -m fast", "-m fast"),
        ("-n auto -x --maxfail 2 -v", "-v"),
        ("-n4 -nauto --numprocesses=3 --dist loadfile -k api", "-k api"),
        ("--benchmark-disable --import-mode=importlib", "--import-mode=importlib"),
        ("--strict-markers -p no:doctest --ignore=slow", None),
    ],
)
def test_only_what_is_for_the_test_suite_goes(options: str, kept: str | None) -> None:
    expected = (options if kept is None else kept).split()
    assert plugin.without_unwanted(options.split()) == expected


@pytest.fixture
def place(tmp_path: Path) -> Place:
    folder = tmp_path / "a project"
    (folder / "tests").mkdir(parents=True)
    (folder / "tests/test_it.py").write_text(TESTS, encoding="utf-8")
    # Options for the project's tests: they must not stop or parallelise the benchmarks.
    (folder / "pytest.ini").write_text(
        "[pytest]\naddopts = -x -n 2 --benchmark-disable --strict-markers\n"
    )
    return Place("the project", Path(sys.executable), folder, os.environ)


def test_the_users_own_suite_as_it_is(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "launch"
    collected = pytest_process.collect(place, ["tests"], tmp_path / "collect", 120)
    names = [f"tests/test_it.py::test_text[{text}]" for text in ("a b", "c]d")]
    assert set(names) < set(collected.collected)
    assert len(collected.collected) == 6
    assert not any("plain" in test for test in collected.collected)
    ran = pytest_process.run(
        place, Selection(["tests"], ["--benchmark-only"]), folder, 120, hash_seed=7
    )
    timed = {test.partition("::")[2].partition("[")[0] for test in ran.medians}
    assert timed == {"test_text", "TestGroup::test_pedantic"}
    assert all(median > 0 for median in ran.medians.values())
    assert "the answer" in ran.failed["tests/test_it.py::test_wrong"]
    assert "not today" in ran.skipped["tests/test_it.py::test_skipped"]
    assert str(place.cwd / "tests/test_it.py") in ran.files
    assert json.loads((folder / "report.json").read_text())["executable"]


def test_chosen_tests_alone(place: Place, tmp_path: Path) -> None:
    chosen = ["tests/test_it.py::test_text[c]d]"]
    selection = Selection(["tests"], ["--benchmark-only"], chosen)
    ran = pytest_process.run(place, selection, tmp_path / "launch", 120)
    assert list(ran.medians) == chosen
    assert ran.exit_code == 0


def test_a_file_that_cannot_be_imported_is_named(place: Place, tmp_path: Path) -> None:
    (place.cwd / "tests/test_bad.py").write_text("import nowhere_at_all\n")
    collected = pytest_process.collect(place, ["tests"], tmp_path / "collect", 120)
    assert "nowhere_at_all" in collected.failed["tests/test_bad.py"]
    assert len(collected.collected) == 6


def test_the_plugin_needs_nothing_of_assay() -> None:
    """It is loaded by path into an interpreter that has only pytest."""
    code = (
        f"import sys; sys.path.insert(0, {str(pytest_process.PLUGIN_FOLDER)!r})\n"
        f"import {pytest_process.PLUGIN}\n"
        "print(sorted(name for name in sys.modules if name.startswith('assay.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
