"""Targets: how they start, and how long Assay waits for their remaining work."""

import contextlib
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from assay.errors import MeasureError
from assay.experiment import target
from assay.experiment.target import RunningTarget
from assay.plan import Claim, Target, Variant
from assay.system import processes
from tests.repeated import repeated
from tests.unit.synthetic import claim, plan

LATE = 3.0  # seconds

# Works for a given number of seconds of CPU time, then waits.
BUSY = """\
import sys, time
while time.process_time() < float(sys.argv[1]):
    pass
print("done", flush=True)
time.sleep(60)
"""


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Callable[[float], RunningTarget]]:
    started: list[processes.Child] = []

    def start(seconds: float) -> RunningTarget:
        log = tmp_path / "busy.log"
        command = [sys.executable, "-c", BUSY, str(seconds)]
        started.append(processes.start("busy", command, log=log))
        while not processes.cpu_seconds(started[0].pid):
            time.sleep(0.001)
        return RunningTarget(Variant(name="busy"), "http://none", started[0], 0.0)

    yield start
    for child in started:
        child.stop()


def test_what_was_left_behind_is_done(
    busy: Callable[[float], RunningTarget], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, "MAX_SETTLE_SECONDS", 60.0)  # for a busy machine
    left = busy(0.5)
    assert left.child
    assert "done" not in left.child.last_lines()
    left.settle(60.0)
    assert "done" in left.child.last_lines()


def test_what_never_ends_is_not_waited_for(
    busy: Callable[[float], RunningTarget], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, "MAX_SETTLE_SECONDS", 0.2)
    left = busy(3600)
    left.settle()
    assert left.child and left.child.running()


def test_a_server_of_somebody_elses_is_left_alone() -> None:
    RunningTarget(Variant(name="theirs"), "http://none", None, None).settle()


def test_an_answer_that_is_nested_too_deeply_is_no_detail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = httpx.Response(500, content=b"[" * 100_000)
    monkeypatch.setattr(httpx, "get", lambda *_, **__: answer)
    theirs = RunningTarget(Variant(name="theirs"), "http://none", None, None)
    with pytest.raises(MeasureError, match="it answered 500"):
        theirs.check_guard("/guard")


# Answers after a given number of seconds, in which it does not use the CPU.
SLOW_START = """\
import http.server, sys, time
time.sleep(float(sys.argv[2]))
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204)
        self.end_headers()
    def log_message(self, *given):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""


@contextlib.contextmanager
def both(folder: Path, seed: int, *claims: Claim) -> Iterator[dict[str, RunningTarget]]:
    """Start a variant that is ready soon, and one that is not."""
    server = folder / "server.py"
    server.write_text(SLOW_START)
    variants = [
        Variant(name=name, command=f"{sys.executable} {server} {{port}} {seconds}")
        for name, seconds in (("soon", 0.0), ("late", LATE))
    ]
    update = {"target": Target(cwd=folder), "variants": tuple(variants)}
    topic = plan(*claims).topics[0].model_copy(update=update)
    rng = random.Random(seed)
    with target.launched(topic, variants, {}, folder, (), rng) as running:
        yield running


@pytest.mark.parametrize("seed", range(3))  # the seeds give both orders
@repeated
def test_each_is_timed_until_it_is_ready_itself(tmp_path: Path, seed: int) -> None:
    with both(tmp_path, seed) as running:
        soon, late = running["soon"].startup, running["late"].startup
    assert soon is not None and late is not None
    assert late >= LATE
    assert soon < late / 2


def test_where_start_up_is_claimed_they_start_in_turn(tmp_path: Path) -> None:
    with both(tmp_path, 1, claim("faster", "startup")) as running:
        began = {
            name: psutil.Process(one.pids[0]).create_time()
            for name, one in running.items()
        }
        first, second = sorted(running, key=began.__getitem__)
        took = running[first].startup
        assert took is not None
        # The clock of process times has a grain of a hundredth of a second.
        assert began[second] - began[first] >= took - 0.05


def test_one_that_ends_ends_the_wait_for_the_other(tmp_path: Path) -> None:
    (tmp_path / "ends.py").write_text("raise SystemExit('no port left')")
    variants = [
        Variant(name="ends", command=f"{sys.executable} ends.py"),
        Variant(
            name="stuck", command=f"{sys.executable} -c 'import time; time.sleep(60)'"
        ),
    ]
    update = {"target": Target(cwd=tmp_path), "variants": tuple(variants)}
    topic = plan().topics[0].model_copy(update=update)
    # Other tests in this process may have left servers running.
    before = set(psutil.Process().children(recursive=True))
    with pytest.raises(MeasureError, match="no port left"):
        with target.launched(topic, variants, {}, tmp_path, (), random.Random(2)):
            raise AssertionError("it is not ready")
    assert set(psutil.Process().children(recursive=True)) <= before
