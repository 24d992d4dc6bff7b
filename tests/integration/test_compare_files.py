"""`assay compare a.json b.json` as people type it, with files of pytest-benchmark."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration import shop
from tests.unit.report.synthetic_suite import build_suite

SUITE = """
import pytest


@pytest.mark.parametrize("steps", [100, 200])
def test_sum(benchmark, steps):
    benchmark(sum, range(steps))


def test_sorted(benchmark):
    benchmark(sorted, list(range(50)))
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the content of a file that pytest-benchmark itself wrote."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "test_speed.py").write_text(SUITE)
    options = ["--benchmark-json=a.json", "--benchmark-max-time=0.01"]
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options],
        cwd=folder,
        # Under pytest-xdist, pytest-benchmark measures nothing.
        env={k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")},
        check=True,
        capture_output=True,
    )
    written: dict[str, Any] = json.loads((folder / "a.json").read_text())
    return written


@pytest.fixture
def files(tmp_path: Path, measured: dict[str, Any]) -> Callable[..., Path]:
    """Return a function that writes two files; the second is changed."""

    def write(ratio: float, **more: object) -> Path:
        (tmp_path / "a.json").write_text(json.dumps(measured))
        head = json.loads(json.dumps(measured)) | more
        head["datetime"] = "2027-01-01T00:00:00+00:00"
        head["benchmarks"][0]["stats"]["median"] *= ratio
        (tmp_path / "b.json").write_text(json.dumps(head))
        return tmp_path

    return write


def test_nothing_beyond_the_noise_is_green_and_says_how_little_that_is(
    files: Callable[..., Path],
) -> None:
    done = shop.assay(files(1.1), "compare", "a.json", "b.json")
    assert done.returncode == 0, done.stdout + done.stderr
    said = " ".join(done.stdout.split())
    assert "Changes below 15 % cannot be seen here." in said
    assert "One run of each side cannot tell a change from the noise" in said


@pytest.mark.parametrize("words", [[], ["--undecided", "pass"]])
def test_what_is_beyond_is_undecided(
    files: Callable[..., Path], words: list[str]
) -> None:
    done = shop.assay(files(1.5), "compare", "a.json", "b.json", *words)
    assert done.returncode == (0 if words else 3), done.stdout + done.stderr
    said = " ".join(done.stdout.split())
    assert "1 of 3 tests lies beyond the noise that is known" in said
    assert "--benchmarks test_speed.py" in said


def test_json_has_every_ratio(files: Callable[..., Path]) -> None:
    done = shop.assay(files(1.5), "compare", "a.json", "b.json", "--json")
    assert done.returncode == 3, done.stderr
    found = json.loads(done.stdout)
    assert found["schema"] == 1
    first, *others = found["tests"]
    assert first["ratio"] == pytest.approx(1.5) and first["beyond"]
    assert [one["ratio"] for one in others] == [1.0, 1.0]


def test_earlier_runs_show_the_noise(
    files: Callable[..., Path], measured: dict[str, Any]
) -> None:
    folder = files(1.1)
    stored = folder / ".benchmarks" / "Linux-CPython"
    stored.mkdir(parents=True)
    for number in range(12):
        again = measured | {"datetime": f"2026-01-{number + 1:02d}T00:00:00+00:00"}
        (stored / f"{number:04d}_x.json").write_text(json.dumps(again))
    words = ["compare", "a.json", "b.json", "--history", ".benchmarks"]
    done = shop.assay(folder, *words)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "three times the scatter of 12 earlier runs" in " ".join(done.stdout.split())


def test_no_test_in_common_is_never_green(files: Callable[..., Path]) -> None:
    folder = files(1.0)
    other = json.loads((folder / "b.json").read_text())
    for one in other["benchmarks"]:
        one["fullname"] = f"elsewhere/{one['fullname']}"
    (folder / "b.json").write_text(json.dumps(other))
    done = shop.assay(folder, "compare", "a.json", "b.json")
    assert done.returncode == 4, done.stdout + done.stderr
    assert "have no test in common" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a.json"], "expected two files of pytest-benchmark"),
        (["a.json", "none.json"], "none.json: cannot be read: No such file"),
        (["main", "b.json"], "main: cannot be read"),
        (["a.json", "a.json"], "are the same run"),
        (["a.json", "copy.json"], "are the same run"),
        (["a.json", "cut.json"], "cut.json: no JSON"),
        (["a.json", "b.json", "--budget", "5m"], "--budget: two files were measured"),
        (["a.json", "b.json", "--history", "x"], "x: there is no file of pytest-bench"),
        (["main", "HEAD", "--history", "x"], "--history: it is for two files"),
    ],
)
def test_bad_input(files: Callable[..., Path], words: list[str], said: str) -> None:
    folder = files(1.0)
    (folder / "copy.json").write_bytes((folder / "a.json").read_bytes())
    (folder / "cut.json").write_bytes((folder / "a.json").read_bytes()[:-100])
    done = shop.assay(folder, "compare", *words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_format_is_one_of_assay_report(tmp_path: Path) -> None:
    build_suite(tmp_path / "run", {"same": 1})
    done = shop.assay(tmp_path, "report", "run", "--format", "pytest-benchmark")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "no times of single benchmarks" in done.stderr
    done = shop.assay(tmp_path, "report", "run", "--format", "pdf")
    assert "csv, pytest-benchmark" in done.stderr
