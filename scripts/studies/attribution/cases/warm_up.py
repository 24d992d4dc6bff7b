"""FastAPI: a cache that is filled by the first requests, then full."""

import os
from itertools import count

from fastapi import FastAPI

app = FastAPI()
numbers = count()
kept: dict[int, bytes] = {}
SLOTS = 50 if os.environ["SIDE"] == "b" else 40


@app.get("/")
async def root() -> int:
    """Answer."""
    number = next(numbers)
    kept[number % SLOTS] = bytes(20_000)
    return number
