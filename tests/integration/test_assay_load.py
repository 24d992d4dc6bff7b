"""`assay load`, as people run it, against servers that behave well and badly."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as XML

import psutil
import pytest

from tests.integration.loads import LEAN, LOOK, command, fine, load, results, rows
from tests.integration.scripted import (
    CLOSE,
    RESET,
    Step,
    answer,
    serving,
)
from tests.integration.shop import ASSAY
from tests.repeated import repeated


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Any, int]]:
    """An undisturbed test: its folder, its process, and its number of requests."""
    folder = tmp_path_factory.mktemp("good")
    with serving(fine) as server:
        done = load(
            folder,
            server,
            *("--rate", "100", "--duration", "3s", "--arrivals", "even", "--seed", "5"),
            *("--require", "errors <= 0.1%", "--require", "rate >= 90/s"),
            *("--require", "latency.p50 of /orders <= 10s"),
        )
        yield folder, done, len(server.requests)


def test_every_arrival_is_accounted_for(good: tuple[Path, Any, int]) -> None:
    folder, done, served = good
    assert done.returncode == 0, done.stdout + done.stderr
    found = results(folder)
    # Even arrivals are exact: 100 a second for 3 s.
    assert (found["planned"], found["done"], found["unserved"]) == (300, 300, 0)
    every = rows(found)["request", ""]
    assert every["failed"] == 0
    own = [
        row for (kind, name), row in rows(found).items() if kind == "request" and name
    ]
    assert sum(row["requests"] for row in own) == every["requests"]
    # Requests that are not counted only opened connections of users.
    assert every["requests"] <= served <= every["requests"] + 2 * 20
    assert not found["partial"] and found["seed"] == 5


def test_tasks_of_several_requests_have_a_latency_of_their_own(
    good: tuple[Path, Any, int],
) -> None:
    found = rows(results(good[0]))
    task = found["task", "buy"]
    assert ("task", "look") not in found
    assert task["requests"] == found["request", "/orders"]["requests"] > 20
    both = found["request", "/cart"]["latency"]["p50"]
    assert task["latency"]["p50"] > both
    assert task["failed"] == 0


def test_percentiles_are_those_of_the_samples(good: tuple[Path, Any, int]) -> None:
    import numpy as np
    import pandas as pd

    folder = good[0]
    files = sorted((folder / "out" / "samples").glob("requests-*.parquet"))
    samples = pd.concat([pd.read_parquet(file) for file in files])
    every = rows(results(folder))["request", ""]
    assert len(samples) == every["requests"]
    waited = (samples["waited"] + samples["end"] - samples["start"]).to_numpy()
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
        exact = float(np.quantile(waited, share, method="inverted_cdf"))
        assert every["latency"][name] == exact
    assert every["latency"]["mean"] == pytest.approx(waited.mean())


def test_all_formats_tell_the_same(good: tuple[Path, Any, int]) -> None:
    folder, done, _ = good
    page = (folder / "out" / "index.html").read_text()
    summary = (folder / "out" / "summary.md").read_text()
    for text in (page, summary, done.stdout):
        assert "/orders" in text and "buy (task)" in text
        assert "300 planned = 300 done" in text
    suite = XML.parse(folder / "out" / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == (
        *("3", "0", "0"),
    )
    assert done.stdout.strip().splitlines()[-1] == "out" or "/out" in done.stdout


def test_the_report_can_be_built_again(good: tuple[Path, Any, int]) -> None:
    folder = good[0]
    before = results(folder)
    for file in ("results.json", "index.html"):
        (folder / "out" / file).unlink()
    done = subprocess.run(
        [*ASSAY, "report", "out", "--format", "html,csv,json"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert results(folder) == before
    assert "/orders" in (folder / "out" / "requests.csv").read_text()


def test_a_seed_repeats_arrivals_and_tasks(tmp_path: Path) -> None:
    orders = []
    for name, seed in (("a", "7"), ("b", "7"), ("c", "8")):
        (tmp_path / name).mkdir()
        with serving(fine) as server:
            words = ("--rate", "80", "--duration", "2s", "--seed", seed)
            done = load(tmp_path / name, server, *words)
        assert done.returncode == 0, done.stderr
        found = results(tmp_path / name)
        counts = {key: row["requests"] for key, row in rows(found).items()}
        orders.append((found["planned"], counts))
    assert orders[0] == orders[1] != orders[2]


@pytest.mark.parametrize(
    ("require", "code", "verdict"),
    [
        ("latency.p50 <= 10s", 0, "holds"),
        ("latency.p50 <= 1us", 1, "refuted"),
        ("latency.p999 <= 10s", 3, "undecided"),
        ("rate >= 10000/s", 1, "refuted"),
        ("errors of /nowhere <= 1%", 3, "undecided"),
    ],
)
def test_requirements_gate(
    tmp_path: Path, require: str, code: int, verdict: str
) -> None:
    # The server is so slow that no delay of the generator matters.
    with serving(lambda number, request: [0.05, answer()]) as server:
        words = ("--rate", "60", "--duration", "1s", "--require", require)
        done = load(tmp_path, server, *words)
    found = results(tmp_path)
    assert done.returncode == code, done.stdout
    assert [item["verdict"] for item in found["requirements"]] == [verdict]
    assert require in done.stdout


def test_a_closed_loop_and_a_number_of_tasks(tmp_path: Path) -> None:
    with serving(fine) as server:
        done = load(tmp_path, server, "--users", "3", "--iterations", "50")
    found = results(tmp_path)
    assert done.returncode == 0, done.stderr
    assert (found["planned"], found["done"]) == (50, 50)
    assert found["loaded"] < 20


THINKING = LEAN.replace(
    "network_timeout", "wait_time = constant(0.2)\n    network_timeout"
)
THINKING = THINKING.replace("import task", "import constant, task")


def test_users_think_if_they_are_to(tmp_path: Path) -> None:
    counts = []
    for name, words in (("busy", ()), ("thinking", ("--think-time",))):
        (tmp_path / name).mkdir()
        with serving(fine) as server:
            load(
                tmp_path / name,
                server,
                *("--users", "2", "--duration", "2s", *words),
                text=THINKING,
            )
        counts.append(results(tmp_path / name)["done"])
    busy, thinking = counts
    # For each of two users, ten pauses of 0.2 s fit into 2 s.
    assert thinking <= 24 < busy


HOSTILE: list[tuple[str, Sequence[Step], str]] = [
    ("errors", [answer(b"no", "503 Busy")], "status 503"),
    ("resets", [RESET], "reset"),
    ("half answers", [answer(b"hello")[:-2], CLOSE], "ended in the body"),
    (
        "endless headers",
        [b"HTTP/1.1 200 OK\r\n", *[b"X: " + b"a" * 999 + b"\r\n"] * 99],
        "does not end",
    ),
    (
        "slow bytes",
        [step for x in b"HTTP/1.1 200" for step in (bytes([x]), 0.3)],
        "in time",
    ),
    (
        "huge bodies",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n",
            *[b"x" * 10**6] * 100,
        ],
        "",
    ),
]


@pytest.mark.parametrize(
    ("steps", "kind"), [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE]
)
def test_whatever_the_server_does_it_is_counted_by_kind(
    tmp_path: Path, steps: Sequence[Step], kind: str
) -> None:
    # Only the slow case has a short timeout, because a busy machine is slow, too.
    impatient = LEAN.replace("network_timeout = 30.0", "network_timeout = 1.0")
    with serving(lambda number, request: steps) as server:
        began = time.monotonic()
        done = load(
            tmp_path,
            server,
            *("--rate", "10", "--duration", "2s", "--arrivals", "even"),
            *("--drain", "3s", "--require", "errors <= 1%"),
            text=impatient if kind == "in time" else LEAN,
        )
    assert time.monotonic() - began < 60
    found = results(tmp_path)
    assert found["planned"] == 20
    if not kind:
        assert done.returncode in (0, 1), done.stderr
        return
    assert done.returncode == 1, done.stdout
    every = rows(found)["request", ""]
    assert every["failed"] == every["requests"] >= 20
    assert [error for error in found["errors"] if kind in error]
    # Errors are grouped by kind: few messages, however many requests failed.
    assert len(found["errors"]) <= 4


def test_a_server_that_never_answers_loses_no_arrival(tmp_path: Path) -> None:
    silent = LEAN.replace("network_timeout = 30.0", "network_timeout = 60.0")
    with serving(lambda number, request: [60.0]) as server:
        words = ("--rate", "50", "--duration", "1s", "--arrivals", "even")
        done = load(
            tmp_path,
            server,
            *(*words, "--users", "5", "--drain", "1s"),
            *("--require", "latency.p50 <= 1s"),
            text=silent,
        )
    found = results(tmp_path)
    assert (found["planned"], found["done"], found["unserved"]) == (50, 0, 50)
    assert done.returncode == 1
    assert "never answered" in done.stdout
    every = rows(found)["request", ""]
    assert (every["requests"], every["latency"]["p50"]) == (50, "Infinity")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_ctrl_c_ends_in_order_with_all_accounted_for(
    tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "locustfile.py").write_text(LEAN)
    with serving(fine) as server:
        process = subprocess.Popen(
            command(server, "--rate", "50", "--duration", "60s"),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # Under nohup, SIGHUP is ignored, and child processes inherit that.
            preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
        )
        deadline = time.monotonic() + 90
        while len(server.requests) < 60:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.1)
        children = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, number)
        out, error = process.communicate(timeout=90)
    assert process.returncode == 4, error
    found = results(tmp_path)
    assert found["partial"] and found["unserved"] == 0
    # Without results.json, the other files still show that the test was stopped.
    (tmp_path / "out" / "results.json").unlink()
    again = subprocess.run([*ASSAY, "report", "out"], cwd=tmp_path, capture_output=True)
    assert again.returncode == 0 and results(tmp_path)["partial"]
    assert 30 < found["planned"] < 2000
    assert "partial" in out
    gone, alive = psutil.wait_procs(children, timeout=30)
    assert not alive


def test_a_test_that_was_killed_is_reported_as_far_as_it_went(tmp_path: Path) -> None:
    (tmp_path / "locustfile.py").write_text(LEAN)
    with serving(fine) as server:
        process = subprocess.Popen(
            command(server, "--rate", "50", "--duration", "60s"),
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        ticks = tmp_path / "out" / "ticks.jsonl"
        deadline = time.monotonic() + 90
        while not ticks.exists() or len(ticks.read_text().splitlines()) < 8:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.1)
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
    gone, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
    done = subprocess.run(
        [*ASSAY, "report", "out"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = results(tmp_path)
    assert found["partial"] and found["planned"] > 50
    # Only the samples of the last seconds are lost.
    assert rows(found)["request", ""]["requests"] > 50
    assert "partial" in (tmp_path / "out" / "summary.md").read_text()


@pytest.mark.parametrize("client", ["FastHttpUser", "HttpUser", "LeanHttpUser"])
def test_statuses_and_sizes_are_known_of_every_client(
    tmp_path: Path, client: str
) -> None:
    text = LOOK.replace("import task", "import FastHttpUser, HttpUser, task")
    with serving(lambda number, request: [answer(b"x" * 70)]) as server:
        load(
            *(tmp_path, server, "--iterations", "20", "--workers", "2"),
            text=text.replace("(LeanHttpUser)", f"({client})"),
        )
    found = rows(results(tmp_path))["request", "/look"]
    assert found["statuses"] == {"200": 20}
    assert (found["size_mean"], found["size_max"]) == (70, 70)


@repeated
@pytest.mark.parametrize("workers", [(), ("--workers", "2")])
def test_the_number_of_users_follows_its_stages(
    tmp_path: Path, workers: tuple[str, ...]
) -> None:
    stages = "0..6 in 3s, 6 for 3s, 2 for 3s, 2..0 in 1s"
    with serving(fine) as server:
        done = load(tmp_path, server, "--users", stages, *workers)
    assert done.returncode == 0, done.stdout + done.stderr
    found = results(tmp_path)
    assert (found["unserved"], round(found["loaded"])) == (0, 10)
    lines = (tmp_path / "out" / "ticks.jsonl").read_text().splitlines()
    users = [json.loads(line)["users"] for line in lines][:9]
    assert users[:3] == sorted(users[:3]) and 0 < users[0] < 6
    assert users[3:5] == [6, 6] and users[7] == 2
    assert f"users: {stages}" in (tmp_path / "out" / "summary.md").read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["locustfile.py", "--host", "example.com", "--rate", "5"], "http://"),
        (["locustfile.py", "--host", "http://127.0.0.1:9"], "--users 20"),
        (["nothing.py", "--host", "http://127.0.0.1:9", "--rate", "5"], "nothing.py"),
        (
            ["locustfile.py", "--host", "http://127.0.0.1:9", "--rate", "fast"],
            "ramp 100..500",
        ),
        (
            [
                "locustfile.py",
                "--host",
                "http://127.0.0.1:9",
                "--rate",
                "5",
                "--duration",
                "soon",
            ],
            "30s",
        ),
        (
            [
                "locustfile.py",
                "--host",
                "http://127.0.0.1:9",
                "--rate",
                "5",
                "--require",
                "p99 < 5",
            ],
            "latency.p99 <= 50ms",
        ),
        (
            [
                "locustfile.py",
                "--host",
                "http://127.0.0.1:9",
                "--rate",
                "5",
                "--require",
                "latency.p98 <= 5s",
            ],
            "did you mean",
        ),
        (
            [
                "locustfile.py",
                "--host",
                "http://127.0.0.1:9",
                "--rate",
                "5",
                "--think-time",
            ],
            "leave out",
        ),
        (["locustfile.py", "--host", "http://127.0.0.1:9", "--rate", "0"], "above 0"),
        (
            ["locustfile.py", "--host", "http://127.0.0.1:9", "--rate", "ramp 0..0"],
            "above 0",
        ),
        (
            [
                *("locustfile.py", "--host", "http://127.0.0.1:9", "--duration", "1m"),
                *("--rate", "steps 1,2 each 10s"),
            ],
            "lasts 20 s, and --duration says 60 s",
        ),
        (
            [
                "locustfile.py",
                "--host",
                "http://127.0.0.1:9",
                "--rate",
                "5",
                "--arrivals",
                "odd",
            ],
            "'even'",
        ),
    ],
)
def test_bad_input_is_refused_with_what_to_type(
    tmp_path: Path, words: list[str], told: str
) -> None:
    (tmp_path / "locustfile.py").write_text(LEAN)
    done = subprocess.run(
        [*ASSAY, "load", *words], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert told in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "reports").exists()


def test_names_from_a_target_are_shown_as_they_are_and_do_nothing(
    tmp_path: Path,
) -> None:
    text = LEAN.replace('"/look"', '"/look", name="<script>alert(1)</script>|[red]"')
    with serving(fine) as server:
        done = load(tmp_path, server, "--rate", "30", "--duration", "1s", text=text)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "out" / "index.html").read_text()
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page
    summary = (tmp_path / "out" / "summary.md").read_text()
    assert "<script>" not in summary
    assert "[red]" in done.stdout
    XML.parse(tmp_path / "out" / "junit.xml")


@repeated
def test_the_capacity_of_a_service_is_found(tmp_path: Path) -> None:
    one_at_a_time = threading.Lock()

    def slow(number: int, request: bytes) -> Sequence[Step]:
        with one_at_a_time:
            time.sleep(0.01)  # so at most 100 requests a second
        return [answer()]

    with serving(slow) as server:
        done = load(
            tmp_path,
            server,
            *("--find-capacity", "--slo", "p90 <= 150ms and errors <= 1%"),
            *("--duration", "3s", "--most", "400", "--users", "60", "--seed", "3"),
            text=LOOK,
            timeout=600,
        )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "capacity.json").read_text())
    assert found["low"] is not None and found["high"] is not None
    assert 30 < found["low"] < found["high"] < 130
    assert found["high"] / found["low"] < 1.11
    assert "meets latency.p90 <= 150ms" in done.stdout
    page = (tmp_path / "out" / "index.html").read_text()
    assert "Latency against rate" in page
    probes = sorted((tmp_path / "out" / "probes").iterdir())
    assert len(probes) == len(found["probes"])
    for probe in probes:
        kept = json.loads((probe / "results.json").read_text())
        assert kept["planned"] == kept["done"] + kept["dropped"] + kept["unserved"]


@repeated
def test_how_a_service_scales_is_found(tmp_path: Path) -> None:
    one_at_a_time = threading.Lock()

    def alone(number: int, request: bytes) -> Sequence[Step]:
        with one_at_a_time:
            time.sleep(0.03)  # so requests are served one at a time
        return [answer()]

    (tmp_path / "locustfile.py").write_text(LOOK)
    words = ["--sweep", "1,2,4,8,16", "--duration", "2s", "--seed", "3"]
    with serving(alone) as server:
        done = subprocess.run(
            [
                *(*ASSAY, "load", "locustfile.py", "--host", server.url),
                *("--output", "out", *words),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=600,
        )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "sweep.json").read_text())
    assert [point["users"] for point in found["points"]] == [
        *(1, 1, 2, 2, 4, 4, 8, 8, 16, 16),
    ]
    # Requests are served one at a time: at most 33 a second, with any number of users.
    assert max(point["rate"] for point in found["points"]) < 33.7
    assert 7 < found["law"]["rate"] < 37
    assert 0.5 < found["law"]["contention"] < 1.5
    assert "requests a second" in done.stdout
    page = tmp_path / "out" / "index.html"
    assert "Throughput against users" in page.read_text()
    before = page.read_text()
    page.unlink()
    again = subprocess.run(
        [*ASSAY, "report", "out"], cwd=tmp_path, capture_output=True, text=True
    )
    assert again.returncode == 0, again.stderr
    assert page.read_text() == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--sweep", "1,2,4", "--rate", "5"], "leave out --rate"),
        (["--sweep", "4"], "1,2,4,8"),
        (["--sweep", "0,1"], "1,2,4,8"),
        (["--sweep", "many"], "1,2,4,8"),
        (["--sweep", "1,2", "--workers", "2"], "too few for 2 workers"),
        (
            ["--sweep", "1,2", "--master", "--expect-workers", "2"],
            "too few for 2 workers",
        ),
        (["--sweep", "1,2", "--find-capacity", "--slo", "p99 <= 1s"], "leave out"),
        (["--find-capacity"], "--slo"),
        (["--slo", "p99 <= 50ms"], "--find-capacity"),
        (["--find-capacity", "--slo", "fast"], "errors <= 0.1%"),
        (["--find-capacity", "--slo", "p99 <= 1s", "--rate", "5"], "leave out --rate"),
    ],
)
def test_what_does_not_go_together_is_refused(
    tmp_path: Path, words: list[str], told: str
) -> None:
    (tmp_path / "locustfile.py").write_text(LEAN)
    done = subprocess.run(
        [*ASSAY, "load", "locustfile.py", "--host", "http://127.0.0.1:9", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert told in done.stderr
