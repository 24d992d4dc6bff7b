"""FastAPI: a cache by request that nothing ever empties."""

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
