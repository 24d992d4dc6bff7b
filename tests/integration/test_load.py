"""The load generator against real servers that behave badly."""

import itertools
import os
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from assay.errors import MeasureError
from assay.load.control.generator import Generator
from assay.load.control.process import Setup
from assay.load.recorder import FAILED, FINE, TIMED_OUT
from assay.load.shapes import Shape
from assay.system import ports, processes
from tests.integration.shop import LOCUSTFILE
from tests.repeated import repeated

SERVER = """
import asyncio, itertools, os, sys, time

KIND = sys.argv[2]
ANSWER = b"HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\nok"
count = itertools.count(1)


async def serve(reader, writer):
    while True:
        try:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
        except asyncio.IncompleteReadError:
            return
        number = next(count)
        if KIND == "hangs" and number > 8:
            await asyncio.sleep(3600)
        if KIND == "slow":
            await asyncio.sleep(0.02)
        if KIND == "resets" and number > 20:
            writer.transport.abort()
            return
        if KIND == "freezes" and number == 20:
            time.sleep(0.4)
        answer = ANSWER
        if KIND == "errors" and b"GET /bad" in head:
            answer = ANSWER.replace(b"200 OK", b"500 Oh")
        writer.write(answer)


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    print("ready", flush=True)
    await server.serve_forever()

asyncio.run(main())
"""

TWO_STEPS = """
from locust import FastHttpUser, task


class Visitor(FastHttpUser):
    def on_start(self):
        self.client.get("/login")

    @task
    def shop(self):
        self.client.get("/first")
        self.client.get("/second")
"""

WEIGHTED = """
from locust import FastHttpUser, constant, task


class Visitor(FastHttpUser):
    wait_time = constant(0)

    @task(9)
    def often(self):
        self.client.get("/often")

    @task
    def seldom(self):
        self.client.get("/seldom")
"""

NESTED = """
from locust import FastHttpUser, SequentialTaskSet, TaskSet, task


class Journey(SequentialTaskSet):
    @task
    def one(self):
        self.client.get("/one")

    @task
    def two(self):
        self.client.get("/two")
        self.interrupt()


class Visitor(FastHttpUser):
    tasks = [Journey]
"""


IMPATIENT = LOCUSTFILE.replace("wait_time", "network_timeout = 1.0\n    wait_time")
IMPATIENT_REQUESTS = LOCUSTFILE.replace("FastHttpUser", "HttpUser").replace(
    'get("/")', 'get("/", timeout=1.0)'
)


@pytest.fixture
def loaded(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[Generator, processes.Child]]:
    """Yield a generator with four users, and its server of the requested kind."""
    kind, locustfile = request.param
    path = tmp_path / "locustfile.py"
    path.write_text(locustfile)
    script = tmp_path / "server.py"
    script.write_text(textwrap.dedent(SERVER))
    port = ports.free()
    command = [sys.executable, str(script), str(port), kind]
    server = processes.start("server", command, log=tmp_path / "server.log")
    try:
        while "ready" not in server.log.read_text():
            assert server.running()
        generator = Generator(Setup(path, tmp_path))
        try:
            hosts = {"a": f"http://127.0.0.1:{port}"}
            generator.attach(hosts, {"a": [server.pid]}, (), 4)
            yield generator, server
        finally:
            generator.close()
    finally:
        server.stop()


type Loaded = tuple[Generator, processes.Child]


def server_port(server: processes.Child) -> int:
    """Return the port that a server listens on."""
    (port,) = {c.laddr.port for c in psutil.Process(server.pid).net_connections()}
    return int(port)


@pytest.mark.parametrize("loaded", [("fine", LOCUSTFILE)], indirect=True)
def test_an_open_loop_keeps_its_schedule(loaded: Loaded) -> None:
    generator, _ = loaded
    assert generator.touch("a").requests == 4
    taken = generator.open("a", 200, 1.0, seed=3)
    again = generator.open("a", 200, 1.0, seed=3)
    assert taken.planned == taken.done == taken.requests == again.planned
    first = taken.request_columns["scheduled"] - taken.began
    second = again.request_columns["scheduled"] - again.began
    assert np.sort(first) == pytest.approx(np.sort(second), abs=1e-9)
    assert (taken.request_columns["start"] >= taken.request_columns["scheduled"]).all()
    assert (taken.request_columns["end"] > taken.request_columns["start"]).all()
    assert set(taken.request_columns["user"]) <= {0, 1, 2, 3}
    assert taken.cpu > 0


@pytest.mark.parametrize("loaded", [("fine", LOCUSTFILE)], indirect=True)
def test_who_has_been_idle_for_the_shortest_time_is_next(loaded: Loaded) -> None:
    """So users continue what they have begun, and no more users work than needed."""
    generator, _ = loaded
    generator.touch("a")
    seeds = itertools.count(4)

    @repeated
    def attempt() -> None:
        taken = generator.open("a", 20, 1.0, seed=next(seeds))
        users = np.bincount(taken.request_columns["user"], minlength=4)
        assert users.max() > 0.6 * taken.requests

    attempt()


@pytest.mark.parametrize("loaded", [("slow", LOCUSTFILE)], indirect=True)
def test_waiting_for_a_user_is_the_targets_and_no_lag_of_ours(loaded: Loaded) -> None:
    generator, _ = loaded
    generator.touch("a")
    # Answers take 20 ms, so four users manage at most 200 a second: arrivals wait.
    taken = generator.open("a", 300, 0.5, seed=4)
    columns = taken.request_columns
    waited, start = columns["waited"], columns["start"]
    assert (waited > 0).sum() > 0.5 * taken.requests and (waited >= 0).all()
    # The wait ends when an answer frees a user. The time from then until the request is
    # sent is the generator's own delay, which no latency includes.
    own = start - columns["scheduled"] - waited
    assert (own > -1e-6).all() and np.median(own) < 0.02 < np.median(waited)
    assert np.isin(
        np.round(columns["scheduled"] + waited, 6)[waited > 0],
        np.round(columns["end"], 6),
    ).all()


@pytest.mark.parametrize("loaded", [("slow", LOCUSTFILE)], indirect=True)
def test_users_are_made_between_slices_where_arrivals_lack_them(
    loaded: Loaded,
) -> None:
    generator, server = loaded
    host = f"http://127.0.0.1:{server_port(server)}"
    generator.attach({"a": host}, {"a": [server.pid]}, (), 2, max_users=12)
    generator.touch("a")
    taken = generator.open("a", 300, 0.3, seed=4)
    assert set(taken.request_columns["user"]) == {0, 1}
    assert taken.short > 0 and taken.peak > 2
    generator.grow(min(12, taken.peak + 2))
    taken = generator.open("a", 300, 0.3, seed=4)
    assert len(set(taken.request_columns["user"])) > 2
    assert taken.planned == taken.done == taken.requests


@pytest.mark.parametrize("loaded", [("fine", LOCUSTFILE)], indirect=True)
def test_arrivals_of_a_slice_follow_its_shape(loaded: Loaded) -> None:
    generator, _ = loaded
    generator.touch("a")
    shape = Shape((0.0, 0.5, 0.5, 1.0), (100.0, 100.0, 500.0, 500.0))
    taken = generator.open("a", 300, 1.0, seed=3, shape=shape)
    first = taken.request_columns["scheduled"] - taken.began < 0.5
    # 50 and 250 are expected; six standard deviations are allowed.
    assert abs(first.sum() - 50) < 6 * 50**0.5
    assert abs((~first).sum() - 250) < 6 * 250**0.5


THINKING = LOCUSTFILE.replace("between(1, 2)", "between(2, 2)")


@pytest.mark.parametrize("loaded", [("fine", THINKING)], indirect=True)
@repeated
def test_users_think_if_they_are_to_and_are_ready_for_the_next_slice(
    loaded: Loaded,
) -> None:
    generator, _ = loaded
    for _ in range(2):
        thought = generator.closed("a", users=4, duration=2.5, think_time=True)
        # Each user sends a request at once, and another one after 2 s.
        assert 4 < thought.requests <= 8
        assert len(set(thought.request_columns["user"])) == 4
        # The slice does not wait for users that are thinking at its end.
        assert thought.duration < 3.9
    assert generator.closed("a", users=4, duration=1.0).requests > 8


PAUSING = LOCUSTFILE.replace("self.client.get", "self.wait() or self.client.get")


@pytest.mark.parametrize("loaded", [("fine", PAUSING)], indirect=True)
def test_a_pause_within_a_task_is_part_of_its_work(loaded: Loaded) -> None:
    generator, _ = loaded
    taken = generator.closed("a", users=4, duration=0.5)
    assert taken.requests == 4
    assert taken.duration >= 1.0


@pytest.mark.parametrize("loaded", [("slow", LOCUSTFILE)], indirect=True)
def test_a_closed_loop_has_as_many_in_flight_as_users(loaded: Loaded) -> None:
    generator, _ = loaded
    taken = generator.closed("a", users=2, duration=0.5)
    assert len(set(taken.request_columns["user"])) == 2
    assert taken.planned == taken.done == taken.requests
    # Answers take 20 ms, so two users make at most 100 requests a second.
    assert taken.requests <= 2 * (0.5 / 0.02 + 1)
    assert (
        taken.request_columns["end"] - taken.request_columns["start"]
    ).min() >= 0.019


@pytest.mark.parametrize("loaded", [("slow", WEIGHTED)], indirect=True)
@repeated
def test_a_closed_loop_keeps_the_weights_of_tasks(loaded: Loaded) -> None:
    """A shuffled list of tasks that was begun is used up, even after the time is up."""
    generator, _ = loaded
    for seed in range(3):
        taken = generator.closed("a", users=4, duration=1.0, seed=seed)
        assert taken.requests >= 20 and taken.requests % 10 == 0
        seldom = taken.request_columns["name"] == taken.names.index(
            ["request", "GET", "/seldom"]
        )
        assert int(seldom.sum()) == taken.requests / 10
        assert taken.planned == taken.done == taken.requests and not taken.unserved


@pytest.mark.parametrize("loaded", [("fine", WEIGHTED)], indirect=True)
def test_a_slice_can_send_only_one_of_the_requests(loaded: Loaded) -> None:
    generator, _ = loaded

    def sent(request: str = "") -> set[str]:
        slices = [
            generator.open("a", 200, 0.5, seed=1, request=request),
            generator.closed("a", 4, 0.3, seed=2, request=request),
        ]
        return {
            one.names[number][2]
            for one in slices
            for number in one.request_columns["name"]
        }

    both = {"/often", "/seldom"}
    assert sent("GET /seldom") == both  # nothing is known yet
    generator.alone("a", 0.5)
    assert sent("GET /seldom") == {"/seldom"}
    assert sent("GET /often") == {"/often"}
    assert sent("GET /nowhere") == sent() == both


TWO_CLASSES = WEIGHTED + """

class Clerk(FastHttpUser):
    weight = 9

    @task
    def stock(self):
        self.client.get("/stock")
"""


@pytest.mark.parametrize("loaded", [("fine", TWO_CLASSES)], indirect=True)
def test_a_single_user_is_of_another_class_with_each_seed(loaded: Loaded) -> None:
    generator, _ = loaded
    seen = [
        {name[2] for name in generator.alone("a", 0.3, seed).names} for seed in range(2)
    ]
    assert sorted(map(sorted, seen)) == [["/often", "/seldom"], ["/stock"]]
    only = generator.open("a", 200, 0.5, seed=1, request="GET /often")
    assert {only.names[n][2] for n in only.request_columns["name"]} == {"/often"}


@pytest.mark.parametrize("users", [1, 4])
@pytest.mark.parametrize("loaded", [("slow", WEIGHTED)], indirect=True)
@repeated
def test_a_deck_that_takes_too_long_is_cut(loaded: Loaded, users: int) -> None:
    generator, _ = loaded
    # Answers take 20 ms: even four users cannot do ten tasks in twice the slice's time.
    taken = generator.closed("a", users=users, duration=0.02, seed=1)
    assert users <= taken.requests < 10
    assert taken.planned == taken.done == taken.requests and not taken.unserved
    # The next slice does not continue the old list.
    taken = generator.closed("a", users=users, duration=1.0, seed=2)
    assert taken.requests >= 10 and taken.requests % 10 == 0


@pytest.mark.parametrize("loaded", [("freezes", LOCUSTFILE)], indirect=True)
def test_a_freeze_is_in_the_latency_of_all_who_came_meanwhile(loaded: Loaded) -> None:
    generator, _ = loaded
    taken = generator.open("a", 200, 1.0, seed=5)
    latency = taken.request_columns["end"] - taken.request_columns["scheduled"]
    service = taken.request_columns["end"] - taken.request_columns["start"]
    assert taken.planned == taken.done
    # Some 80 arrivals came during 400 ms. Only 4 users had a request in flight, so in a
    # closed loop 4 requests would be slow and all others fast.
    assert (latency > 0.1).sum() > 30
    assert (service > 0.1).sum() <= 8


@pytest.mark.parametrize("loaded", [("hangs", LOCUSTFILE)], indirect=True)
def test_what_is_never_answered_is_counted_and_ends(loaded: Loaded) -> None:
    generator, _ = loaded
    taken = generator.open("a", 100, 0.3, seed=5)
    assert taken.planned == taken.done + taken.dropped + taken.unserved
    assert taken.done == 8
    assert taken.unserved > 10
    assert np.isnan(taken.request_columns["end"]).sum() == taken.unserved
    assert taken.failed == taken.unserved


@pytest.mark.parametrize(
    "loaded",
    [("hangs", IMPATIENT), ("hangs", IMPATIENT_REQUESTS)],
    ids=["FastHttpUser", "HttpUser"],
    indirect=True,
)
def test_giving_up_is_told_apart_from_an_error(loaded: Loaded) -> None:
    generator, _ = loaded
    taken = generator.open("a", 50, 0.3, seed=5)
    assert taken.planned == taken.done == taken.requests
    given_up = taken.request_columns["failed"] == TIMED_OUT
    assert given_up.sum() == taken.failed == taken.requests - 8
    assert np.isfinite(taken.request_columns["end"]).all()
    waited = taken.request_columns["end"] - taken.request_columns["start"]
    assert waited[given_up].min() >= 1.0


@pytest.mark.parametrize("loaded", [("resets", LOCUSTFILE)], indirect=True)
def test_resets_are_failures_with_their_name(loaded: Loaded) -> None:
    generator, _ = loaded
    taken = generator.open("a", 100, 0.5, seed=5)
    assert taken.planned == taken.done + taken.dropped + taken.unserved
    # The client retries once if a kept connection fails, so it can hide one reset.
    assert taken.failed == taken.requests - 20 > 0
    assert any("/: " in error for error in taken.errors)
    assert set(taken.request_columns["failed"]) == {FINE, FAILED}, "nobody was given up"


@pytest.mark.parametrize(
    "loaded", [("errors", LOCUSTFILE.replace('get("/")', 'get("/bad")'))], indirect=True
)
def test_error_answers_are_failures(loaded: Loaded) -> None:
    generator, _ = loaded
    taken = generator.closed("a", 2, 0.1)
    assert taken.failed == taken.requests > 0
    assert any("500" in error for error in taken.errors)


@pytest.mark.parametrize("loaded", [("fine", LOCUSTFILE)], indirect=True)
def test_a_stopped_generator_sees_its_heartbeat_stop(loaded: Loaded) -> None:
    generator, _ = loaded
    assert generator.open("a", 50, 0.3, seed=5).stall >= 0

    def stop_for_a_while() -> None:
        time.sleep(0.1)
        os.kill(generator.child.pid, signal.SIGSTOP)
        time.sleep(0.3)
        os.kill(generator.child.pid, signal.SIGCONT)

    stopping = threading.Thread(target=stop_for_a_while)
    stopping.start()
    # The next heartbeat, due at most 5 ms after the stop, came when the stop ended.
    assert generator.open("a", 50, 1.0, seed=5).stall > 0.2
    stopping.join()
    # The machine may stand still for a moment, but not in each of five slices.
    stalls = (generator.open("a", 50, 0.3, seed=5).stall for _ in range(5))
    assert any(stall < 0.05 for stall in stalls), "it is forgotten"


@pytest.mark.parametrize("loaded", [("fine", LOCUSTFILE)], indirect=True)
def test_what_others_use_is_known_of_known_cores_only(loaded: Loaded) -> None:
    generator, server = loaded
    assert np.isnan(generator.closed("a", 2, 0.1).foreign)
    cores = processes.split_cores().target
    if not cores or np.isnan(processes.busy_seconds(cores)):
        pytest.skip("how long a core has worked is not to be had here")
    processes.pin(server.pid, cores)
    host = f"http://127.0.0.1:{server_port(server)}"
    generator.attach({"a": host}, {"a": [server.pid]}, cores, 4)
    taken = generator.closed("a", 2, 0.2)
    assert taken.cpu > 0
    # `foreign` excludes the server's own work, up to the resolution of both clocks.
    assert -0.01 < taken.foreign < len(cores) * taken.duration - taken.cpu + 0.01


@pytest.mark.parametrize("loaded", [("fine", TWO_STEPS)], indirect=True)
def test_only_the_first_request_of_a_task_was_scheduled(loaded: Loaded) -> None:
    generator, _ = loaded
    taken = generator.open("a", 100, 0.5, seed=5)
    assert taken.requests == 2 * taken.done == 2 * taken.planned
    first, second = (["request", "GET", path] for path in ("/first", "/second"))
    names = [taken.names[number] for number in taken.request_columns["name"]]
    # Requests of on_start are not in the samples.
    assert first in names and second in names and len(taken.names) == 3
    # The task as a whole was scheduled, and ends when its last request does.
    whole = [taken.names[number] for number in taken.task_columns["name"]]
    assert whole == [["task", "", "shop"]] * taken.done
    assert sorted(taken.task_columns["scheduled"]) == sorted(
        taken.request_columns["scheduled"][
            taken.request_columns["name"] == taken.names.index(first)
        ]
    )
    later = taken.request_columns["name"] == taken.names.index(second)
    assert (taken.request_columns["scheduled"] == taken.request_columns["start"])[
        later
    ].all()
    assert (taken.request_columns["scheduled"] < taken.request_columns["start"])[
        ~later
    ].all()


@pytest.mark.parametrize("loaded", [("fine", NESTED)], indirect=True)
def test_an_arrival_at_a_sequence_is_the_whole_journey(loaded: Loaded) -> None:
    generator, _ = loaded
    taken = generator.open("a", 100, 0.5, seed=5)
    assert taken.planned == taken.done == len(taken.task_columns["end"])
    counts = np.bincount(taken.request_columns["name"], minlength=2)
    assert counts[0] == counts[1] == taken.done
    assert taken.tasks == {"Journey": taken.done}
    closed = generator.closed("a", 4, 0.1)
    counts = np.bincount(closed.request_columns["name"], minlength=2)
    assert counts[0] == counts[1] == closed.done


ENDLESS = NESTED.replace("        self.interrupt()\n", "")


@pytest.mark.parametrize("loaded", [("fine", ENDLESS)], indirect=True)
def test_a_sequence_that_begins_anew_is_the_next_journey(loaded: Loaded) -> None:
    generator, _ = loaded
    taken = generator.open("a", 100, 0.5, seed=5)
    assert taken.planned == taken.done
    counts = np.bincount(taken.request_columns["name"], minlength=2)
    assert counts[0] == counts[1] == taken.done


BROKEN = NESTED.replace('get("/one")', 'get("/one")\n        raise ValueError("oops")')


@pytest.mark.parametrize("loaded", [("fine", BROKEN)], indirect=True)
def test_a_step_that_raises_does_not_end_its_journey(loaded: Loaded) -> None:
    """As under Locust: the next step follows."""
    generator, _ = loaded
    taken = generator.open("a", 100, 0.5, seed=5)
    counts = np.bincount(taken.request_columns["name"], minlength=2)
    assert counts[0] == counts[1] == taken.planned == taken.done
    assert taken.task_columns["failed"].all() and not taken.failed


@pytest.mark.parametrize(
    "loaded",
    [("fine", LOCUSTFILE.replace('self.client.get("/")', "raise ValueError('oops')"))],
    indirect=True,
)
def test_a_task_that_raises_is_a_failure_and_no_request(loaded: Loaded) -> None:
    generator, _ = loaded
    taken = generator.open("a", 100, 0.3, seed=5)
    assert taken.planned == taken.done and not taken.requests
    assert taken.raised == {"task home raised ValueError: oops": taken.done}


RAISING = LOCUSTFILE.replace("FastHttpUser", "HttpUser").replace(
    'get("/")', 'get("/bad").raise_for_status()'
)


@pytest.mark.parametrize("loaded", [("errors", RAISING)], indirect=True)
def test_a_request_that_fails_and_then_raises_has_failed_once(loaded: Loaded) -> None:
    generator, _ = loaded
    taken = generator.open("a", 100, 0.3, seed=5)
    assert taken.planned == taken.requests == taken.failed
    assert not taken.raised and not len(taken.task_columns["end"])


LOGIN = TWO_STEPS.replace('get("/login")', 'get("/bad", name="login")')


@pytest.mark.parametrize("loaded", [("errors", LOGIN)], indirect=True)
def test_what_users_ask_for_in_their_on_start_is_told_apart(loaded: Loaded) -> None:
    generator, server = loaded
    host = f"http://127.0.0.1:{server_port(server)}"
    begun = generator.attach({"a": host}, {"a": [server.pid]}, (), 3)["a"]
    assert (begun.requests, begun.failed) == (3, 3)
    assert any(error.startswith("GET login: ") for error in begun.errors)


SPAWNED = """
from gevent.lock import Semaphore
from locust import FastHttpUser, events, task

everybody = Semaphore()
everybody.acquire()

@events.spawning_complete.add_listener
def go(user_count, **_):
    everybody.release()

class Visitor(FastHttpUser):
    def on_start(self):
        everybody.wait()

    @task
    def home(self):
        self.client.get("/")
"""


@pytest.mark.parametrize("loaded", [("fine", SPAWNED)], indirect=True)
def test_users_may_wait_until_all_have_been_made(loaded: Loaded) -> None:
    generator, _ = loaded
    assert generator.open("a", 50, 0.3, seed=5).failed == 0


@pytest.mark.parametrize("loaded", [("fine", LOCUSTFILE)], indirect=True)
def test_a_generator_that_died_is_said(loaded: Loaded) -> None:
    generator, _ = loaded
    generator.child.stop()
    with pytest.raises(MeasureError, match="the load generator for .* ended"):
        generator.closed("a", 1, 0.1)


@pytest.mark.parametrize("loaded", [("fine", LOCUSTFILE)], indirect=True)
def test_a_server_that_died_is_failures_not_a_hang(loaded: Loaded) -> None:
    generator, server = loaded
    server.stop()
    taken = generator.open("a", 100, 0.3, seed=5)
    assert taken.planned == taken.done + taken.dropped + taken.unserved
    assert taken.failed == taken.requests > 0
