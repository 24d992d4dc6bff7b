"""FastAPI: a function of the project computes more."""

import os
import time

from fastapi import FastAPI
from stopwatch import note

app = FastAPI()
ROUNDS = 30_000 if os.environ["SIDE"] == "b" else 3_000


def score(rounds: int) -> int:
    """Compute."""
    total = 0
    for number in range(rounds):
        total += number * number % 7
    return total


@app.get("/")
async def rank() -> int:
    """Return a score."""
    began = time.thread_time()
    reached = score(ROUNDS)
    note(time.thread_time() - began)
    return reached
