"""FastAPI: a decorator that does nothing was put around the work."""

import functools
import os
from collections.abc import Callable

from fastapi import FastAPI

app = FastAPI()


def traced(function: Callable[[], int]) -> Callable[[], int]:
    """Call the function and return its result."""

    @functools.wraps(function)
    def inner() -> int:
        return function()

    return inner if os.environ["SIDE"] == "b" else function


@traced
def work() -> int:
    """Compute."""
    return sum(n * n % 7 for n in range(20_000))


@app.get("/")
async def root() -> int:
    """Answer."""
    return work()
