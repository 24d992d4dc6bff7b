"""What the probe counts inside a real server, and that it changes nothing there."""

import os
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from assay.experiment.rounds import per_request
from assay.observations import Observation
from assay.probe import environment
from assay.profilers.probe import Probe, between
from assay.system import ports, processes

APP = Path(__file__).with_name("probed_app.py")
PARTS = ("waits", "queries", "gc", "calls")
USERS = 4


@dataclass
class Served:
    """A server with the probe inside."""

    url: str
    probe: Probe

    def observe(self, path: str, requests: int = 40) -> list[Observation]:
        """Ask for a path from several users at once; return what was counted."""

        def ask(number: int) -> int:
            with httpx.Client(base_url=self.url, trust_env=False) as client:
                for _ in range(number):
                    client.get(path)
            return number

        ask(2)  # what only the first request does
        before = self.probe.totals()
        with ThreadPoolExecutor(USERS) as users:
            done = sum(users.map(ask, [requests // USERS] * USERS))
        counted = between(before, self.probe.totals())
        assert counted.problems == () and counted.lost == ()
        return list(per_request(counted, done))


def start(folder: Path, loop: str, probed: bool = True) -> tuple[processes.Child, str]:
    shutil.copy(APP, folder / "app.py")
    port = ports.free()
    command = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port)]
    command += ["--loop", loop, "--log-level", "critical"]
    env = dict(os.environ)
    if probed:
        (folder / "probe").mkdir()
        env |= environment.variables(folder / "probe", folder, PARTS, env)
    child = processes.start(
        "the app", command, log=folder / "app.log", env=env, cwd=folder
    )
    url = f"http://127.0.0.1:{port}"
    for _ in range(200):
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
    # Three others are served before, each of which holds it for 5 ms and more.
    assert wait.amount.seconds > 0.004 and 0.3 < wait.amount.count < 1.5


def test_a_blocked_loop_is_known_to_the_line(served: Served) -> None:
    seen = served.observe("/block")
    blocked = one(seen, "blocked loop", "block")
    assert blocked.amount.count == pytest.approx(1, abs=0.1)
    assert blocked.amount.seconds > 0.019
    assert blocked.event.place is not None
    line = APP.read_text().splitlines()[blocked.event.place.line - 1]
    assert "time.sleep(0.02)" in line
    assert one(seen, "loop behind block", "block").amount.seconds > 0.02


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


def test_another_event_loop_is_observed_by_its_beat(tmp_path: Path) -> None:
    pytest.importorskip("uvloop")
    child, url = start(tmp_path, "uvloop")
    try:
        seen = Served(url, Probe(tmp_path / "probe")).observe("/block")
    finally:
        child.stop()
    blocked = one(seen, "blocked loop", "block")
    # A beat begins up to 5 ms after the block did.
    assert 0.01 < blocked.amount.seconds < 0.03


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


PATHS = "/thread /log /semaphore /block /lock /pool /async-pool /queries".split()


def without_date(answer: httpx.Response) -> list[tuple[str, str]]:
    return [(k, v) for k, v in answer.headers.items() if k != "date"]
