"""A service that makes its database when it starts: each launch has a fresh one."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.integration import shop
from tests.integration.test_compare import commit, git

APP = """\
import sqlite3
import hashlib, os

WORK = int(os.environ.get("WORK", "1"))
items = sqlite3.connect("shop.db")
items.execute("PRAGMA synchronous = OFF")
items.execute("CREATE TABLE items (name TEXT)")


def burn(rounds):
    for _ in range(rounds):
        hashlib.sha256(b"x" * 20000).digest()


async def app(scope, receive, send):
    burn(WORK)
    items.execute("INSERT INTO items VALUES ('tea')")
    items.commit()
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})
"""
COPIED = shop.CLAIMS.replace("[target]\n", "[target]\ncopy = true\n")
PROFILED = shop.PROJECT.replace("profile = false\n", "profile = true\n")


def test_without_copies_the_message_says_what_to_type(tmp_path: Path) -> None:
    folder = shop.write(tmp_path / "shop", app=APP)
    done = shop.assay(folder, "run", ".", "--launches", "2", "--output", "out")
    assert done.returncode == 4, done.stdout + done.stderr
    said = " ".join(done.stderr.split())
    assert "copy = true in [target] of" in said and "shop.db" in said


def test_with_copies_it_is_measured_and_profiled(tmp_path: Path) -> None:
    folder = shop.write(tmp_path / "shop", app=APP, claims=COPIED, pyproject=PROFILED)
    done = shop.assay(
        folder, "run", ".", "--launches", "2", "--output", "out", TMPDIR=str(tmp_path)
    )
    assert done.returncode in (0, 3), done.stdout + done.stderr
    results = shop.results(folder / "out")
    assert results["partial"] is False
    assert not (folder / "shop.db").exists()
    # Reports name files by their paths in the project, not in its copies.
    stacks = [
        line
        for file in (folder / "out/rounds").glob("*.json")
        for stack, _ in json.loads(file.read_text())["stacks"]
        for line in stack
    ]
    assert any(line.startswith("burn (app.py:") for line in stacks)
    assert not any(str(tmp_path) in cause["where"] for cause in results["causes"])
    assert not list(tmp_path.glob("assay-*"))


def test_two_commits_run_in_copies_of_their_checkouts(tmp_path: Path) -> None:
    claims = COPIED.partition("[variants]")[0]
    project = shop.PROJECT.replace("looks = [6]", "looks = [2]")
    folder = shop.write(tmp_path / "shop", app=APP, claims=claims, pyproject=project)
    git(folder, "init", "-q", "-b", "main")
    commit(folder, "A shop", {".gitignore": "out/\n"})
    commit(folder, "More work", {"app.py": APP.replace("burn(WORK)", "burn(9)")})
    done = shop.assay(
        folder,
        *("compare", "HEAD~1", "HEAD", "--topic", ".", "--output", "out"),
        ASSAY_CACHE=str(tmp_path / "cache"),
        VIRTUAL_ENV=sys.prefix,
    )
    assert done.returncode in (0, 1, 3), done.stdout + done.stderr
    results = shop.results(folder / "out")
    assert results["partial"] is False and results["comparisons"]
    assert not list(tmp_path.rglob("shop.db"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_copy_stays_behind(tmp_path: Path, number: signal.Signals) -> None:
    folder = shop.write(tmp_path / "shop", app=APP, claims=COPIED)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    running = subprocess.Popen(
        [*shop.ASSAY, "run", ".", "--output", "out"],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    until = time.monotonic() + 120
    while not list(temporary.glob("assay-*/*/copies/*/shop/shop.db")):
        assert running.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    running.send_signal(number)
    running.wait(120)
    until = time.monotonic() + 60
    while list(temporary.glob("assay-*")):
        assert time.monotonic() < until, list(temporary.rglob("*"))
        time.sleep(0.1)
