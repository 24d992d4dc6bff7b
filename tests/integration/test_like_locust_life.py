"""Events, users and shapes of a locustfile, as under Locust."""

from pathlib import Path

from tests.integration.ordinary import CLOSED, HEAD, VISITOR, load, paths, say
from tests.integration.scripted import serving
from tests.repeated import repeated

LIFE = """
import time


def told(what):
    print("told:", what)


@events.init.add_listener
def on_init(environment, runner, web_ui, **_):
    told("init")


@events.test_start.add_listener
def on_test_start(environment, **_):
    told("test_start")


@events.spawning_complete.add_listener
def on_spawning_complete(user_count, **_):
    told(f"spawning_complete {user_count}")


@events.test_stopping.add_listener
def on_test_stopping(environment, **_):
    told("test_stopping")


@events.test_stop.add_listener
def on_test_stop(environment, **_):
    told("test_stop")


@events.quitting.add_listener
def on_quitting(environment, **_):
    told("quitting")


@events.quit.add_listener
def on_quit(exit_code, **_):
    told(f"quit {exit_code}")
"""


def test_every_event_is_fired_once_and_in_order(tmp_path: Path) -> None:
    with serving(say) as server:
        ran = load(tmp_path, server, HEAD + VISITOR + LIFE, *CLOSED)
    assert ran.code == 0, ran.said
    told = [line[6:] for line in ran.log.splitlines() if line.startswith("told: ")]
    assert told == [
        *("init", "test_start", "spawning_complete 4"),
        *("test_stopping", "test_stop", "quitting", "quit 0"),
    ]


def test_every_event_of_a_worker_is_fired_once_and_in_order(tmp_path: Path) -> None:
    parting = VISITOR + """
    def on_stop(self):
        print("told: on_stop")
"""
    with serving(say) as server:
        ran = load(tmp_path, server, HEAD + parting + LIFE, *CLOSED, "--workers", "2")
    assert ran.code == 0, ran.said
    for number in (1, 2):
        log = (tmp_path / "out" / f"worker-{number}.log").read_text()
        told = [line[6:] for line in log.splitlines() if line.startswith("told: ")]
        assert told == [
            *("init", "test_start", "spawning_complete 2", "test_stopping"),
            *("on_stop", "on_stop", "test_stop", "quitting", "quit 0"),
        ]
    told = [line[6:] for line in ran.log.splitlines() if line.startswith("told: ")]
    assert told == [
        *("init", "test_start", "spawning_complete 4"),
        *("test_stopping", "test_stop", "quitting", "quit 0"),
    ]


DEALT = """
import gevent
from locust.runners import MasterRunner, WorkerRunner

dealt = []


@events.init.add_listener
def listen(environment, **_):
    if isinstance(environment.runner, WorkerRunner):
        take = lambda environment, msg, **_: dealt.extend(msg.data)
        environment.runner.register_message("customers", take)


@events.test_start.add_listener
def deal(environment, **_):
    runner = environment.runner
    if isinstance(runner, MasterRunner):
        for number, client in enumerate(list(runner.clients)):
            runner.send_message("customers", [f"customer-{number}"], client)


class Customer(HttpUser):
    wait_time = constant(0.05)

    def on_start(self):
        while not dealt:
            gevent.sleep(0.01)

    @task
    def front(self):
        self.client.get("/" + dealt[0])
"""


def test_what_a_master_sends_at_the_start_reaches_its_workers(tmp_path: Path) -> None:
    with serving(say) as server:
        ran = load(tmp_path, server, HEAD + DEALT, *CLOSED, "--workers", "2")
    assert ran.code == 0, ran.said
    assert set(ran.rows("request")) == {("GET", "/customer-0"), ("GET", "/customer-1")}


LEAVING = """
from locust.runners import MasterRunner


@events.test_start.add_listener
def leave(environment, **_):
    if isinstance(environment.runner, MasterRunner):
        environment.runner.quit()
"""


def test_a_master_may_end_a_test_before_it_has_begun(tmp_path: Path) -> None:
    words = ("--users", "4", "--think-time", "--duration", "10m", "--workers", "2")
    with serving(say) as server:
        ran = load(tmp_path, server, HEAD + VISITOR + LEAVING, *words)
    assert ran.found["loaded"] < 60, ran.said


SPAWNED = """
from gevent.lock import Semaphore

everybody = Semaphore()
everybody.acquire()


@events.spawning_complete.add_listener
def go(**_):
    everybody.release()


class Patient(HttpUser):
    wait_time = constant(0.05)

    def on_start(self):
        everybody.wait()

    @task
    def front(self):
        self.client.get("/")
"""


def test_users_may_wait_until_all_are_there(tmp_path: Path) -> None:
    words = ("--users", "4", "--think-time", "--duration", "4s")
    with serving(say) as server:
        ran = load(tmp_path, server, HEAD + SPAWNED, *words)
    assert ran.code == 0, ran.said
    assert ran.rows("request")["GET", "/"][0] > 4


STOPPING = """
from locust.exception import StopUser


class Guest(HttpUser):
    wait_time = constant(0.05)
    turns = 0

    @task
    def front(self):
        self.client.get("/")
        self.turns += 1
        if self.turns == 2:
            raise StopUser()
"""


def test_a_user_that_stops_is_not_made_again(tmp_path: Path) -> None:
    words = ("--users", "3", "--think-time", "--duration", "10m")
    with serving(say) as server:
        ran = load(tmp_path, server, HEAD + STOPPING, *words)
    assert ran.code == 0, ran.said
    assert ran.rows("request") == {("GET", "/"): (6, 0)}
    assert paths(server).count("/") == 6


def test_users_that_stop_do_not_end_a_rise_by_stages(tmp_path: Path) -> None:
    # The steps are seconds apart, so that even on a slow machine every user has stopped
    # before the next one.
    words = ("--users", "1..3 in 10s, 3 for 10m", "--think-time")
    with serving(say) as server:
        ran = load(tmp_path, server, HEAD + STOPPING, *words)
    assert ran.code == 0, ran.said
    # Users that stopped are made again when the number changes: 1 + 2 + 3 users.
    assert ran.rows("request") == {("GET", "/"): (12, 0)}


SLOW = """
import itertools
import time

numbers = itertools.count()


class Slow(HttpUser):
    wait_time = constant(0.05)

    def __init__(self, environment):
        time.sleep(0.3)
        super().__init__(environment)
        self.number = next(numbers)

    @task
    def front(self):
        self.client.get("/", name=f"user {self.number}")
"""


def test_users_may_take_long_to_make(tmp_path: Path) -> None:
    words = ("--users", "4", "--think-time", "--spawn-rate", "4", "--duration", "3s")
    with serving(say) as server:
        ran = load(tmp_path, server, HEAD + SLOW, *words)
    assert ran.code == 0, ran.said
    assert {name for _, name in ran.rows("request")} == {
        f"user {number}" for number in range(4)
    }


SHAPE = """
from locust import LoadTestShape


class Stairs(LoadTestShape):
    upstairs = 0

    def tick(self):
        if self.get_run_time() < 0.9:
            return (2, 10)
        self.upstairs += 1
        return (6, 10) if self.upstairs <= 2 else None


@events.request.add_listener
def note(context, **_):
    counts.add(runner.user_count)


@events.init.add_listener
def keep(environment, **_):
    global runner
    runner = environment.runner


@events.quitting.add_listener
def tell(**_):
    print("users:", min(counts), max(counts))


counts = set()
"""


def test_a_shape_decides_where_nothing_else_does(tmp_path: Path) -> None:
    with serving(say) as server:
        ran = load(tmp_path, server, HEAD + VISITOR + SHAPE, "--think-time")
    assert ran.code == 0, ran.said
    (users,) = [line for line in ran.log.splitlines() if line.startswith("users: ")]
    assert users == "users: 1 6" or users == "users: 2 6"
    assert 1 < ran.found["loaded"] < 30


SPAWNING = """
import time

began = []


class Timed(HttpUser):
    wait_time = constant(0.05)

    def on_start(self):
        began.append(time.monotonic())

    @task
    def front(self):
        self.client.get("/")


@events.quitting.add_listener
def tell(**_):
    print("spawned:", len(began), began[-1] - began[0] > 2)
"""


@repeated
def test_users_come_at_the_spawn_rate(tmp_path: Path) -> None:
    words = ("--users", "4", "--think-time", "--spawn-rate", "1", "--duration", "6s")
    with serving(say) as server:
        ran = load(tmp_path, server, HEAD + SPAWNING, *words)
    assert ran.code == 0, ran.said
    assert "spawned: 4 True" in ran.log.splitlines()
