"""The kinds of services that are compared with themselves, each as a topic."""

import shutil
from dataclasses import dataclass
from pathlib import Path

SIDES = ("base", "other")
UVICORN = (
    "python -m uvicorn app:app --port {port} --log-level warning --no-access-log "
    "--timeout-keep-alive 120"
)
APPS_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Kind:
    """One kind of service, with its load.

    Attributes:
        says: What it does, in words.
        users: Users of the closed loop; None for the default load.
        app: The file in this folder that is copied to app.py.
    """

    name: str
    says: str
    users: int | None
    client: str = "FastHttpUser"
    command: str = UVICORN
    app: str = "kinds_app.py"


KINDS = (
    Kind("def-sleep", "`def`, sleeps 20 ms in a thread", 8),
    Kind("async-sleep", "`async def`, sleeps 5 ms", 16),
    Kind("async-compute", "`async def`, computes", 4),
    Kind("def-compute", "`def`, computes in a thread", 4),
    Kind(
        "two-workers", "two workers that compute", 8, command=f"{UVICORN} --workers 2"
    ),
    Kind(
        "threads",
        "eight threads that sleep 10 ms, like gunicorn's gthread worker",
        64,
        command="python app.py {port}",
        app="kinds_threads.py",
    ),
    Kind("pool", "a pool of 4 connections, each held 10 ms", 16, client="HttpUser"),
    Kind("lock", "a lock that threads hold 2 ms", 8),
)
LOG_IN = Kind(
    "log-in",
    "users that register and log in, 0.3 s of CPU each",
    None,
    client="HttpUser",
    app="kinds_login.py",
)

CLAIMS = """\
title = "Identical code: {name}"

[target]
command = "{command}"
ready = "{ready}"
env = {{ KIND = "{name}", HASHES = "{hash_rounds}" }}

[scenario]
locustfile = "locustfile.py"
{load}
[variants]
base = {{}}
other = {{}}
"""

LOCUSTFILE = """\
from locust import CLIENT, constant, task


class Visitor(CLIENT):
    wait_time = constant(1)

    @task
    def work(self):
        self.client.get("/")
"""

LOG_IN_LOCUSTFILE = """\
import uuid

from locust import HttpUser, between, task


class Member(HttpUser):
    wait_time = between(1, 3)

    def on_start(self):
        account = {"name": uuid.uuid4().hex, "password": "a long password"}
        self.client.post("/members", json=account)
        answer = self.client.post("/tokens", json=account)
        self.client.headers["Authorization"] = "Bearer " + answer.json()["token"]

    @task(4)
    def read(self):
        self.client.get("/notes")

    @task
    def write(self):
        self.client.post("/notes", json={"text": "bring milk"})
"""


def write_topic(kind: Kind, folder: Path, hash_rounds: int) -> None:
    """Write a topic that compares a kind with itself.

    Args:
        kind: The kind of service.
        folder: The folder to make for the topic.
        hash_rounds: Rounds of a password hash, for the kind with log-ins.
    """
    folder.mkdir()
    shutil.copyfile(APPS_FOLDER / kind.app, folder / "app.py")
    locustfile = LOCUSTFILE.replace("CLIENT", kind.client)
    (folder / "locustfile.py").write_text(
        LOG_IN_LOCUSTFILE if kind == LOG_IN else locustfile
    )
    load = "" if kind.users is None else f"load = {{ users = {kind.users} }}\n"
    text = CLAIMS.format(
        name=kind.name,
        command=kind.command,
        ready="/" if kind.app == "kinds_threads.py" else "/health",
        hash_rounds=hash_rounds,
        load=load,
    )
    (folder / "claims.toml").write_text(text)
