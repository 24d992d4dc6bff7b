"""A shop that counts its bestsellers for every visitor, or once."""

import os
from functools import cache

from fastapi import FastAPI

app = FastAPI()


def bestsellers() -> list[int]:
    """Count what was sold, as a slow query would."""
    return sorted(sum(sold % day for sold in range(500)) for day in range(1, 40))


if os.environ.get("CACHE") == "1":
    bestsellers = cache(bestsellers)


@app.get("/health")
def health() -> dict[str, str]:
    """Say that the shop is open."""
    return {"status": "ok"}


@app.get("/bestsellers")
def page() -> list[int]:
    """Show the bestsellers."""
    return bestsellers()
