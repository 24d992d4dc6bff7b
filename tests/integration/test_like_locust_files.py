"""Where a locustfile finds its inputs, and where its output goes."""

from pathlib import Path

import pytest

from tests.integration.ordinary import CLOSED, HEAD, VISITOR, Ran, load, paths, say
from tests.integration.scripted import Scripted, serving

# --- Where it finds what it needs ---------------------------------------------------


SPAWNED = """

@events.spawning_complete.add_listener
def tell(user_count, **_):
    print("spawned:", user_count)
"""


def test_locust_conf_is_heeded(tmp_path: Path) -> None:
    with serving(say) as server:
        settings = f"host = {server.url}\nusers = 3\nspawn-rate = 3\nrun-time = 1s\n"
        (tmp_path / "locust.conf").write_text(settings)
        words = ("--think-time", "--host", server.url)
        ran = load(tmp_path, server, HEAD + VISITOR + SPAWNED, *words)
    assert ran.code == 0, ran.said
    assert "spawned: 3" in ran.log.splitlines()
    assert ran.found["loaded"] < 30


TWO = """

class Reader(HttpUser):
    wait_time = constant(0.05)

    @task
    def read(self):
        self.client.get("/read")


class Writer(HttpUser):
    wait_time = constant(0.05)

    @task
    def write(self):
        self.client.post("/write")
"""


def test_user_classes_are_chosen_by_name(tmp_path: Path) -> None:
    with serving(say) as server:
        ran = load(tmp_path, server, HEAD + TWO, *CLOSED, "--", "Writer")
    assert ran.code == 0, ran.said
    assert set(ran.rows("request")) == {("POST", "/write")}


def test_a_class_that_is_not_there_is_named(tmp_path: Path) -> None:
    with serving(say) as server:
        ran = load(tmp_path, server, HEAD + TWO, *CLOSED, "--", "Editor")
        assert not server.requests
    assert ran.code == 2 and "Editor" in ran.said
    assert "Reader" in ran.said and "Writer" in ran.said


@pytest.mark.parametrize("files", ["files", "files/a.py,files/b.py"])
def test_several_locustfiles_make_one_test(tmp_path: Path, files: str) -> None:
    reader, writer = TWO.split("\n\n\n")
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.py").write_text(HEAD + reader)
    (folder / "b.py").write_text(HEAD + "\n\n" + writer)
    with serving(say) as server:
        ran = load(tmp_path, server, "", *CLOSED, file=files)
    assert ran.code == 0, ran.said
    assert set(ran.rows("request")) == {("GET", "/read"), ("POST", "/write")}


def test_two_classes_of_one_name_are_refused(tmp_path: Path) -> None:
    files = ("one/locustfile.py", "two/locustfile.py")
    for name in files:
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(HEAD + VISITOR)
    with serving(say) as server:
        ran = load(tmp_path, server, "", *CLOSED, file=",".join(files))
        assert not server.requests
    assert ran.code == 2
    assert all(name in ran.said for name in files) and "rename one" in ran.said


FUNCTIONS = """
import time


def test_read(session):
    session.get("/read").raise_for_status()
    time.sleep(0.05)


def test_broken(fastsession):
    time.sleep(0.05)
    fastsession.get("/status/500").raise_for_status()
    fastsession.get("/never")
"""


def test_functions_of_pytest_are_user_classes(tmp_path: Path) -> None:
    with serving(say) as server:
        ran = load(tmp_path, server, FUNCTIONS, *CLOSED)
    assert ran.code == 0, ran.said
    rows = ran.rows("request")
    assert set(rows) == {("GET", "/read"), ("GET", "/status/500")}
    requests, failed = rows["GET", "/status/500"]
    assert failed == requests > 0 == rows["GET", "/read"][1]


def test_the_working_directory_is_where_the_command_was_given(tmp_path: Path) -> None:
    (tmp_path / "helpers").mkdir()
    (tmp_path / "helpers" / "names.py").write_text('NAMES = ["ada"]\n')
    folder = tmp_path / "tests" / "load"
    folder.mkdir(parents=True)
    (folder / "users.csv").write_text("u1,p1\n")
    (folder / "beside.py").write_text('OWN = "own"\n')
    text = (
        "import csv\nfrom helpers.names import NAMES\nfrom beside import OWN\n"
        + 'USERS = list(csv.reader(open("tests/load/users.csv")))\n'
        + HEAD
        + VISITOR.replace('"/"', 'f"/{NAMES[0]}/{USERS[0][0]}/{OWN}"')
    )
    with serving(say) as server:
        ran = load(tmp_path, server, text, *CLOSED, file="tests/load/locustfile.py")
    assert ran.code == 0, ran.said
    assert set(ran.rows("request")) == {("GET", "/ada/u1/own")}


# --- As many users as there are names -----------------------------------------------

NAMED = """
names = ["ada", "grace", "joan"]


class Member(HttpUser):
    wait_time = constant(0.05)

    def on_start(self):
        self.name = names.pop()
        self.client.post("/login", {"name": self.name})

    @task
    def home(self):
        self.client.get("/home")
"""


def named(folder: Path, *words: str) -> tuple[Ran, Scripted]:
    with serving(say) as server:
        return load(folder, server, HEAD + NAMED, *words), server


def test_users_are_the_most_that_a_rate_may_make(tmp_path: Path) -> None:
    words = ("--rate", "60", "--users", "3", "--duration", "2s")
    ran, server = named(tmp_path, *words)
    assert ran.code == 0, ran.said
    assert 1 <= paths(server).count("/login") <= 3
    assert ran.found["unserved"] == 0


def test_running_out_of_names_says_how_many_there_were(tmp_path: Path) -> None:
    ran, _ = named(tmp_path, "--users", "5", "--think-time", "--duration", "1s")
    assert ran.code in (2, 4), ran.said
    assert "--users 3" in ran.said
    assert "pop from empty list" in ran.said


# --- What it prints -----------------------------------------------------------------

TALKING = """
import logging
import sys


class Talker(HttpUser):
    wait_time = constant(0.05)

    @task
    def talk(self):
        self.client.get("/")
        print("printed by a task")
        print("printed as an error", file=sys.stderr)
        logging.getLogger("own").warning("logged by a task")
        raise ValueError("raised by a task")
"""


def test_what_a_locustfile_says_is_kept(tmp_path: Path) -> None:
    with serving(say) as server:
        ran = load(tmp_path, server, HEAD + TALKING, *CLOSED)
    for words in ("printed by a task", "printed as an error", "logged by a task"):
        assert words in ran.log
    assert "Traceback" in ran.log and "ValueError: raised by a task" in ran.log


FAILING = """

class Broken(HttpUser):
    def on_start(self):
        print("opening the vault")
        raise ValueError("no vault")

    @task
    def front(self):
        self.client.get("/")
"""


def test_the_last_lines_are_shown_where_something_failed(tmp_path: Path) -> None:
    with serving(say) as server:
        ran = load(tmp_path, server, HEAD + FAILING, *CLOSED)
    assert ran.code != 0
    assert "opening the vault" in ran.said and "no vault" in ran.said
