"""`assay history` as people type it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.history.runs import changing, steady, write_runs


def assay(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "assay", "history", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_history_is_printed_and_written(tmp_path: Path) -> None:
    write_runs(tmp_path / "runs", changing(1))
    done = assay(tmp_path, "runs")
    assert done.returncode == 0, done.stderr
    assert "2026-01-25 +7.8 %" in done.stdout
    assert done.stdout.rstrip().endswith("60 runs: 1 of 1 series changes.")
    assert "wrote reports/history.html" in done.stderr
    page = (tmp_path / "reports" / "history.html").read_text()
    assert "c0ffee19 … c0ffee20" in page
    assert "assay history runs" in page


def test_json_has_every_point_and_change(tmp_path: Path) -> None:
    write_runs(tmp_path / "runs", changing(1))
    done = assay(tmp_path, "runs", "--json", "--output", "page.html")
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    (series,) = results["series"]
    assert results["schema"] == 1
    assert len(series["points"]) == 60
    assert [change["first"] for change in series["changes"]] == [20, 45]
    assert series["changes"][0]["last_before"] == "c0ffee19"
    assert (tmp_path / "page.html").is_file()


def test_a_history_of_runs_that_do_not_change(tmp_path: Path) -> None:
    write_runs(tmp_path / "runs", steady(1))
    done = assay(tmp_path, "runs", "--output", ".")
    assert done.returncode == 0, done.stderr
    assert "60 runs: no change in 1 series." in done.stdout
    assert (tmp_path / "history.html").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("empty",), "assay: empty: no runs found"),
        (("nowhere",), "nowhere: there is no such folder"),
        (("runs", "--output", "runs/run-000/plan.json/x.html"), "--output"),
        ((), "Missing argument"),
    ],
)
def test_bad_input(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    (tmp_path / "empty").mkdir()
    write_runs(tmp_path / "runs", steady(1, runs=2))
    done = assay(tmp_path, *words)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
