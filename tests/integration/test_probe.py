"""What the probe counts inside a real server, and that it changes nothing there."""

import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from pathlib import Path
from statistics import mean
from typing import ClassVar

import httpx
import pytest

from assay.experiment.rounds import per_request
from assay.observations import Observation
from assay.probe import environment
from assay.profilers.probe import Probe, between
from assay.system import ports, processes
from tests.repeated import repeated

APP = Path(__file__).with_name("probed_app.py")
PARTS = ("waits", "queries", "gc", "calls", "startup")
USERS = 4
(HOLD,) = map(float, re.findall(r"^HOLD = (\S+)$", APP.read_text(), re.MULTILINE))


@dataclass
class Served:
    """A server with the probe inside."""

    url: str
    probe: Probe

    def observe(
        self,
        path: str,
        requests: int = 40,
        users: int = USERS,
        answers: list[str] | None = None,
    ) -> list[Observation]:
        """Request a path with several users at once; return the probe's counts.

        The bodies of the answers are appended to `answers`.
        """

        def ask(number: int) -> list[str]:
            with httpx.Client(base_url=self.url, trust_env=False) as client:
                return [client.get(path).text for _ in range(number)]

        ask(2)  # what only the first request does
        before = self.probe.totals()
        with ThreadPoolExecutor(users) as threads:
            got = [*chain(*threads.map(ask, [requests // users] * users))]
        counted = between(before, self.probe.totals())
        assert counted.problems == () and counted.lost == ()
        if answers is not None:
            answers += got
        return list(per_request(counted, len(got)))


def start(
    folder: Path,
    loop: str,
    probed: bool = True,
    workers: int = 1,
    app: Path = APP,
    env: Mapping[str, str] | None = None,
) -> tuple[processes.Child, str]:
    shutil.copy(app, folder / "app.py")
    port = ports.free()
    command = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port)]
    command += ["--loop", loop, "--log-level", "critical"]
    command += ["--workers", str(workers)] if workers > 1 else []
    env = dict(env or os.environ)
    if probed:
        (folder / "probe").mkdir()
        env |= environment.variables(folder / "probe", [folder], [], PARTS, env)
    child = processes.start(
        "the app", command, log=folder / "app.log", env=env, cwd=folder
    )
    url = f"http://127.0.0.1:{port}"
    for _ in range(1200):
        try:
            if httpx.get(f"{url}/health", trust_env=False).is_success:
                return child, url
        except httpx.HTTPError:
            assert child.running(), child.last_lines()
        processes_wait(child)
    raise AssertionError(child.last_lines())


def processes_wait(child: processes.Child) -> None:
    child.wait(0.05)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("probed")
    child, url = start(folder, "asyncio")
    try:
        yield Served(url, Probe(folder / "probe"))
    finally:
        child.stop()


def one(
    observations: list[Observation], kind: str, function: str, holder: str = ""
) -> Observation:
    """Return the largest observation of a kind at a function."""
    fitting = [
        item
        for item in observations
        if item.event.kind == kind
        and item.event.place is not None
        and item.event.place.function == function
        and (not holder or (item.event.holder and item.event.holder.function == holder))
    ]
    assert fitting, (kind, function, holder, [str(item) for item in observations])
    return max(fitting, key=lambda item: item.amount.seconds)


def test_every_thread_hop_is_counted_by_name(served: Served) -> None:
    seen = served.observe("/thread")
    for function in ("thread", "dependency"):
        hop = one(seen, "thread pool", function)
        assert hop.amount.count == pytest.approx(1)
        assert hop.event.place is not None and hop.event.place.file == "app.py"


@pytest.mark.parametrize(
    "path, kind, waiter, holder",
    [
        ("/log", "lock", "write", "SlowHandler.emit"),
        ("/semaphore", "lock", "enter", "enter"),
        ("/lock", "lock", "inner", "inner"),
        ("/pool", "connection pool", "connect", "settle"),
        ("/async-pool", "connection pool", "connect_async", "connect_async"),
    ],
)
def test_a_wait_names_who_waits_and_who_holds(
    served: Served, path: str, kind: str, waiter: str, holder: str
) -> None:
    wait = one(served.observe(path), kind, waiter, holder)
    # Three other requests are served first, and each holds it for at least 20 ms.
    assert wait.amount.seconds > 0.016 and 0.3 < wait.amount.count < 1.5


def test_a_blocked_loop_is_known_to_the_line(served: Served) -> None:
    seen = served.observe("/block", requests=24)
    blocked = one(seen, "blocked loop", "block")
    assert blocked.amount.count == pytest.approx(1, abs=0.1)
    assert blocked.amount.seconds > 0.095
    assert blocked.event.place is not None
    line = APP.read_text().splitlines()[blocked.event.place.line - 1]
    assert "time.sleep(0.1)" in line
    assert one(seen, "loop behind block", "block").amount.seconds > 0.1


def test_a_call_that_blocks_the_loop_is_counted_once(served: Served) -> None:
    seen = served.observe("/call")
    called = one(seen, "other service", "call").amount.seconds
    blocked = one(seen, "blocked loop", "call").amount.seconds
    counted = one(seen, "blocked loop counted", "call").amount.seconds
    assert called > 0.0095 and blocked > 0.0095
    # What the callback does is the call, and CPU time.
    assert blocked - counted < 0.2 * blocked
    assert one(seen, "loop behind block", "call").amount.seconds > 0.01


@repeated
def test_a_wait_in_a_thread_that_nothing_counts_is_known(served: Served) -> None:
    seen = served.observe("/sleep")
    asleep = one(seen, "other wait", "nap")
    assert 0.018 < asleep.amount.seconds < 0.08
    assert asleep.event.place is not None
    line = APP.read_text().splitlines()[asleep.event.place.line - 1]
    assert "time.sleep(0.02)  # a nap" in line
    # A wait for the pool is counted as such, and not once more.
    pool = served.observe("/pool")
    other = one(pool, "other wait", "settle").amount.seconds
    assert other < one(pool, "connection pool", "connect").amount.seconds


def test_a_wait_for_a_future_counts_once(served: Served) -> None:
    seen = served.observe("/delivery")
    wait = one(seen, "other wait", "await_delivery")
    assert wait.event.resource == "concurrent.futures.Future.result"
    assert wait.amount.seconds > 0.018
    seen = served.observe("/submitted")
    # The call in the pool sleeps; that the request waits for it is no second wait.
    assert all("Future" not in item.event.resource for item in seen)
    waits = [item for item in seen if item.event.kind == "other wait"]
    assert sum(item.amount.count for item in waits) == pytest.approx(1, rel=0.1)


@repeated
def test_what_a_start_spends_its_time_on(tmp_path: Path) -> None:
    child, _ = start(tmp_path, "asyncio")
    try:
        counted = Probe(tmp_path / "probe").since_the_start()
    finally:
        child.stop()
    seen = list(per_request(counted, 1))
    assert 0.15 < one(seen, "start-up", "prepare").amount.seconds < 1
    packages = {item.event.resource for item in seen if item.event.kind == "start-up"}
    assert "fastapi" in packages


def test_queries_are_counted_without_their_values(served: Served) -> None:
    query = one(served.observe("/queries"), "query", "load_item")
    assert query.amount.count == pytest.approx(10)
    assert query.event.resource == "select id from item where id = ?"
    of_sqlalchemy = one(served.observe("/pool"), "query", "connect")
    assert of_sqlalchemy.amount.count == pytest.approx(1)
    assert "secret" not in of_sqlalchemy.event.resource
    of_async = one(served.observe("/async-pool"), "query", "connect_async")
    assert of_async.amount.count == pytest.approx(1)


def test_calls_of_own_functions_are_counted(served: Served) -> None:
    seen = served.observe("/queries")
    assert one(seen, "call", "load_item").amount.count == pytest.approx(10)
    functions = {
        item.event.place.file
        for item in seen
        if item.event.kind == "call" and item.event.place
    }
    assert functions == {"app.py"}


@pytest.fixture(scope="module")
def served_by_uvloop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    pytest.importorskip("uvloop")
    folder = tmp_path_factory.mktemp("uvloop")
    child, url = start(folder, "uvloop")
    try:
        yield Served(url, Probe(folder / "probe"))
    finally:
        child.stop()


@repeated
def test_the_callbacks_of_uvloop_are_timed(served_by_uvloop: Served) -> None:
    seen = served_by_uvloop.observe("/block", requests=24)
    blocked = one(seen, "blocked loop", "block")
    assert 0.95 < blocked.amount.count < 1.1
    assert 0.095 < blocked.amount.seconds < 0.15
    counted = one(seen, "blocked loop counted", "block").amount.seconds
    assert counted < 0.1 * blocked.amount.seconds  # it sleeps
    # Four users block the loop in turn, so a request waits for three others.
    assert 0.1 < one(seen, "loop behind block", "block").amount.seconds < 0.35


@repeated
def test_requests_wait_in_each_loop_for_the_same_turns(
    served: Served, served_by_uvloop: Served
) -> None:
    def turns(of: Served) -> float:
        """Return how much of its time a request waits for others."""
        began = time.perf_counter()
        seen = of.observe("/spin", requests=80)
        elapsed = (time.perf_counter() - began) * USERS / 80
        # On a slow machine, 4 ms of work become a block.
        kinds = ("loop turn", "loop behind block")
        waits = [item.amount.seconds for item in seen if item.event.kind in kinds]
        return sum(waits) / elapsed

    # Each request waits for up to three others. How often they meet depends on the
    # users, too.
    by_asyncio, by_uvloop = turns(served), turns(served_by_uvloop)
    assert 0.1 < by_asyncio < 1
    assert 0.4 < by_uvloop / by_asyncio < 2.5


def test_a_connection_that_is_opened_counts_as_a_query(served: Served) -> None:
    opened = one(served.observe("/unpooled"), "query", "open_connection")
    assert opened.event.resource == "CONNECT"
    assert opened.amount.count == pytest.approx(1)


@repeated
def test_work_after_the_answer_is_known(
    served: Served, served_by_uvloop: Served
) -> None:
    def after(of: Served, path: str) -> float:
        return sum(
            item.amount.seconds
            for item in of.observe(path, users=1)
            if item.event.kind == "cpu after answer"
        )

    assert after(served, "/spin-later") > 4 * after(served, "/spin")
    # uvloop sends the answer only when the callback has ended, so its client waits.
    later = after(served_by_uvloop, "/spin-later")
    assert later < after(served, "/spin-later") / 4


class Delayed(BaseHTTPRequestHandler):
    """Another service, which answers after 20 ms, and notes how long it took."""

    protocol_version = "HTTP/1.1"
    took: ClassVar[list[float]] = []

    def do_GET(self) -> None:
        began = time.perf_counter()
        time.sleep(0.02)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
        self.took.append(time.perf_counter() - began)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def delayed() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Delayed) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@repeated
@pytest.mark.parametrize("loop", ["served", "served_by_uvloop"])
def test_a_call_is_counted_apart_from_the_turns_of_others(
    loop: str, delayed: int, request: pytest.FixtureRequest
) -> None:
    """Meanwhile other requests use the CPU, so the answer is noticed later."""
    of: Served = request.getfixturevalue(loop)
    path = f"/call-and-spin?port={delayed}"
    elapsed: list[str] = []
    Delayed.took.clear()
    seen = of.observe(path, requests=80, answers=elapsed)
    called = one(seen, "other service", "call_and_spin").amount.seconds
    served, awaited = mean(Delayed.took), mean(map(float, elapsed))
    assert called - served < 0.5 * (awaited - served)
    # httpx lets others take their turn after it has sent the request. Meanwhile the
    # other service works, and such a moment counts as a turn only.
    turns = sum(
        item.amount.seconds
        for item in seen
        if item.event.kind in ("loop turn", "loop behind block")
    )
    assert served < called + turns + 0.1 * served


@repeated
@pytest.mark.parametrize("loop", ["served", "served_by_uvloop"])
def test_a_call_without_others_is_counted_whole(
    loop: str, delayed: int, request: pytest.FixtureRequest
) -> None:
    of: Served = request.getfixturevalue(loop)
    elapsed: list[str] = []
    Delayed.took.clear()
    seen = of.observe(f"/call-and-spin?port={delayed}", users=1, answers=elapsed)
    called = one(seen, "other service", "call_and_spin").amount.seconds
    assert 0.9 * mean(Delayed.took) < called < mean(map(float, elapsed))


@repeated
@pytest.mark.parametrize("loop", ["served", "served_by_uvloop"])
def test_a_timer_is_counted_apart_from_the_turns_of_others(
    loop: str, request: pytest.FixtureRequest
) -> None:
    """Meanwhile other requests use the CPU, so the timer is noticed later."""
    of: Served = request.getfixturevalue(loop)
    elapsed: list[str] = []
    seen = of.observe("/nap-and-spin", requests=80, answers=elapsed)
    slept = one(seen, "await", "nap_and_spin").amount.seconds
    late = mean(map(float, elapsed)) - HOLD
    assert 0.92 * HOLD < slept < HOLD + 0.5 * late


def test_the_threads_of_the_probe_are_told_from_those_of_the_target(
    served: Served,
) -> None:
    before = served.probe.totals()
    time.sleep(0.5)  # without requests, only the probe's threads run
    counted = between(before, served.probe.totals())
    assert 0 < counted.probe_cpu <= counted.cpu + 0.01
    assert counted.probe_cpu > 0.5 * counted.cpu


def test_every_worker_is_counted(tmp_path: Path) -> None:
    child, url = start(tmp_path, "asyncio", workers=2)
    probe = Probe(tmp_path / "probe")
    try:
        deadline = time.monotonic() + 60
        while len(probe.pids) < 3 and time.monotonic() < deadline:
            probe.totals()  # the second worker may be ready long after the first
        seen = Served(url, probe).observe("/queries")
    finally:
        child.stop()
    assert len(probe.pids) >= 3  # and the process that started them
    assert one(seen, "query", "load_item").amount.count == pytest.approx(10)


def test_answers_are_the_same_with_and_without_the_probe(tmp_path: Path) -> None:
    answers = []
    for probed in (False, True):
        folder = tmp_path / str(probed)
        folder.mkdir()
        child, url = start(folder, "asyncio", probed)
        try:
            answers.append(
                [
                    (answer.status_code, answer.content, without_date(answer))
                    for path in (*PATHS, "/error", "/nothing")
                    for answer in [httpx.get(url + path, trust_env=False)]
                ]
            )
        finally:
            child.stop()
    assert answers[0] == answers[1]


PATHS = (
    "/sleep /call /thread /log /semaphore /block /lock /pool /async-pool /queries"
).split()


def without_date(answer: httpx.Response) -> list[tuple[str, str]]:
    return [(k, v) for k, v in answer.headers.items() if k != "date"]
