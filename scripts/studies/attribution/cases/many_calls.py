"""FastAPI: the same work, done for each of thirty entries instead of once."""

import os
import time

from fastapi import FastAPI
from stopwatch import note

app = FastAPI()


def price(number: int) -> int:
    """Return a price."""
    return sum(n * n % 7 for n in range(1_500)) + number


@app.get("/")
async def total() -> int:
    """Return the sum of thirty prices."""
    began = time.thread_time()
    if os.environ["SIDE"] == "b":
        prices = sum(price(number) for number in range(30))
    else:
        prices = 30 * price(1)
    note(time.thread_time() - began)
    return prices
