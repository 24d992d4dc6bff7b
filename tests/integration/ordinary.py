"""Helpers for tests that run ordinary locustfiles under `assay load`."""

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.scripted import Scripted, Step, answer
from tests.integration.shop import ASSAY

HEAD = "from locust import HttpUser, constant, events, task\n"

VISITOR = """

class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task
    def front(self):
        self.client.get("/")
"""


@dataclass(frozen=True)
class Ran:
    """The outcome of a load test.

    Attributes:
        code: The exit code.
        said: The standard output, then the standard error.
        log: The content of locust.log; empty if there is no such file.
        found: The content of results.json; empty if there is no such file.
    """

    code: int
    said: str
    log: str
    found: dict[str, Any]

    def rows(self, kind: str) -> dict[tuple[str, str], tuple[int, int]]:
        """Return the numbers of requests and failures by method and name.

        Only rows of this kind that have a name are returned.
        """
        return {
            (row["method"], row["name"]): (row["requests"], row["failed"])
            for row in self.found.get("rows", ())
            if row["kind"] == kind and row["name"]
        }


def say(number: int, request: bytes) -> Sequence[Step]:
    """Answer the path /status/N with status N, and any other path with status 200."""
    path = request.split()[1].decode()
    status = path.removeprefix("/status/") if path.startswith("/status/") else "200"
    return [answer(status=f"{status} So")]


def load(
    folder: Path,
    server: Scripted,
    text: str,
    *words: str,
    file: str = "locustfile.py",
) -> Ran:
    """Run `assay load` in a folder to its end, and return the outcome.

    `text` is written as the locustfile; if it is empty, `file` must exist already.
    """
    if text:
        (folder / file).write_text(text)
    host = () if "--host" in words else ("--host", server.url)
    done = subprocess.run(
        [*ASSAY, "load", file, *host, "--output", "out", *words],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=90,
    )
    return ran_in(folder, done.returncode, done.stdout + done.stderr)


def ran_in(folder: Path, code: int, said: str) -> Ran:
    """Return the outcome of a load test that ran in this folder."""
    log, results = folder / "out" / "locust.log", folder / "out" / "results.json"
    return Ran(
        code,
        said,
        log.read_text() if log.exists() else "",
        json.loads(results.read_text()) if results.exists() else {},
    )


def paths(server: Scripted) -> list[str]:
    """Return the paths of all requests, in the order in which they came."""
    return [request.split()[1].decode() for request in server.requests]


CLOSED = ("--users", "4", "--think-time", "--duration", "1s")
