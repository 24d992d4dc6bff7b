"""FastAPI: one request in twenty blocks the event loop."""

import itertools
import os
import time

from fastapi import FastAPI

app = FastAPI()
numbers = itertools.count(1)


def flush() -> None:
    """Write the collected entries."""
    time.sleep(0.04)


@app.get("/")
async def collect() -> str:
    """Collect an entry, and write now and then."""
    if next(numbers) % 20 == 0 and os.environ["SIDE"] == "b":
        flush()
    return "collected"
