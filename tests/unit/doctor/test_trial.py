"""The findings of the doctor's trial, and what it cleans up."""

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
from rich.console import Console

from assay.analysis.measurements import Measurements
from assay.doctor import trial
from assay.doctor.finding import Finding
from assay.doctor.reference import server
from assay.doctor.trial import Trial, judge
from assay.errors import MeasureError
from assay.metrics import DECIDING_METRICS
from assay.report import terminal_tables

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
with_cores = pytest.mark.skipif(CORES < 2, reason="needs two cores to pin to")
QUIET = dict.fromkeys(DECIDING_METRICS, 0.01)


def a_trial(**changed: Any) -> Trial:
    usual = {
        "spreads": QUIET,
        "launches": 6,
        "started": 6,
        "seconds": 3.3,
        "disturbed": 0.02,
    }
    return Trial(**{**usual, **changed})


def test_a_quiet_machine_finds_the_margin_within_a_minute() -> None:
    first, *others = judge(a_trial(), steady=True)
    assert first.what == "6 launches of 3.3 s, 2 % of their slices disturbed"
    assert [finding.name for finding in others] == list(DECIDING_METRICS)
    for finding in others:
        assert finding.state == "good" and not finding.advice
        assert finding.unit == "share"
        # 15 launches: half of the margin, for a spread of 1 %.
        assert finding.value == pytest.approx(0.0118, abs=5e-4)
        assert (
            finding.what == "a run detects a change of 1.2 % in 1 min, 0.5 % in 5 min"
        )


@pytest.mark.parametrize(
    ("sd", "seconds", "state"),
    [
        (0.01, 3.3, "good"),
        (0.07, 3.3, "poor"),  # 5 minutes, 60 launches: 3.5 %
        (0.15, 3.3, "bad"),
        (0.01, 6.0, "poor"),  # the first look comes after 90 s
        (0.01, 30.0, "bad"),  # the first look comes after the default time budget
    ],
)
def test_the_state_follows_the_time_that_the_margin_takes(
    sd: float, seconds: float, state: str
) -> None:
    spreads = {**QUIET, "throughput": sd}
    found = {f.name: f for f in judge(a_trial(spreads=spreads, seconds=seconds), True)}
    assert found["throughput"].state == state
    assert (found["throughput"].advice == "") == (state == "good")


def test_a_longer_launch_finds_less() -> None:
    values = [
        known(judge(a_trial(seconds=seconds), True)[1].value)
        for seconds in (1.0, 2.0, 3.0, 5.0)
    ]
    assert values == sorted(values) and values[0] < values[-1]


def test_a_late_first_look_says_when_it_comes() -> None:
    finding = judge(a_trial(seconds=6.0), True)[1]
    assert "in 1.5 min," in finding.what
    assert finding.advice == "5 % takes 15 launches, 1.5 min: allow that time"


@pytest.mark.parametrize(
    ("disturbed", "steady", "sd", "advice"),
    [
        (0.2, False, 0.07, "stop other processes"),
        (0.0, False, 0.07, "a dedicated machine"),
        (0.0, True, 0.07, "allow that time"),
        (0.0, True, 0.20, "a wider --margin"),
    ],
)
def test_advice_follows_from_what_was_found(
    disturbed: float, steady: bool, sd: float, advice: str
) -> None:
    noisy = a_trial(spreads=dict.fromkeys(DECIDING_METRICS, sd), disturbed=disturbed)
    first, cpu, *_ = judge(noisy, steady)
    assert advice in cpu.advice
    assert (first.state == "good") == (disturbed == 0)


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"launches": 2}, "4 of 6 launches were too disturbed to count"),
        ({"launches": 2, "started": 2}, "only 2 launches in 22 s"),
        ({"launches": 3, "started": 3, "seconds": None}, "only 3 launches"),
    ],
)
def test_too_few_launches_are_a_finding(changed: dict[str, Any], what: str) -> None:
    (finding,) = judge(a_trial(**changed), True)
    assert finding.state == "bad" and finding.advice
    assert what in finding.what


def test_a_metric_that_is_missing_is_a_finding() -> None:
    found = judge(a_trial(spreads={"throughput": 0.01}), True)
    assert [finding.state for finding in found] == ["good", "bad", "good", "bad"]


def test_spreads_are_read_from_the_tables() -> None:
    topic = trial.reference_topic()
    rng = np.random.default_rng(4)
    slices: list[dict[str, object]] = []
    values: list[dict[str, object]] = []
    for launch in range(40):
        took = {"topic": topic.name, "launch": launch, "variant": "", "value": 3.0}
        if launch < 38:  # the last two do not count
            values.append(took | {"metric": "seconds", "censored": False})
        for variant in ("first", "second"):
            speed = math.exp(rng.normal(0, 0.02 / math.sqrt(2)))
            usual = {"topic": topic.name, "launch": launch, "variant": variant}
            for block in range(3):
                for mode in ("closed", "open"):
                    slices.append(
                        {
                            **usual,
                            "mode": mode,
                            "block": block,
                            "disturbed": block == 2,
                            "cpu_per_request": speed if mode == "closed" else math.nan,
                            "throughput": 1.0 if mode == "closed" else math.nan,
                            "latency_p50": speed**2 if mode == "open" else math.nan,
                        }
                    )
            if launch < 38:
                row = {"metric": "throughput", "value": 1.0, "censored": False}
                values.append(usual | row)
    measured = Measurements(pd.DataFrame(slices), pd.DataFrame(values))
    found = trial.summarise(measured, topic)
    assert found.spreads["cpu_per_request"] == pytest.approx(0.02, rel=0.35)
    assert found.spreads["latency.p50"] == pytest.approx(0.04, rel=0.35)
    assert found.spreads["throughput"] == 0.0
    assert (found.launches, found.started) == (38, 40)
    assert found.seconds == pytest.approx(3.0 * 40 / 38)
    assert found.disturbed == pytest.approx(1 / 3)


def test_nothing_measured_is_read_too() -> None:
    found = trial.summarise(
        Measurements(pd.DataFrame(), pd.DataFrame()), trial.reference_topic()
    )
    assert found == Trial({}, 0, 0, None, 1.0)


@pytest.mark.parametrize("error", [MeasureError("no port:\n  x"), OSError("disk full")])
@with_cores
def test_what_fails_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(trial, "run_trial", fail)
    (finding,) = trial.examine_resolution(tmp_path, steady=True)
    assert (finding.name, finding.state) == ("A/A trial", "bad")
    assert " ".join(str(error).split()) in finding.what
    assert finding.advice


def test_one_core_is_not_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3}, raising=False)
    monkeypatch.setattr(trial, "run_trial", None)
    (finding,) = trial.examine_resolution(tmp_path, steady=True)
    assert finding.state == "bad"
    assert "not tried" in finding.what


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@with_cores
def test_stopping_it_leaves_nothing_behind(
    tmp_path: Path, number: signal.Signals
) -> None:
    command = [sys.executable, "-m", "assay", "doctor", "--seconds", "1"]
    doctor = subprocess.Popen(
        command,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        servers = wait_for_servers(doctor.pid)
        family = psutil.Process(doctor.pid).children(recursive=True)
        os.kill(doctor.pid, number)
        output, _ = doctor.communicate(timeout=30)
    finally:
        doctor.kill()
    assert servers
    _, left = psutil.wait_procs(family, timeout=10)
    assert not left
    assert not list(tmp_path.iterdir())
    if number == signal.SIGINT:
        assert doctor.returncode > 0
        assert "Traceback" not in output


def wait_for_servers(pid: int) -> list[psutil.Process]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        servers = []
        for child in psutil.Process(pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):  # it has just ended
                if server.__file__ in child.cmdline():
                    servers.append(child)
        if len(servers) >= 2:
            return servers
        time.sleep(0.05)
    return []


@pytest.mark.parametrize("split", [1, 10, 40])
def test_the_server_answers_every_request_however_it_arrives(split: int) -> None:
    class Transport:
        written = b""

        def write(self, data: bytes) -> None:
            self.written += data

    transport = Transport()
    connection: Any = server.Connection()
    connection._transport = transport
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 3
    for begin in range(0, len(request), split):
        connection.data_received(request[begin : begin + split])
    head, body, *_ = transport.written.split(b"\r\n\r\n")
    assert transport.written.count(b"HTTP/1.1 200 OK") == 3
    assert head.endswith(b"Content-Length: %d" % len(server.work()))
    assert body.startswith(server.work())
    assert json.loads(server.work())[:2] == [9, 8]


def shown(found: list[Finding]) -> list[str]:
    console = Console(file=StringIO(), width=80)
    terminal_tables.render([vars(finding) for finding in found], console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


def test_advice_stands_below_and_numbers_in_the_sentence() -> None:
    lines = shown(judge(a_trial(spreads={**QUIET, "throughput": 0.07}), True))
    assert "value" not in lines[0] and "advice" not in lines[0]
    row = next(i for i, line in enumerate(lines) if line.startswith("throughput"))
    assert lines[row + 1].strip().startswith("→ 5 % takes")
    assert len(lines) == 6
    assert max(map(len, lines)) <= 80


def test_what_a_target_says_cannot_steer_the_terminal() -> None:
    lines = shown(
        [Finding("A/A trial", "bad", "it failed: \x1b[2J", "try\x1b]0;x\x07")]
    )
    assert "\x1b" not in "".join(lines)


def test_the_status_is_for_terminals_only() -> None:
    for terminal in (True, False):
        output = StringIO()
        console = Console(file=output, force_terminal=terminal, width=80)
        with terminal_tables.status(console) as say:
            say("working")
        assert ("working …" in output.getvalue()) == terminal


def known[T](value: T | None) -> T:
    assert value is not None
    return value
