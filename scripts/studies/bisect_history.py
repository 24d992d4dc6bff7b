"""Git histories of 64 commits, at most one of which makes a function slower."""

import random
import subprocess
from dataclasses import dataclass
from pathlib import Path

COMMITS = 64
BROKEN = 2  # commits of each history that cannot be measured
STEPS = 6000  # steps of the measured function's loop
SLOWER = 1.08

PRICES = '''"""Prices of things."""

# Edited {edits} times.


def price_of(item):
    """Return a price."""
    return sum(item * step % 7 for step in range({steps}))


def tax_of(item):
    """Return a tax, which never changes."""
    return sum(item * step % 3 for step in range(3000))
'''
BROKEN_CODE = "def price_of(item) return item\n"
BENCHMARKS = """
from prices import price_of, tax_of


def test_price(benchmark):
    benchmark(price_of, 5)


def test_tax(benchmark):
    benchmark(tax_of, 5)
"""
APP = """
from prices import price_of, tax_of


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body = b"%d" % (price_of(5) + tax_of(5) - tax_of(5))
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
"""
CLAIMS = """
title = "Prices"

[target]
command = "python -m uvicorn app:app --port {port} --no-access-log --lifespan off"
cwd = ".."

[scenario]
locustfile = "locustfile.py"
"""
LOCUSTFILE = """
from locust import task

from assay.load.lean import LeanHttpUser


class Customer(LeanHttpUser):
    @task
    def price(self):
        self.client.get("/price")
"""


@dataclass(frozen=True)
class History:
    """The commits of a history that matter, by number; GOOD has the number 0.

    Attributes:
        culprit: The commit that makes the function slower; 0 if there is none.
        broken: The commits whose code does not compile.
    """

    culprit: int
    broken: frozenset[int]


def draw(seed: int, changes: bool) -> History:
    """Draw a history. The same arguments always give the same one.

    GOOD and the last commit are never drawn, and a broken commit is never the culprit.
    """
    numbers = list(range(1, COMMITS))
    rng = random.Random(seed)
    rng.shuffle(numbers)
    culprit, *others = numbers
    return History(culprit if changes else 0, frozenset(others[:BROKEN]))


def make(folder: Path, history: History) -> list[str]:
    """Make the repository; return the hashes of GOOD and of the 64 commits after it."""
    folder.mkdir(parents=True)
    _git(folder, "init", "-q", "-b", "main")
    (folder / "conftest.py").write_text("")
    (folder / "app.py").write_text(APP)
    for name, text in (("claims.toml", CLAIMS), ("locustfile.py", LOCUSTFILE)):
        (folder / "perf").mkdir(exist_ok=True)
        (folder / "perf" / name).write_text(text)
    (folder / "benchmarks").mkdir()
    (folder / "benchmarks/test_prices.py").write_text(BENCHMARKS)
    (folder / ".gitignore").write_text("__pycache__/\nreports/\n")
    return [_commit(folder, history, number) for number in range(COMMITS + 1)]


def _commit(folder: Path, history: History, number: int) -> str:
    slow = history.culprit and number >= history.culprit
    text = PRICES.format(edits=number, steps=round(STEPS * (SLOWER if slow else 1)))
    if number in history.broken:
        text = BROKEN_CODE
    (folder / "prices.py").write_text(text)
    _git(folder, "add", "-A")
    _git(folder, "commit", "-q", "-m", f"Edit {number}")
    return _git(folder, "rev-parse", "HEAD").strip()


def _git(folder: Path, *words: str) -> str:
    author = ["-c", "user.name=Assay", "-c", "user.email=assay@example.org"]
    done = subprocess.run(
        ["git", *author, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout
