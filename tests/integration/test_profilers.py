"""Profilers on real servers, calibrated against work of a known size."""

import http.client
import os
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from assay.errors import MeasureError
from assay.plan import Preset
from assay.profilers import PROFILERS, Capture, Observed, pyspy
from assay.results import Stacks, Timeline
from assay.system import ports, processes
from tests.repeated import repeated

# CPU seconds per request in two functions, by the thread's own CPU clock.
BURN, GLOW = 0.003, 0.001
CPU = Preset(
    name="cpu", title="CPU", profiler="py-spy", seconds=2, settings={"rate": 200}
)
MEMORY = Preset(
    name="memory",
    title="Memory",
    profiler="memory-profiler",
    seconds=2,
    settings={"interval": 0.02},
)
SERVER = f"""
import asyncio
import hashlib
import time

from fastapi import FastAPI

app = FastAPI()
kept = []


def burn():
    end = time.thread_time() + {BURN}
    while time.thread_time() < end:
        sum(range(200))


def glow():
    end = time.thread_time() + {GLOW}
    while time.thread_time() < end:
        sum(range(200))


def work():
    burn()
    glow()


@app.get("/sync")
def in_a_worker_thread():
    work()
    return {{}}


@app.get("/async")
async def on_the_loop():
    work()
    return {{}}


@app.get("/executor")
async def in_an_executor():
    await asyncio.to_thread(work)
    return {{}}


@app.get("/free")
def frees_the_gil():
    hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 12000)
    return {{}}


@app.get("/keep")
def keep():
    kept.append(bytes(range(256)) * 4096)
    return {{}}
"""

needs_pyspy = pytest.mark.skipif(
    bool(pyspy.attach_problem()), reason=pyspy.attach_problem() or "py-spy works"
)


class Server(NamedTuple):
    child: processes.Child
    port: int

    def load(self, path: str, requests: int, users: int = 4) -> None:
        """Send requests from a few threads, and fail on any that fails."""

        def user(count: int) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            for _ in range(count):
                connection.request("GET", path)
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 200
            connection.close()

        with ThreadPoolExecutor(users) as pool:
            list(pool.map(user, [requests // users] * users))


@contextmanager
def served(folder: Path, loop: str) -> Iterator[Server]:
    (folder / "calibrated.py").write_text(textwrap.dedent(SERVER), encoding="utf-8")
    port = ports.free()
    command = [sys.executable, "-m", "uvicorn", "calibrated:app", "--port", str(port)]
    command += ["--no-access-log", "--log-level", "warning", "--loop", loop]
    child = processes.start(
        "a calibrated server", command, log=folder / "server.log", cwd=folder
    )
    server = Server(child, port)
    try:
        for _ in range(300):
            try:
                server.load("/async", 1, users=1)
                break
            except OSError:
                assert child.running(), child.last_lines()
                time.sleep(0.1)
        yield server
    finally:
        child.stop()


def cpu(pid: int) -> float:
    return sum(processes.cpu_seconds(member) for member in processes.tree(pid))


def share(profile: Stacks, function: str) -> float:
    """Return the share of all time spent in a function or below it."""
    inside = sum(
        value
        for stack, value in profile.stacks
        if any(frame.startswith(f"{function} (") for frame in stack)
    )
    return inside / profile.total


@needs_pyspy
@pytest.mark.parametrize("gil", [True, False])
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("path", ["/sync", "/async", "/executor"])
@repeated
def test_time_is_found_where_it_is_spent(
    tmp_path: Path, loop: str, path: str, gil: bool
) -> None:
    requests = 400
    preset = CPU.model_copy(update={"settings": {"rate": 200, "gil": gil}})
    with served(tmp_path, loop) as server:
        server.load(path, 40)
        capture = PROFILERS["py-spy"].start(server.child.pid, preset, tmp_path / "raw")
        before = cpu(server.child.pid)
        server.load(path, requests)
        spent = cpu(server.child.pid) - before
        capture.stop()
    profile = capture.profile(
        Observed(
            topic="calibration", variant=loop, requests=requests, cpu_seconds=spent
        )
    )

    assert isinstance(profile, Stacks)
    assert profile.total == pytest.approx(spent / requests)
    assert sum(value for _, value in profile.stacks) == pytest.approx(profile.total)
    truth = (BURN + GLOW) / profile.total
    assert 0.75 * truth < share(profile, "work") < truth + 0.15
    assert 0.6 < share(profile, "burn") / share(profile, "work") < 0.9
    # If idle worker threads were taken for busy, they would take a third to a half.
    idle = sum(
        value
        for stack, value in profile.stacks
        if stack[-1].endswith(("(threading.py)", "thread.py)", "selectors.py)"))
    )
    assert idle < 0.1 * profile.total
    assert pyspy.OUTSIDE not in "".join(stack[0] for stack, _ in profile.stacks) or gil
    assert not any(
        frame.count("(") != 1 or str(tmp_path) in frame or "site-packages" in frame
        for stack, _ in profile.stacks
        for frame in stack
    )


@needs_pyspy
@pytest.mark.parametrize("gil", [True, False])
@repeated
def test_work_outside_the_gil_is_not_put_on_others(tmp_path: Path, gil: bool) -> None:
    requests = 600
    preset = CPU.model_copy(update={"settings": {"rate": 200, "gil": gil}})
    with served(tmp_path, "asyncio") as server:
        server.load("/free", 40)
        capture = PROFILERS["py-spy"].start(server.child.pid, preset, tmp_path / "raw")
        before = cpu(server.child.pid)
        # Hashing alone holds the GIL too rarely for enough samples.
        server.load("/free", requests)
        server.load("/async", 200)
        spent = cpu(server.child.pid) - before
        capture.stop()
    seen = Observed(
        topic="hash", variant="a", requests=requests + 200, cpu_seconds=spent
    )
    profile = capture.profile(seen)
    assert isinstance(profile, Stacks)
    rest = spent - 200 * (BURN + GLOW)
    where = "outside the GIL" if gil else "frees_the_gil"
    found = share(profile, where) * spent
    # Without `gil`, hashes that wait for a core count as if they ran.
    assert 0.5 * rest < found < (1.15 * rest if gil else spent)


@needs_pyspy
def test_too_little_running_code_is_refused(tmp_path: Path) -> None:
    with served(tmp_path, "asyncio") as server:
        # No request is sent: a busy machine can stop a request while it holds the GIL,
        # and py-spy would then sample it often enough.
        capture = PROFILERS["py-spy"].start(server.child.pid, CPU, tmp_path / "raw")
        capture.stop()
        capture.stop()
    with pytest.raises(MeasureError, match=r"only \d+ samples.*raise `seconds`"):
        capture.profile(
            Observed(topic="idle", variant="a", requests=4, cpu_seconds=0.02)
        )


@needs_pyspy
def test_a_target_that_dies_leaves_what_was_seen(tmp_path: Path) -> None:
    with served(tmp_path, "asyncio") as server:
        capture = PROFILERS["py-spy"].start(server.child.pid, CPU, tmp_path / "raw")
        server.load("/async", 300)
        server.child.stop()
        capture.stop()
    profile = capture.profile(
        Observed(topic="death", variant="a", requests=300, cpu_seconds=1.3)
    )
    assert isinstance(profile, Stacks)
    assert share(profile, "burn") > 0.5


@contextmanager
def shell() -> Iterator[int]:
    with_sleep = processes.start(
        "sleep", ["sleep", "60"], log=Path(os.devnull), cwd=Path("/")
    )
    try:
        yield with_sleep.pid
    finally:
        with_sleep.stop()


@needs_pyspy
def test_py_spy_refuses_what_is_not_python(tmp_path: Path) -> None:
    with shell() as pid, pytest.raises(MeasureError, match="run no Python"):
        PROFILERS["py-spy"].start(pid, CPU, tmp_path)


@pytest.mark.parametrize("preset", [CPU, MEMORY])
def test_a_process_that_is_gone(tmp_path: Path, preset: Preset) -> None:
    with shell() as pid:
        pass
    with pytest.raises(MeasureError, match=f"no process {pid}"):
        PROFILERS[preset.profiler].start(pid, preset, tmp_path)


@pytest.mark.parametrize("preset", [CPU, MEMORY])
def test_a_folder_that_cannot_be_written(tmp_path: Path, preset: Preset) -> None:
    # A file in the way stops root too, which permissions would not.
    (tmp_path / "raw").write_text("")
    with pytest.raises(MeasureError, match="cannot be written.*--output"):
        PROFILERS[preset.profiler].start(os.getpid(), preset, tmp_path / "raw")


def test_memory_that_is_kept_is_seen_to_grow(tmp_path: Path) -> None:
    requests = 40  # of one mebibyte each
    with served(tmp_path, "asyncio") as server:
        server.load("/keep", 4)
        capture = PROFILERS["memory-profiler"].start(
            server.child.pid, MEMORY, tmp_path / "raw"
        )
        server.load("/keep", requests)
        await_samples(tmp_path / "raw" / "memory.memory.txt", 5)
        capture.stop()
    profile = timeline(capture, requests)
    grown = profile.values[-1] - profile.values[0]
    assert grown == pytest.approx(requests * 2**20, rel=0.25)
    assert profile.seconds[0] == 0
    assert list(profile.seconds) == sorted(set(profile.seconds))


def test_memory_of_children_counts(tmp_path: Path) -> None:
    child = "x = bytearray(80 * 2**20); print(1, flush=True); input()"
    program = f"""
import subprocess, sys
pipe = subprocess.PIPE
child = subprocess.Popen([sys.executable, "-c", {child!r}], stdin=pipe, stdout=pipe)
child.stdout.readline()
print("up", flush=True)
child.wait()
"""
    parent = processes.start(
        "a parent", [sys.executable, "-c", program], log=tmp_path / "parent.log"
    )
    try:
        while "up" not in parent.log.read_text():
            assert parent.running(), parent.last_lines()
            time.sleep(0.02)
        capture = PROFILERS["memory-profiler"].start(parent.pid, MEMORY, tmp_path)
        await_samples(tmp_path / "memory.memory.txt", 3)
        capture.stop()
    finally:
        parent.stop()
    assert min(timeline(capture, 1).values) > 80 * 2**20


def timeline(capture: Capture, requests: int) -> Timeline:
    profile = capture.profile(
        Observed(topic="memory", variant="a", requests=requests, cpu_seconds=1)
    )
    assert isinstance(profile, Timeline)
    assert profile.unit == "B"
    return profile


def await_samples(file: Path, more: int) -> None:
    wanted = len(file.read_text().splitlines()) + more
    while len(file.read_text().splitlines()) < wanted:
        time.sleep(0.02)
