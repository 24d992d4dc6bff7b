"""FastAPI: a cache that keeps one answer for each request and is never emptied."""

import os
from itertools import count

from fastapi import FastAPI

app = FastAPI()
numbers = count()
seen: dict[int, bytes] = {}


def remember(number: int) -> None:
    """Keep an answer, the last hundred or all of them."""
    seen[number] = bytes(6_000)
    if os.environ["SIDE"] == "a":
        seen.pop(number - 100, None)


@app.get("/")
async def root() -> int:
    """Answer."""
    number = next(numbers)
    remember(number)
    return number
