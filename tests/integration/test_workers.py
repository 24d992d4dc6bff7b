"""Load tests that several processes share, on Locust's master/worker protocol."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import psutil
import pytest
import zmq

from assay.load import protocol
from tests.integration.loads import LOOK, command, fine, load, results, rows
from tests.integration.scripted import Scripted, answer, serving
from tests.integration.shop import ASSAY

EVEN = ("--arrivals", "even", "--seed", "5")
TWO = ("--workers", "2")


def workers_of(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """Wait until both workers of a command run, and return them."""
    until = time.monotonic() + 40
    while time.monotonic() < until:
        found = [
            child
            for child in psutil.Process(process.pid).children(recursive=True)
            if any(word.startswith("worker:") for word in child.cmdline())
        ]
        if len(found) == 2:
            return found
        time.sleep(0.1)
    raise AssertionError("no two workers")


def started(
    folder: Path, server: Scripted, *words: str, text: str = LOOK
) -> "subprocess.Popen[str]":
    """Start the command, and wait until the load has begun."""
    (folder / "locustfile.py").write_text(text)
    process = subprocess.Popen(
        command(server, *words),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    ticks = folder / "out" / "ticks.jsonl"
    while not ticks.exists():
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.1)
    return process


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Any]]:
    """An undisturbed load test with two workers: its folder and its process."""
    folder = tmp_path_factory.mktemp("shared")
    with serving(fine) as server:
        done = load(
            folder,
            server,
            *("--rate", "100", "--duration", "3s", *EVEN, *TWO),
            *("--require", "errors <= 0.1%"),
        )
        yield folder, done


def test_two_workers_do_the_work_of_one(shared: tuple[Path, Any]) -> None:
    folder, done = shared
    assert done.returncode == 0, done.stdout + done.stderr
    found = results(folder)
    assert (found["planned"], found["done"], found["partial"]) == (300, 300, False)
    assert [w["planned"] for w in found["workers"]] == [150, 150]
    assert [w["lost"] for w in found["workers"]] == ["", ""]
    every = rows(found)["request", ""]
    assert sum(
        row["requests"]
        for (kind, name), row in rows(found).items()
        if kind == "request" and name
    ) == (every["requests"])
    page = (folder / "out" / "index.html").read_text()
    summary = (folder / "out" / "summary.md").read_text()
    for text in (page, summary):
        assert text.count("did its part") == 2


def test_workers_do_not_do_the_same(shared: tuple[Path, Any]) -> None:
    import pandas as pd

    files = sorted((shared[0] / "out" / "samples").glob("requests-*.parquet"))
    samples = pd.concat([pd.read_parquet(file) for file in files])
    first = samples[samples["scheduled"] > 0].drop_duplicates("scheduled")
    own = [first[first["user"] < 10], first[first["user"] >= 10]]
    # Each worker has ten users, 0 to 9 or 10 to 19, and 150 arrivals. Later requests of
    # a task have a time in `scheduled`, too, so a worker can have more than 150 rows.
    assert min(len(part) for part in own) >= 150
    assert not set(own[0]["scheduled"]) & set(own[1]["scheduled"])


def test_a_worker_that_is_killed_is_counted_and_named(tmp_path: Path) -> None:
    with serving(fine) as server:
        words = ("--rate", "60", "--duration", "6s", *EVEN, *TWO)
        process = started(tmp_path, server, *words)
        killed = workers_of(process)[0]
        killed.kill()
        out, errors = process.communicate(timeout=60)
    found = results(tmp_path)
    assert process.returncode == 4, out + errors
    # The whole schedule is accounted for, and the other one has done its half.
    assert (found["planned"], found["partial"]) == (360, True)
    lost, kept = sorted(found["workers"], key=lambda w: not w["lost"])
    assert lost["name"].endswith(f":{killed.pid}")
    assert (kept["done"], kept["unserved"], kept["lost"]) == (180, 0, "")
    assert lost["planned"] == 180 and lost["unserved"] > 0
    assert found["unserved"] == lost["unserved"]
    for text in (out, (tmp_path / "out" / "summary.md").read_text()):
        assert "was lost" in text and "count as unserved" in text


def test_ctrl_c_ends_all_workers_in_order(tmp_path: Path) -> None:
    with serving(fine) as server:
        words = ("--rate", "60", "--duration", "60s", *EVEN, *TWO)
        process = started(tmp_path, server, *words)
        workers = workers_of(process)
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60)
    found = results(tmp_path)
    assert process.returncode == 4, out + errors
    assert found["partial"] and found["unserved"] == found["dropped"] == 0
    assert [worker["lost"] for worker in found["workers"]] == ["", ""]
    assert psutil.wait_procs(workers, timeout=10)[1] == []


def test_no_worker_outlives_a_command_that_is_killed(tmp_path: Path) -> None:
    with serving(fine) as server:
        words = ("--rate", "20", "--duration", "60s", *TWO)
        process = started(tmp_path, server, *words)
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.communicate()
        assert psutil.wait_procs(family, timeout=15)[1] == []


ARGUMENTS = """\
from locust import events, task
from assay.load import LeanHttpUser


@events.init_command_line_parser.add_listener
def options(parser):
    parser.add_argument("--where", default="/default")


class Visitor(LeanHttpUser):
    @task
    def look(self):
        self.client.get(self.environment.parsed_options.where)
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def test_workers_join_a_master_and_get_its_locustfile_and_arguments(
    tmp_path: Path,
) -> None:
    address = f"127.0.0.1:{free_port()}"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    join = [*ASSAY, "worker", "--wait", "2m", "--join", address]
    with serving(fine) as server:
        helpers = [
            subprocess.Popen(join, cwd=elsewhere, stderr=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        try:
            done = load(
                tmp_path,
                server,
                *("--rate", "50", "--duration", "2s", *EVEN),
                *("--master", "--expect-workers", "2", "--bind", address),
                *("--", "--where", "/there"),
                text=ARGUMENTS,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            told = [helper.communicate(timeout=20)[1] for helper in helpers]
        finally:
            for helper in helpers:
                helper.kill()
    assert [helper.returncode for helper in helpers] == [0, 0], told
    assert all("joined as worker" in text for text in told)
    found = results(tmp_path)
    assert (found["planned"], found["done"], len(found["workers"])) == (100, 100, 2)
    assert ("request", "/there") in rows(found)
    assert list(elsewhere.iterdir()) == []


FILES = {
    "one/locustfile.py": ARGUMENTS.replace("Visitor", "One"),
    "two/locustfile.py": LOOK.replace("Visitor", "Two"),
}


@pytest.mark.parametrize("named", [False, True])
def test_workers_run_the_classes_of_all_files(tmp_path: Path, named: bool) -> None:
    address = f"127.0.0.1:{free_port()}"
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    files = ",".join(FILES)
    join = [
        *ASSAY,
        "worker",
        "--wait",
        "2m",
        "--join",
        address,
        *([files] if named else []),
    ]
    with serving(fine) as server:
        helper = subprocess.Popen(join, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        try:
            done = subprocess.run(
                [
                    *(*ASSAY, "load", files, "--host", server.url, "--output", "out"),
                    *("--rate", "50", "--duration", "2s", *EVEN),
                    *("--master", "--expect-workers", "1", "--bind", address),
                ],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=90,
            )
            told = helper.communicate(timeout=20)[1]
        finally:
            helper.kill()
    assert done.returncode == 0, done.stdout + done.stderr + told
    found = {name for kind, name in rows(results(tmp_path)) if kind == "request"}
    assert {"/default", "/look"} <= found


def test_a_worker_that_is_stopped_leaves_in_order(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    (tmp_path / "locustfile.py").write_text(LOOK)
    join = [*ASSAY, "worker", "--wait", "2m", "--join", address, "locustfile.py"]
    with serving(fine) as server:
        helpers = [
            subprocess.Popen(join, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        try:
            process = started(
                tmp_path,
                server,
                *("--rate", "60", "--duration", "5s", *EVEN),
                *("--master", "--expect-workers", "2", "--bind", address),
            )
            helpers[0].send_signal(signal.SIGTERM)
            out, errors = process.communicate(timeout=60)
            told = [helper.communicate(timeout=20)[1] for helper in helpers]
        finally:
            for helper in helpers:
                helper.kill()
    assert process.returncode == 4, out + errors
    found = results(tmp_path)
    assert found["planned"] == 300
    assert sorted(worker["lost"] for worker in found["workers"]) == ["", "it left"]
    assert "stopped" in told[0] and helpers[0].returncode == 4


def test_a_worker_ends_when_its_master_is_gone(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    with serving(fine) as server:
        helper = subprocess.Popen(
            [*ASSAY, "worker", "--wait", "2m", "--join", address],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            process = started(
                tmp_path,
                server,
                *("--rate", "20", "--duration", "60s"),
                *("--master", "--expect-workers", "1", "--bind", address),
            )
            children = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            process.communicate()
            psutil.wait_procs(children, timeout=15)
            _, errors = helper.communicate(timeout=40)
        finally:
            helper.kill()
    assert helper.returncode in (0, 4)
    assert "the master" in errors


NOISE: list[bytes] = [
    b"x",
    b"",
    b"\xc1",
    msgpack.dumps(("client_ready", 1, "stranger")),
    msgpack.dumps(("locustfile", None, "stranger")),
    msgpack.dumps(("assay", {"header": {"event": "joined"}, "body": b""}, "stranger")),
    msgpack.dumps(("assay", {}, "somebody else")),
    msgpack.dumps((1, 2, 3)),
]


def test_strangers_on_the_port_disturb_nobody(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    (tmp_path / "locustfile.py").write_text(LOOK)
    context = zmq.Context()
    with serving(fine) as server:
        helper = subprocess.Popen(
            [*ASSAY, "worker", "--wait", "2m", "--join", address, "locustfile.py"],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
        )
        stranger = context.socket(zmq.DEALER)
        try:
            process = started(
                tmp_path,
                server,
                *("--rate", "30", "--duration", "8s", *EVEN),
                *("--master", "--expect-workers", "1", "--bind", address),
            )
            stranger.setsockopt(zmq.IDENTITY, b"stranger")
            stranger.connect(f"tcp://{address}")
            for noise in NOISE:
                stranger.send(noise)
            out, errors = process.communicate(timeout=60)
            helper.communicate(timeout=20)
        finally:
            helper.kill()
            stranger.close(linger=0)
            context.term()
    assert process.returncode == 0, out + errors
    found = results(tmp_path)
    assert (found["planned"], found["done"]) == (240, 240)
    assert helper.returncode == 0


def impostor(
    address: str, nonsense: dict[Any, Any], server: Scripted, over: threading.Event
) -> None:
    """Join as a worker, obey the master, but send invalid data about the load test."""
    context = zmq.Context()
    channel = context.socket(zmq.DEALER)
    channel.setsockopt(zmq.IDENTITY, b"impostor")
    channel.connect(f"tcp://{address}")

    def say(kind: str, data: object) -> None:
        channel.send(msgpack.dumps((kind, data, "impostor")))

    def tell(**header: object) -> None:
        say("assay", {"header": header, "body": b""})

    say("client_ready", -1)
    version = protocol.VERSION
    # The master must ignore fields that no worker sends, such as `more`.
    tell(event="joined", version=version, host="me", pid=1, speed=9.0, more=b"\xff")
    try:
        while not over.is_set():
            say("heartbeat", {"state": "ready", "current_cpu_usage": 1})
            if not channel.poll(300):
                continue
            kind, data, _ = msgpack.loads(channel.recv())
            if kind != "assay" or "do" not in data:
                continue
            begun = {"seconds": 0.1, "requests": 0, "failed": 0, "errors": {}}
            tell(event="answer", do=data["do"], target=begun)
            if data["do"] == "load":
                # Wait until all have begun: a worker lost earlier would end the test.
                while len(server.requests) < 3 and not over.wait(0.05):
                    pass
                say("assay", {"header": {"event": "tick", **nonsense}, "body": b""})
    finally:
        channel.close(linger=0)
        context.term()


@pytest.mark.parametrize(
    ("nonsense", "why"),
    [
        ({}, protocol.MALFORMED),
        ({"requests": -5, "iterations": 0}, protocol.MALFORMED),
        ({"requests": b"\xff"}, protocol.MALFORMED),
        ({1: 2}, protocol.MALFORMED),
        ({"error": "its disk is full"}, "its disk is full"),
    ],
    ids=["nothing", "no number", "no text", "no name", "an error"],
)
def test_a_worker_that_fails_or_tells_nonsense_is_lost_and_the_other_goes_on(
    tmp_path: Path, nonsense: dict[Any, Any], why: str
) -> None:
    address = f"127.0.0.1:{free_port()}"
    (tmp_path / "locustfile.py").write_text(LOOK)
    over = threading.Event()
    with serving(fine) as server:
        told = (address, nonsense, server, over)
        talking = threading.Thread(target=impostor, args=told)
        helper = subprocess.Popen(
            [*ASSAY, "worker", "--wait", "2m", "--join", address, "locustfile.py"],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
        )
        talking.start()
        try:
            done = load(
                tmp_path,
                server,
                *("--rate", "40", "--duration", "2s", *EVEN, "--master"),
                *("--expect-workers", "2", "--bind", address),
                text=LOOK,
            )
            helper.communicate(timeout=20)
        finally:
            over.set()
            talking.join()
            helper.kill()
    assert done.returncode == 4 and "Traceback" not in done.stderr, done.stderr
    found = results(tmp_path)
    lost = {worker["name"]: worker["lost"] for worker in found["workers"]}
    assert lost.pop("me:1") == why
    assert list(lost.values()) == [""]
    assert found["planned"] == 80 and 0 < found["done"] < 80


SLOW_TO_LEAVE = """\
import time
from locust import constant, task
from assay.load import LeanHttpUser


class Visitor(LeanHttpUser):
    def on_stop(self):
        time.sleep(0.5)

    @task
    def look(self):
        self.client.get("/look")
"""


def test_a_worker_that_leaves_slowly_has_not_done_its_part(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    with serving(lambda number, request: [0.05, answer()]) as server:
        helpers = [
            subprocess.Popen(
                [*ASSAY, "worker", "--wait", "2m", "--join", address],
                cwd=tmp_path,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        try:
            process = started(
                tmp_path,
                server,
                *("--duration", "6s", "--master", "--expect-workers", "2"),
                *("--bind", address),
                text=SLOW_TO_LEAVE,
            )
            helpers[0].send_signal(signal.SIGTERM)
            out, errors = process.communicate(timeout=60)
            for helper in helpers:
                helper.communicate(timeout=20)
        finally:
            for helper in helpers:
                helper.kill()
    assert process.returncode == 4, out + errors
    found = results(tmp_path)
    assert sorted(worker["lost"] for worker in found["workers"]) == ["", "it left"]
    # Requests that the worker had in flight when it left do not count as done.
    every = rows(found)["request", ""]
    assert every["requests"] >= found["done"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--workers", "2", "--users", "1", "--rate", "5"], "too few for 2 workers"),
        (["--workers", "2", "--users", "5", "--iterations", "1"], "--iterations 1"),
        (["--rate", "5", "--master"], "--expect-workers 2"),
        (["--rate", "5", "--bind", "*:5557"], "need --master"),
        (
            ["--rate", "5", "--master", "--expect-workers", "2", "--workers", "2"],
            "leave out one",
        ),
        (
            ["--rate", "5", "--master", "--expect-workers", "2", "--bind", "here"],
            "HOST:PORT",
        ),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, words: list[str], said: str) -> None:
    with serving(fine) as server:
        (tmp_path / "locustfile.py").write_text(LOOK)
        done = subprocess.run(
            [*ASSAY, "load", "locustfile.py", "--host", server.url, *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=90,
        )
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr and "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with serving(fine) as server:
        done = load(
            tmp_path,
            server,
            *("--rate", "5", "--master", "--expect-workers", "1"),
            *("--bind", f"127.0.0.1:{server.port}"),
        )
    assert done.returncode == 2
    assert f"--bind 127.0.0.1:{server.port}" in done.stderr


@pytest.mark.parametrize("join", ["here", "here:", ":5557", "here:99999999"])
def test_a_master_without_an_address_is_refused(tmp_path: Path, join: str) -> None:
    done = subprocess.run(
        [*ASSAY, "worker", "--join", join],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2 and "HOST:PORT" in done.stderr


def test_a_worker_without_a_master_ends_with_advice(tmp_path: Path) -> None:
    done = subprocess.run(
        [*ASSAY, "worker", "--join", f"127.0.0.1:{free_port()}", "--wait", "1s"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 4 and "Traceback" not in done.stderr
    assert "no master listens at 127.0.0.1:" in done.stderr
    assert "assay load FILE --master" in done.stderr and "--wait 10m" in done.stderr


def test_other_machines_need_a_secret(tmp_path: Path) -> None:
    for address in (f"*:{free_port()}", f"0.0.0.0:{free_port()}"):
        with serving(fine) as server:
            done = load(
                tmp_path,
                server,
                *("--rate", "5", "--master", "--expect-workers", "1"),
                *("--bind", address),
            )
        assert done.returncode == 2 and "export ASSAY_TOKEN=" in done.stderr


def test_a_worker_without_the_secret_is_refused(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    join = [*ASSAY, "worker", "--wait", "2m", "--join", address]
    tokens = ("wrong", "swordfish-77", None)
    with serving(fine) as server:
        helpers = [
            subprocess.Popen(
                join,
                cwd=tmp_path,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **({"ASSAY_TOKEN": token} if token else {})},
            )
            for token in tokens
        ]
        try:
            done = load(
                tmp_path,
                server,
                *("--rate", "20", "--duration", "4s", *EVEN),
                *("--master", "--expect-workers", "1", "--bind", address),
                ASSAY_TOKEN="swordfish-77",
            )
        finally:
            for helper in helpers:
                helper.kill()
                helper.wait()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "worker 1 of 1" in done.stderr
    found = results(tmp_path)
    assert len(found["workers"]) == 1
    assert "swordfish" not in done.stdout + done.stderr


def test_workers_that_the_command_starts_have_its_secret(tmp_path: Path) -> None:
    with serving(fine) as server:
        words = ("--rate", "20", "--duration", "2s", *EVEN, *TWO)
        done = load(tmp_path, server, *words, ASSAY_TOKEN="swordfish-77")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(results(tmp_path)["workers"]) == 2


def test_a_worker_can_be_stopped_while_it_waits_for_a_master(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*ASSAY, "worker", "--join", f"127.0.0.1:{free_port()}"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert "joining" in process.stderr.readline()
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 4 and "Traceback" not in errors
