"""What listeners of a locustfile find, and what happens if they fail."""

from pathlib import Path

import pytest

from tests.integration.loads import load
from tests.integration.scripted import answer, serving
from tests.integration.test_locustfiles import ARGUMENTS, loaded

WHERE = """
from locust import FastHttpUser, events, task

def note(environment, kind):
    options = environment.parsed_options
    with open(kind, "a") as file:
        file.write(f"{environment.host} {options.host}\\n")

@events.init.add_listener
def on_init(environment, **_):
    note(environment, "init")

@events.test_start.add_listener
def on_test_start(environment, **_):
    note(environment, "test_start")

class Visitor(FastHttpUser):
    @task
    def look(self):
        note(self.environment, "task")
        self.client.get("/look")
"""


def test_listeners_find_the_host(tmp_path: Path) -> None:
    _, _, server = loaded(tmp_path, WHERE)
    for kind in ("init", "test_start", "task"):
        said = set((tmp_path / kind).read_text().splitlines())
        assert said == {f"{server.url} {server.url}"}, kind


def test_listeners_of_workers_find_the_host_when_the_test_starts(
    tmp_path: Path,
) -> None:
    _, _, server = loaded(tmp_path, WHERE, "--workers", "2")
    for kind in ("test_start", "task"):
        said = set((tmp_path / kind).read_text().splitlines())
        assert said == {f"{server.url} {server.url}"}, kind


FAILING = """
from locust import FastHttpUser, events, task

@events.EVENT.add_listener
def prepare(environment, **_):
    raise KeyError("no such customer")

class Visitor(FastHttpUser):
    @task
    def look(self):
        self.client.get("/look")
"""


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("event", ["init", "test_start"])
def test_a_listener_that_fails_is_named_and_nothing_is_measured(
    tmp_path: Path, event: str, workers: str
) -> None:
    with serving(lambda number, request: [answer()]) as server:
        words = ("--rate", "5", "--duration", "1s", "--workers", workers)
        text = FAILING.replace("EVENT", event)
        done = load(tmp_path, server, *words, text=text)
    assert done.returncode == 2, done.stderr
    assert f"line 6: its {event} listener prepare raised KeyError" in done.stderr
    assert "no such customer" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--users", "50"], "--users"),
        (["--run-time", "3s", "-r", "2"], "--spawn-rate, --run-time"),
        (["--host", "http://elsewhere"], "--host"),
        (["--headless"], "--headless"),
    ],
)
def test_options_of_locust_without_effect_are_refused(
    tmp_path: Path, words: list[str], named: str
) -> None:
    with serving(lambda number, request: [answer()]) as server:
        done = load(tmp_path, server, "--rate", "5", "--", *words, text=ARGUMENTS)
    assert done.returncode == 2, done.stderr
    assert f"{named} would have no effect" in done.stderr
    assert not server.requests
