"""A small service in a folder of its own, and helpers that run Assay on it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

ASSAY = [sys.executable, "-m", "assay"]
# Plugins that no benchmark needs; importing them takes half of the time of a launch.
FEWER_PLUGINS = "-p no:schemathesis -p no:hypothesispytest"

APP = """\
import asyncio, hashlib, os

WORK = int(os.environ.get("WORK", "1"))
DIE_AFTER = int(os.environ.get("DIE_AFTER", "0"))
FAIL_EVERY = int(os.environ.get("FAIL_EVERY", "0"))
SLOW_EVERY = int(os.environ.get("SLOW_EVERY", "0"))
SLOW_SECONDS = float(os.environ.get("SLOW_SECONDS", "0"))
WARM_UP = 100  # requests, of which none is slow
served = 0


def burn(rounds):
    data = b"x" * 1000
    for _ in range(rounds):
        data = hashlib.sha256(data * 20).digest() * 30


async def app(scope, receive, send):
    global served
    if scope["type"] != "http":
        return
    served += 1
    if DIE_AFTER and served > DIE_AFTER:
        print("the shop is on fire", flush=True)
        os._exit(3)
    if SLOW_EVERY and served > WARM_UP and served % SLOW_EVERY == 0:
        await asyncio.sleep(SLOW_SECONDS)
    burn(WORK)
    status = 500 if FAIL_EVERY and served % FAIL_EVERY == 0 else 200
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})
"""

LOCUSTFILE = """\
from locust import FastHttpUser, between, task


class Visitor(FastHttpUser):
    wait_time = between(1, 2)

    @task
    def home(self):
        self.client.get("/")
"""

CLAIMS = """\
title = "Less work"

[target]
command = "python -m uvicorn app:app --port {port} --log-level warning \
--lifespan off --timeout-keep-alive 120"

[scenario]
locustfile = "locustfile.py"
load = { users = 2, utilisation = 0.4, connections = 4 }

[variants]
more = { env = { WORK = "60" } }
less = { env = { WORK = "6" } }

[[claims]]
says      = "A tenth of the work takes less than half of the CPU time"
baseline  = "more"
candidate = "less"
metric    = "cpu_per_request"
expect    = "<= 0.5"
"""

# Six launches and one look are enough for an effect of this size, and take seconds. The
# time budget is long, for a machine on which most launches are disturbed.
PROJECT = "[tool.assay]\nlooks = [6]\ntime_budget = 200\nprofile = false\n"


def write(folder: Path, **files: str) -> Path:
    """Write the service and its topic into a folder, and return the folder.

    Args:
        folder: It is created if it does not exist.
        files: Contents that replace those of a file, by its name without suffix.
    """
    contents = {
        "app.py": APP,
        "locustfile.py": LOCUSTFILE,
        "claims.toml": CLAIMS,
        "pyproject.toml": PROJECT,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_text(files.get(name.split(".")[0], content))
    return folder


def assay(folder: Path, *words: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of Assay in the folder to its end; `env` is set as well."""
    return subprocess.run(
        [*ASSAY, *words],
        cwd=folder,
        env={**os.environ, "COLUMNS": "100", **env},
        capture_output=True,
        text=True,
        timeout=700,
        check=False,
    )


def start(folder: Path, *words: str) -> "subprocess.Popen[str]":
    """Start a command of Assay in the folder, in a session of its own."""
    return subprocess.Popen(
        [*ASSAY, *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def results(run: Path) -> dict[str, Any]:
    """Return results.json of a run directory."""
    read: dict[str, Any] = json.loads((run / "results.json").read_text())
    return read


def left_behind(folder: Path) -> list[str]:
    """Return the command lines of all processes that run in the folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()) == folder.resolve():
                found.append(" ".join(process.cmdline()))
        except (psutil.Error, OSError):
            continue
    return found
