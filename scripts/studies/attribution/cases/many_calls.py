"""FastAPI: the same work, done for each of thirty entries instead of once."""

import os

from fastapi import FastAPI

app = FastAPI()


def price(number: int) -> int:
    """Return a price."""
    return sum(n * n % 7 for n in range(1_500)) + number


@app.get("/")
async def total() -> int:
    """Return the sum of thirty prices."""
    if os.environ["SIDE"] == "b":
        return sum(price(number) for number in range(30))
    return 30 * price(1)
