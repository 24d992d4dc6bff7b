"""The doctor's findings about given measurements, and about this machine."""

import itertools
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.doctor import examination, trial
from assay.doctor.examination import (
    examine,
    examine_clock,
    examine_cores,
    examine_memory,
    examine_noise,
    examine_others,
)
from assay.doctor.finding import Finding, State
from assay.doctor.spin import Spin, spin
from assay.profilers import pyspy
from assay.system import processes


def test_this_machine_is_examined_whole() -> None:
    before = set(processes.tree(os.getpid()))
    findings = {finding.name: finding for finding in examine(0.3, quick=True)}
    assert set(findings) == {
        "cores",
        "pinning",
        "CPU clock",
        "run-delay",
        "py-spy",
        "steadiness",
        "stolen time",
        "other processes",
        "memory",
        "clock",
    }
    for finding in findings.values():
        assert (finding.advice == "") == (finding.state == "good"), finding
        assert (finding.value is None) == (finding.unit == ""), finding
    if sys.platform == "linux":
        assert findings["CPU clock"].state == "good"
    assert (findings["py-spy"].state == "good") == (not pyspy.attach_problem())
    assert set(processes.tree(os.getpid())) <= before


@pytest.mark.parametrize(
    ("readings", "state", "words"),
    [
        ([1.0, 1.01, 1.02], "poor", "in steps of 10 ms"),
        ([0.004, 0.012], "poor", "in steps of 8 ms"),
        ([1.0001, 1.0003], "good", "exact"),
        # The process rarely gets the CPU, but the clock is exact.
        ([1.000123, 1.011456], "good", "exact"),
        ([1.0], "bad", "cannot be read"),
    ],
)
def test_the_grain_of_the_cpu_clock(
    readings: list[float],
    state: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = itertools.cycle(readings)
    monkeypatch.setattr(examination, "CLOCK_SECONDS", 0.01)
    monkeypatch.setattr(examination, "CLOCK_PATIENCE", 0.02)
    monkeypatch.setattr(processes, "cpu_seconds", lambda pid: next(told))
    child = SimpleNamespace(pid=1)
    finding = examination._examine_cpu_clock(child)  # type: ignore[arg-type]
    assert (finding.state, words in finding.what) == (state, True)


def test_the_trial_comes_after_the_noise_and_is_told_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    noise = [Finding("steadiness", "poor", "it wanders", "wait")]
    asked: list[bool] = []

    def examine_resolution(folder: Path, steady: bool, say: object) -> list[Finding]:
        assert folder.is_dir()
        asked.append(steady)
        return [Finding("A/A trial", "good", "fine")]

    monkeypatch.setattr(examination, "measure_noise", lambda *_: noise)
    monkeypatch.setattr(trial, "examine_resolution", examine_resolution)
    said: list[str] = []
    names = [finding.name for finding in examine(2.0, say=said.append)]
    assert asked == [False]
    assert names.index("steadiness") + 1 == names.index("A/A trial")
    assert "watching the noise for 2 s" in said


def test_a_machine_without_pinning_is_examined_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    states = {finding.name: finding.state for finding in examine(0.1, quick=True)}
    assert states["pinning"] == "poor"
    assert states["cores"] in ("poor", "bad")


def test_cores_are_named() -> None:
    good = examine_cores(processes.Cores((0, 1), (2,)))
    assert good == Finding(
        "cores",
        "good",
        "target on cores 0, 1, load generator and the rest on core 2",
    )


@pytest.mark.parametrize(("count", "state"), [(1, "bad"), (2, "poor"), (None, "bad")])
def test_cores_that_cannot_be_split(
    monkeypatch: pytest.MonkeyPatch, count: int | None, state: State
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    assert examine_cores(processes.Cores()).state == state


@pytest.mark.parametrize(
    ("pieces", "state"),
    [
        ([1.00, 1.01, 0.99, 1.00, 1.01], "good"),
        ([1.00, 1.05, 0.95, 1.05, 0.96], "poor"),
        ([1.0, 1.4, 0.7, 1.3, 0.8], "bad"),
        ([1.0, 1.0, 1.0, 1.0, 50.0], "good"),  # the spread ignores one outlier
    ],
)
def test_steadiness(pieces: list[float], state: State) -> None:
    steadiness, _ = examine_noise(Spin(tuple(pieces), 0.0, 5.0), None)
    assert (steadiness.name, steadiness.state) == ("steadiness", state)


@pytest.mark.parametrize(
    ("run_delay", "steal", "state"),
    [
        (0.00, 0.00, "good"),
        (0.10, None, "poor"),
        (0.50, 0.00, "bad"),
        (0.00, 0.02, "poor"),
        (0.00, 0.30, "bad"),
    ],
)
def test_stolen_time(run_delay: float, steal: float | None, state: State) -> None:
    _, stolen = examine_noise(Spin((1.0, 1.0, 1.0), run_delay, 5.0), steal)
    assert (stolen.name, stolen.state) == ("stolen time", state)
    assert ("hypervisor" in stolen.what) == (steal is not None)


@given(
    st.lists(st.floats(1e-4, 1.0), min_size=3, max_size=50),
    st.floats(0.5, 2.0),
)
def test_spread_does_not_depend_on_the_machine_s_speed(
    pieces: list[float], speed: float
) -> None:
    scaled = tuple(piece * speed for piece in pieces)
    expected = Spin(tuple(pieces), 0, 1).spread
    assert Spin(scaled, 0, 1).spread == pytest.approx(expected, abs=1e-9)


def test_a_spin_is_many_pieces_of_one_size() -> None:
    done = spin(0.2)
    assert len(done.pieces) >= 3
    assert done.seconds == pytest.approx(sum(done.pieces), rel=0.5)
    assert done.run_delay >= 0


def test_a_spin_that_fails_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The child process fails, as in a damaged installation.
    monkeypatch.setattr(
        examination, "SPIN_PROGRAM", "raise SystemExit('no such thing')"
    )
    first, *_ = examination.measure_noise(tmp_path, processes.Cores(), 0.1)
    assert first.state == "bad"
    assert "the spin calibration failed: no such thing" in first.what


@pytest.mark.parametrize(
    ("busy", "state"), [(0.0, "good"), (0.3, "poor"), (1.5, "bad")]
)
def test_other_processes(busy: float, state: State) -> None:
    finding = examine_others(busy, 2, 0.5, ("postgres", "firefox") if busy else ())
    assert finding.state == state
    assert ("busiest: postgres, firefox" in finding.what) == bool(busy)


@pytest.mark.parametrize(
    ("available", "state"),
    [(0, "bad"), (2**20, "bad"), (2**29, "poor"), (2**30 + 1, "good")],
)
def test_memory(available: int, state: State) -> None:
    assert examine_memory(available).state == state


@pytest.mark.parametrize(
    ("source", "resolution", "state"),
    [
        ("tsc", 1e-9, "good"),
        ("", 4e-8, "good"),
        ("hpet", 1e-9, "poor"),
        ("", 1e-3, "poor"),
    ],
)
def test_clock(source: str, resolution: float, state: State) -> None:
    assert examine_clock(source, resolution).state == state
