"""Ordinary locustfiles get the right numbers, and find what Locust provides.

Each test has a locustfile that Assay once got wrong, and the right result.
"""

import re
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.integration.ordinary import (
    CLOSED,
    HEAD,
    VISITOR,
    load,
    paths,
    ran_in,
    say,
)
from tests.integration.scripted import Step, answer, serving
from tests.integration.shop import ASSAY
from tests.repeated import repeated

# --- Numbers ------------------------------------------------------------------------

JOURNEY = """
from locust import HttpUser, SequentialTaskSet, task


class Checkout(SequentialTaskSet):
    @task
    def cart(self):
        self.client.post("/cart")

    @task
    def address(self):
        self.client.post("/address")

    @task
    def pay(self):
        self.client.post("/pay")


class Shopper(HttpUser):
    tasks = [Checkout]
"""


def test_an_arrival_at_a_journey_is_the_whole_journey(tmp_path: Path) -> None:
    rate = ("--rate", "30", "--arrivals", "even", "--duration", "2s")
    with serving(say) as server:
        ran = load(tmp_path, server, JOURNEY, *rate)
    assert ran.code == 0, ran.said
    assert ran.rows("request") == {
        ("POST", "/cart"): (60, 0),
        ("POST", "/address"): (60, 0),
        ("POST", "/pay"): (60, 0),
    }
    journeys = ran.rows("task")
    assert list(journeys.values()) == [(60, 0)]
    whole, pay = (
        next(row for row in ran.found["rows"] if row["name"] == name)
        for name in (next(iter(journeys))[1], "/pay")
    )
    # A journey takes as long as its requests together.
    assert whole["latency"]["p50"] > pay["latency"]["p50"]


MARKOV = """
from locust import HttpUser, MarkovTaskSet, transition, transitions


class Walk(MarkovTaskSet):
    @transition("inside")
    def door(self):
        self.client.get("/door")

    @transitions({"inside": 3, "door": 1})
    def inside(self):
        self.client.get("/inside")


class Walker(HttpUser):
    tasks = [Walk]
"""


def test_a_chain_gets_beyond_its_first_step(tmp_path: Path) -> None:
    rate = ("--rate", "60", "--arrivals", "even", "--duration", "2s", "--seed", "3")
    # Every new user begins at the door. On a slow machine many arrivals come due at
    # once, and without a maximum each of them would get a new user.
    few = ("--users", "2")
    with serving(say) as server:
        ran = load(tmp_path, server, MARKOV, *rate, *few)
    assert ran.code == 0, ran.said
    rows = ran.rows("request")
    door, inside = (rows["GET", name][0] for name in ("/door", "/inside"))
    # In the long run, one request in five is at the door.
    assert door + inside == 120
    assert 8 <= door <= 48


COUNTED = """
from locust import HttpUser, task


class Visitor(HttpUser):
    def on_start(self):
        self.client.get("/begin")

    @task
    def front(self):
        self.client.get("/")
"""


@repeated
def test_no_more_users_are_made_than_are_needed(tmp_path: Path) -> None:
    # The rate is low, so few arrivals become due while the machine stalls for a second.
    rate = ("--rate", "8", "--users", "60", "--arrivals", "even", "--duration", "5s")
    with serving(say) as server:
        ran = load(tmp_path, server, COUNTED, *rate)
    assert ran.code == 0, ran.said
    made, failed = ran.rows("start")["GET", "/begin"]
    assert made == paths(server).count("/begin")
    assert made <= 15 and not failed
    assert ran.rows("request") == {("GET", "/"): (40, 0)}


FLAKY = """
from locust import HttpUser, constant, task


class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task
    def flaky(self):
        self.client.get("/flaky").raise_for_status()
"""


def test_a_request_that_fails_and_raises_has_failed_once(tmp_path: Path) -> None:
    def third(number: int, request: bytes) -> Sequence[Step]:
        return [answer(status="500 No" if number % 3 == 0 else "200 OK")]

    with serving(third) as server:
        ran = load(tmp_path, server, FLAKY, *CLOSED)
    assert ran.code == 0, ran.said
    asked = len(server.requests)
    assert ran.rows("request") == {("GET", "/flaky"): (asked, asked // 3)}
    assert not ran.rows("task")
    every = next(row for row in ran.found["rows"] if not row["name"])
    assert (every["requests"], every["failed"]) == (asked, asked // 3)
    assert sum(ran.found["errors"].values()) == asked // 3


LOGIN = """
from locust import HttpUser, constant, task


class Member(HttpUser):
    wait_time = constant(0.05)

    def on_start(self):
        self.client.get("/status/401", name="login")

    @task
    def front(self):
        self.client.get("/")
"""


def test_log_ins_that_fail_are_seen(tmp_path: Path) -> None:
    with serving(say) as server:
        ran = load(tmp_path, server, LOGIN, *CLOSED)
    assert ran.rows("start") == {("GET", "login"): (4, 4)}
    ((_, failed),) = ran.rows("request").values()
    assert not failed
    assert ran.code == 1, ran.said
    assert "login" in ran.said


METHODS = """
from locust import HttpUser, constant, task


class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task
    def both(self):
        self.client.get("/item")
        self.client.post("/item")
"""


def test_rows_are_method_and_name(tmp_path: Path) -> None:
    with serving(say) as server:
        ran = load(tmp_path, server, METHODS, *CLOSED)
    assert ran.code == 0, ran.said
    rows = ran.rows("request")
    assert set(rows) == {("GET", "/item"), ("POST", "/item")}
    assert rows["GET", "/item"] == rows["POST", "/item"]


def test_where_nothing_succeeds_the_test_has_failed(tmp_path: Path) -> None:
    text = HEAD + VISITOR.replace('"/"', '"/status/503"')
    with serving(say) as server:
        ran = load(tmp_path, server, text, *CLOSED)
    assert ran.code == 1, ran.said
    ((requests, failed),) = ran.rows("request").values()
    assert requests == failed > 0


IDLE = """
import time
from locust import User, task


class Nobody(User):
    @task
    def wait(self):
        time.sleep(0.01)
"""


def test_no_rate_holds_where_nothing_was_requested(tmp_path: Path) -> None:
    wanted = ("--rate", "20", "--duration", "1s", "--require", "rate >= 10/s")
    with serving(say) as server:
        ran = load(tmp_path, server, IDLE, *wanted)
    assert ran.code != 0, ran.said
    (requirement,) = ran.found["requirements"]
    assert requirement["verdict"] != "holds"


def test_errors_do_not_hold_where_a_worker_was_lost(tmp_path: Path) -> None:
    words = ("--rate", "40", "--duration", "4s", "--workers", "2")
    (tmp_path / "locustfile.py").write_text(HEAD + VISITOR)
    with serving(say) as server:
        command = [*ASSAY, "load", "locustfile.py", "--host", server.url]
        command += ["--output", "out", *words, "--require", "errors <= 1%"]
        test = subprocess.Popen(
            command,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        while len(server.requests) < 20:
            assert test.poll() is None
            time.sleep(0.05)
        workers = [
            process
            for process in psutil.Process(test.pid).children(recursive=True)
            if "worker" in " ".join(process.cmdline())
        ]
        workers[0].send_signal(signal.SIGKILL)
        said, _ = test.communicate(timeout=90)
    ran = ran_in(tmp_path, test.returncode, said)
    assert ran.found["unserved"] > 0, said
    (requirement,) = ran.found["requirements"]
    assert requirement["verdict"] != "holds"
    assert ran.code in (1, 4)


# --- What a locustfile finds --------------------------------------------------------

GATE = """

@events.quitting.add_listener
def judge(environment, **_):
    print("requests:", environment.stats.total.num_requests)
    print("failed:", environment.stats.total.num_failures)
    print("front:", environment.stats.get("/", "GET").num_requests)
    environment.process_exit_code = 7
"""


def test_a_listener_judges_by_the_statistics(tmp_path: Path) -> None:
    with serving(say) as server:
        ran = load(tmp_path, server, HEAD + VISITOR + GATE, *CLOSED)
    ((requests, _),) = ran.rows("request").values()
    for line in (f"requests: {requests}", "failed: 0", f"front: {requests}"):
        assert line in ran.log.splitlines()
    assert ran.code == 7, ran.said


QUITTING = """

class Last(HttpUser):
    fixed_count = 1
    turns = 0
    wait_time = constant(0.05)

    @task
    def front(self):
        self.client.get("/last")
        self.turns += 1
        if self.turns == 5:
            self.environment.runner.quit()
"""


def test_a_user_ends_the_test(tmp_path: Path) -> None:
    words = ("--users", "3", "--think-time", "--duration", "10m")
    with serving(say) as server:
        ran = load(tmp_path, server, HEAD + VISITOR + QUITTING, *words)
    assert ran.code == 0, ran.said
    assert ran.rows("request")["GET", "/last"] == (5, 0)
    assert ran.found["loaded"] < 600


SETTINGS = """

@events.test_start.add_listener
def note(environment, **_):
    own = environment.parsed_options
    print("options:", own.num_users, own.spawn_rate, own.run_time, own.headless)
    print("target:", environment.runner.target_user_count)


@events.test_stopping.add_listener
def count(environment, **_):
    print("users:", environment.runner.user_count)
"""


def test_options_and_numbers_of_users_are_known(tmp_path: Path) -> None:
    with serving(say) as server:
        words = (*CLOSED, "--spawn-rate", "8")
        ran = load(tmp_path, server, HEAD + VISITOR + SETTINGS, *words)
    assert ran.code == 0, ran.said
    (options,) = re.findall(r"options: (\d+) (\S+) (\S+) (\S+)", ran.log)
    users, rate, seconds, headless = options
    assert (int(users), float(rate), float(seconds)) == (4, 8.0, 1.0)
    assert headless == "True"
    for line in ("target: 4", "users: 4"):
        assert line in ran.log.splitlines()
