"""FastAPI: a hot function has another name and another caller on one side."""

import os

from fastapi import FastAPI

app = FastAPI()


def score(rounds: int) -> int:
    """Compute."""
    return sum(number * number % 7 for number in range(rounds))


def rating(rounds: int) -> int:
    """Compute the same."""
    return sum(number * number % 7 for number in range(rounds))


def through(rounds: int) -> int:
    """Call it."""
    return rating(rounds)


@app.get("/")
async def rank() -> int:
    """Return a score."""
    return through(5_000) if os.environ["SIDE"] == "b" else score(5_000)
