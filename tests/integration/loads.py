"""Helpers for tests that run `assay load` and read its results."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.integration.scripted import Scripted, Step, answer
from tests.integration.shop import ASSAY

LEAN = """\
from locust import task
from assay.load import LeanHttpUser


class Visitor(LeanHttpUser):
    network_timeout = 30.0

    @task(3)
    def look(self):
        self.client.get("/look")

    @task
    def buy(self):
        self.client.get("/cart")
        self.client.post("/orders", json={"id": 1})
"""

LOOK = """\
from locust import task
from assay.load import LeanHttpUser


class Visitor(LeanHttpUser):
    @task
    def look(self):
        self.client.get("/look")
"""


def load(
    folder: Path,
    server: Scripted,
    *words: str,
    text: str = LEAN,
    timeout: float = 90,
    **env: str,
) -> "subprocess.CompletedProcess[str]":
    """Run `assay load` to its end, with `text` as the locustfile."""
    (folder / "locustfile.py").write_text(text)
    return subprocess.run(
        command(server, *words),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, **env},
    )


def command(server: Scripted, *words: str) -> list[str]:
    return [
        *(*ASSAY, "load", "locustfile.py", "--host", server.url),
        *("--output", "out", "--users", "20", *words),
    ]


def results(folder: Path) -> dict[str, Any]:
    """Return results.json, after a check that its counts of requests add up."""
    found: dict[str, Any] = json.loads((folder / "out" / "results.json").read_text())
    assert found["planned"] == found["done"] + found["dropped"] + found["unserved"]
    return found


def rows(found: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["kind"], row["name"]): row for row in found["rows"]}


def fine(number: int, request: bytes) -> Sequence[Step]:
    return [answer()]
