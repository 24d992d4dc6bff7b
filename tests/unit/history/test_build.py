"""Runs become series: one for each number, machine and method."""

import math
from pathlib import Path

import numpy as np
import pytest

from assay.history.build import build
from assay.history.collect import collect
from assay.history_results import HistoryResults, Series
from tests.unit.history.runs import (
    MACHINE,
    changing,
    commit,
    steady,
    write_run,
    write_runs,
)


def of(path: Path) -> HistoryResults:
    return build(*collect([str(path)]))


def only(results: HistoryResults) -> Series:
    (series,) = results.series
    return series


def test_two_changes_and_a_spike(tmp_path: Path) -> None:
    write_runs(tmp_path, changing(1))
    series = only(of(tmp_path))
    assert [change.first for change in series.changes] == [20, 45]
    first, second = series.changes
    assert (first.last_before, first.first_after) == (commit(19), commit(20))
    assert (second.last_before, second.first_after) == (commit(44), commit(45))
    assert f"{first.date:%Y-%m-%d}" == "2026-01-25"
    assert first.low < 1.08 < first.high
    assert second.low < 0.94 < second.high
    assert first.ratio == pytest.approx(1.08, abs=0.01)


def test_no_change(tmp_path: Path) -> None:
    write_runs(tmp_path, steady(1))
    series = only(of(tmp_path))
    assert len(series.points) == 60
    assert not series.changes and not series.drift and not series.unexamined
    assert series.points[7].commit == commit(7)
    assert series.points[7].low and series.points[7].low < series.points[7].value


def test_a_drift_has_no_changes(tmp_path: Path) -> None:
    write_runs(tmp_path, steady(1) + np.linspace(0, math.log(1.2), 60))
    series = only(of(tmp_path))
    assert series.drift and series.drift.low < 1.2 < series.drift.high
    assert not series.changes


def test_few_runs_are_not_searched(tmp_path: Path) -> None:
    write_runs(tmp_path, changing(1)[16:25])
    assert only(of(tmp_path)).unexamined == "9 of the 10 runs that are needed"


def test_values_of_zero_are_not_searched(tmp_path: Path) -> None:
    for number in range(12):
        write_run(tmp_path, number, {"errors": 0.0})
    series = only(of(tmp_path))
    assert "some values are 0" in series.unexamined
    assert len(series.points) == 12


@pytest.mark.parametrize(
    "changed",
    [
        {"cpu": "AMD EPYC 9654"},
        {"memory": 16 * 2**30},
        {"cores": {"target": [0, 1], "generator": [2, 3]}},
        {"platform": "Linux-7.0.0-amd64-x86_64-with-glibc2.36"},
        {"python": "3.13.1"},
        {"versions": {"assay": "0.2.0"}},
    ],
)
def test_another_machine_or_method_is_another_series(
    tmp_path: Path, changed: dict[str, object]
) -> None:
    for number, value in enumerate(np.exp(steady(1, runs=24))):
        factor = 1.5 if number >= 12 else 1.0
        write_run(
            tmp_path,
            number,
            {"latency.p50": float(value) * factor},
            changed=changed if number >= 12 else None,
        )
    results = of(tmp_path)
    assert [len(series.points) for series in results.series] == [12, 12]
    assert not any(series.changes for series in results.series)


@pytest.mark.parametrize(
    "changed",
    [
        {"platform": "Linux-6.1.0-19-amd64-x86_64-with-glibc2.36"},
        {"python": "3.12.8"},
        {"memory": 8 * 2**30 - 2**20},
        {"load average": [3.0, 2.0, 1.0]},
        {"versions": {"assay": "0.1.4", "locust": "2.44.0"}},
    ],
)
def test_a_small_difference_is_no_other_machine(
    tmp_path: Path, changed: dict[str, object]
) -> None:
    write_run(tmp_path, 0, {"latency.p50": 1.0})
    write_run(tmp_path, 1, {"latency.p50": 1.0}, changed=changed)
    assert len(only(of(tmp_path)).points) == 2


def test_what_else_changed_is_named(tmp_path: Path) -> None:
    for number, value in enumerate(np.exp(changing(1)[:40])):
        newer = {"versions": {"assay": "0.1.0", "locust": "2.44.0"}}
        write_run(
            tmp_path,
            number,
            {"latency.p50": float(value)},
            changed=newer if number >= 20 else None,
        )
    (change,) = only(of(tmp_path)).changes
    assert change.also_changed == ("locust 2.43.1 → 2.44.0",)


def test_tests_are_series_of_their_own(tmp_path: Path) -> None:
    logs = changing(1) - changing(1)[0]
    for number, value in enumerate(np.exp(logs)):
        write_run(tmp_path, number, {}, ratios={"time": float(value)}, tests=("a", "b"))
    results = of(tmp_path)
    assert [series.test for series in results.series] == ["a", "b"]
    for series in results.series:
        assert (series.kind, series.baseline) == ("comparisons", "base")
        assert [change.first for change in series.changes] == [20, 45]


def test_series_that_change_come_first(tmp_path: Path) -> None:
    for number in range(60):
        values = {
            "cpu_per_request": float(np.exp(steady(2)[number])),
            "latency.p50": float(np.exp(changing(1)[number])),
        }
        write_run(tmp_path, number, values)
    results = of(tmp_path)
    assert [series.metric for series in results.series] == [
        "latency.p50",
        "cpu_per_request",
    ]


def test_among_many_series_chance_finds_nothing(tmp_path: Path) -> None:
    many = {f"invented.{n}": steady(1000 + n, runs=30) for n in range(100)}
    for number in range(30):
        values = {name: float(np.exp(logs[number])) for name, logs in many.items()}
        write_run(tmp_path, number, values)
    results = of(tmp_path)
    assert len(results.series) == 100
    assert not any(series.changes or series.drift for series in results.series)


def test_the_machine_is_named(tmp_path: Path) -> None:
    write_run(tmp_path, 0, {"latency.p50": 1.0})
    series = only(of(tmp_path))
    assert series.machine == (
        f"{MACHINE['cpu']}, 1 + 1 cores, 8 GiB, Linux 6, Python 3.12"
    )
    assert series.method.startswith("Assay 0.1, schema 1; ")
    assert "users 4" in series.method
