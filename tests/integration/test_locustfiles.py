"""Ordinary locustfiles under Assay's arrivals, one feature of Locust in each test.

The tests cover what those of Locust's own examples use that need only an HTTP server.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.integration.loads import load, results, rows
from tests.integration.scripted import Scripted, answer, serving
from tests.repeated import repeated


def loaded(
    folder: Path, text: str, *words: str, rate: str = "60"
) -> tuple[dict[str, Any], Counter[str], Scripted]:
    """Load a server; return the results, its requests by path, and the server."""

    def script(number: int, request: bytes) -> list[bytes]:
        return [answer(b'{"a": 1}', "200 OK", "Content-Type: application/json")]

    with serving(script) as server:
        done = load(
            folder,
            server,
            *("--rate", rate, "--arrivals", "even", "--duration", "1s", "--seed", "1"),
            *words,
            text=text,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    asked = Counter(request.split()[1].decode() for request in server.requests)
    return results(folder), asked, server


WEIGHTS = """
from locust import FastHttpUser, HttpUser, task

class Reader(FastHttpUser):
    weight = 3
    @task
    def read(self):
        self.client.get("/read")

class Writer(HttpUser):
    @task
    def write(self):
        self.client.post("/write", json={})

class Nobody(HttpUser):
    weight = 0
    @task
    def never(self):
        self.client.get("/never")
"""


def test_user_classes_by_weight(tmp_path: Path) -> None:
    found, asked, _ = loaded(tmp_path, WEIGHTS)
    named = rows(found)
    read, write = (named["request", name]["requests"] for name in ("/read", "/write"))
    assert read + write == 60 and "/never" not in asked
    assert 2 <= read / write <= 4.5


FIXED = WEIGHTS.replace(
    "class Writer(HttpUser):", "class Writer(HttpUser):\n    fixed_count = 1"
)


def test_a_fixed_count_of_users(tmp_path: Path) -> None:
    found, _, _ = loaded(tmp_path, FIXED)
    named = rows(found)
    # One of 20 users is a Writer, and users take turns.
    assert 1 <= named["request", "/write"]["requests"] <= 6


TASKS = """
from locust import FastHttpUser, SequentialTaskSet, TaskSet, task
from locust import MarkovTaskSet, transition, transitions

class Steps(SequentialTaskSet):
    @task
    def first(self):
        self.client.get("/first")
    @task
    def second(self):
        self.client.get("/second")
    @task
    def leave(self):
        self.interrupt()

class Walk(MarkovTaskSet):
    @transition("there")
    @task
    def here(self):
        self.client.get("/here")
    @transitions({"here": 1})
    @task
    def there(self):
        self.client.get("/there")

class Nested(TaskSet):
    @task(2)
    class Inner(TaskSet):
        @task
        def deep(self):
            self.client.get("/deep")
            self.interrupt(reschedule=False)
    @task
    def shallow(self):
        self.client.get("/shallow")

class One(FastHttpUser):
    tasks = [Steps]

class Two(FastHttpUser):
    tasks = {Walk: 1}

class Three(FastHttpUser):
    tasks = [Nested]

def outside(user):
    user.client.get("/function")

class Four(FastHttpUser):
    tasks = {outside: 2}
"""


def test_all_kinds_of_task_sets(tmp_path: Path) -> None:
    _, asked, _ = loaded(tmp_path, TASKS, rate="120")
    for path in ("/first", "/second", "/here", "/there", "/deep", "/shallow"):
        assert asked[path] > 0, path
    assert asked["/function"] > 0
    assert abs(asked["/first"] - asked["/second"]) <= 5
    assert abs(asked["/here"] - asked["/there"]) <= 5


TAGGED = """
from locust import FastHttpUser, tag, task

class Visitor(FastHttpUser):
    @tag("read")
    @task
    def read(self):
        self.client.get("/read")

    @tag("write", "slow")
    @task
    def write(self):
        self.client.get("/write")
"""


@pytest.mark.parametrize(
    ("words", "paths"),
    [
        ([], {"/read", "/write"}),
        (["--tags", "read"], {"/read"}),
        (["--exclude-tags", "slow"], {"/read"}),
        (["--tags", "slow", "read"], {"/read", "/write"}),
    ],
)
def test_tags(tmp_path: Path, words: list[str], paths: set[str]) -> None:
    _, asked, _ = loaded(tmp_path, TAGGED, "--", *words)
    assert set(asked) == paths


LIFE = """
import os
from locust import FastHttpUser, events, task

@events.init.add_listener
def on_init(environment, **_):
    environment.greeting = "hello"

@events.test_start.add_listener
def on_test_start(environment, **_):
    open("started", "w").write(environment.greeting)

@events.test_stop.add_listener
def on_test_stop(environment, **_):
    open("stopped", "w").write("bye")

class Visitor(FastHttpUser):
    def on_start(self):
        self.client.post("/login", json={"name": "me"})
        self.token = "secret"

    def on_stop(self):
        self.client.post("/logout")

    @task
    def look(self):
        own = {"X-Token": self.token}
        with self.client.get("/look", headers=own, catch_response=True) as response:
            if response.json()["a"] != 1:
                response.failure("wrong")
        with self.rest("GET", "/rest") as response:
            assert response.js["a"] == 1
"""


@repeated
def test_users_and_tests_begin_and_end(tmp_path: Path) -> None:
    found, asked, server = loaded(tmp_path, LIFE)
    # As many users as were needed, of at most 20.
    assert 1 <= asked["/login"] == asked["/logout"] <= 20
    assert (tmp_path / "started").read_text() == "hello"
    assert (tmp_path / "stopped").read_text() == "bye"
    named = rows(found)
    assert named["request", "/look"]["requests"] == 60
    assert named["request", "/rest"]["failed"] == 0
    # Requests that log in or out are not part of the load.
    assert named["start", "/login"]["requests"] == asked["/login"]
    assert named["stop", "/logout"]["requests"] == asked["/logout"]
    assert ("request", "/login") not in named
    assert sum(b"x-token: secret" in r.lower() for r in server.requests) >= 60


NAMES = """
from locust import FastHttpUser, HttpUser, task

class Visitor(FastHttpUser):
    @task
    def look(self):
        self.client.get("/items/17", name="/items/[id]")
        self.client.request_name = "grouped"
        self.client.get("/a")
        self.client.get("/b")
        self.client.request_name = None

class Other(HttpUser):
    @task
    def look(self):
        with self.client.rename_request("renamed"):
            self.client.get("/c")
"""


def test_requests_under_other_names(tmp_path: Path) -> None:
    found, _, _ = loaded(tmp_path, NAMES)
    named = {name for kind, name in rows(found) if kind == "request" and name}
    assert named == {"/items/[id]", "grouped", "renamed"}


CUSTOM = """
import time
from locust import User, events, task

class Client:
    def __init__(self, environment):
        self.events = environment.events

    def call(self, name, fails):
        began = time.perf_counter()
        start = time.time()
        time.sleep(0.01)
        took = (time.perf_counter() - began) * 1000
        error = RuntimeError("no luck") if fails else None
        self.events.request.fire(
            request_type="rpc", name=name, response_time=took, response_length=0,
            exception=error, start_time=start, context={},
        )

heard = []

@events.request.add_listener
def on_request(name, **_):
    heard.append(name)
    open("heard", "w").write(str(len(heard)))

class Caller(User):
    def __init__(self, environment):
        super().__init__(environment)
        self.client = Client(environment)

    @task(3)
    def fine(self):
        self.client.call("fine", False)

    @task
    def bad(self):
        self.client.call("bad", True)
"""


def test_clients_of_their_own_kind(tmp_path: Path) -> None:
    found, _, _ = loaded(tmp_path, CUSTOM)
    named = rows(found)
    assert named["request", "bad"]["failed"] == named["request", "bad"]["requests"] > 3
    assert named["request", "fine"]["failed"] == 0
    assert named["request", "fine"]["service"]["p50"] >= 0.01
    assert found["errors"] == {"rpc bad: no luck": named["request", "bad"]["failed"]}
    assert int((tmp_path / "heard").read_text()) >= 60


ARGUMENTS = """
from locust import FastHttpUser, events, task

@events.init_command_line_parser.add_listener
def add(parser):
    parser.add_argument("--path", default="/default")
    parser.add_argument("--twice", action="store_true")

class Visitor(FastHttpUser):
    @task
    def look(self):
        options = self.environment.parsed_options
        self.client.get(options.path, name="it")
        if options.twice:
            self.client.get("/again", name="it")
"""


@pytest.mark.parametrize(
    ("words", "paths"),
    [([], {"/default"}), (["--path", "/mine", "--twice"], {"/mine", "/again"})],
)
def test_command_line_arguments_of_the_file(
    tmp_path: Path, words: list[str], paths: set[str]
) -> None:
    _, asked, _ = loaded(tmp_path, ARGUMENTS, "--", *words)
    assert set(asked) == paths


def test_an_argument_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    with serving(lambda number, request: [answer()]) as server:
        done = load(tmp_path, server, "--rate", "5", "--", "--what", text=ARGUMENTS)
    assert done.returncode == 2
    assert "--what" in done.stderr and "Traceback" not in done.stderr


HOST = """
from locust import FastHttpUser, task

class Visitor(FastHttpUser):
    host = "HOST"
    @task
    def look(self):
        self.client.get("/look")
"""


def test_the_host_of_the_class(tmp_path: Path) -> None:
    with serving(lambda number, request: [answer()]) as server:
        text = HOST.replace("HOST", server.url)
        server_without = Scripted(server.script)
        server_without.port = server.port
        done = load(
            tmp_path,
            server,
            *("--host", "", "--rate", "30", "--duration", "1s"),
            text=text,
        )
    assert done.returncode == 0, done.stderr
    assert rows(results(tmp_path))["request", "/look"]["failed"] == 0


SHAPED = """
from locust import FastHttpUser, LoadTestShape, constant, task

class Visitor(FastHttpUser):
    wait_time = constant(1)
    @task
    def look(self):
        self.client.get("/look")

class Stairs(LoadTestShape):
    def tick(self):
        return (5, 5)
"""


def test_a_shape_of_the_file_is_told_to_have_no_say(tmp_path: Path) -> None:
    found, _, _ = loaded(tmp_path, SHAPED)
    assert found["planned"] == 60
    assert any("Stairs" in warning for warning in found["warnings"])


FLOW = """
import random
from locust import FastHttpUser, task
from locust.exception import RescheduleTask, RescheduleTaskImmediately, StopUser

class Visitor(FastHttpUser):
    turns = 0

    @task
    def look(self):
        self.client.get("/look")
        self.turns += 1
        if self.turns == 2:
            raise RescheduleTask()
        if self.turns == 3:
            raise StopUser()

    @task
    def fail(self):
        self.client.get("/before")
        raise ValueError("a bug in the locustfile")
"""


RAISING = """
from locust import FastHttpUser, task

class Visitor(FastHttpUser):
    @task
    def buy(self):
        self.client.get("/cart")
        self.client.get("/orders")
        raise ValueError("it cost too much")
"""


def test_a_task_that_raises_has_failed(tmp_path: Path) -> None:
    found, _, _ = loaded(tmp_path, RAISING)
    task = rows(found)["task", "buy"]
    assert task["failed"] == task["requests"] == 60


def test_what_a_task_raises_costs_no_arrival(tmp_path: Path) -> None:
    found, _, _ = loaded(tmp_path, FLOW, rate="100")
    assert found["done"] == 100
    assert any("a bug in the locustfile" in error for error in found["raised"])


REQUIRED = ARGUMENTS.replace('"--path", default="/default"', '"--path", required=True')


def test_a_required_argument_of_the_file(tmp_path: Path) -> None:
    _, asked, _ = loaded(tmp_path, REQUIRED, "--", "--path", "/mine")
    assert set(asked) == {"/mine"}
