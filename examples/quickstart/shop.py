"""A shop that computes its bestsellers for every request, or only once."""

import os
from functools import cache

from fastapi import FastAPI

app = FastAPI()


def bestsellers() -> list[int]:
    """Compute the bestsellers; it stands for a slow query."""
    return sorted(sum(sold % day for sold in range(500)) for day in range(1, 40))


if os.environ.get("CACHE") == "1":
    bestsellers = cache(bestsellers)


@app.get("/health")
def health() -> dict[str, str]:
    """Answer that the shop is ready."""
    return {"status": "ok"}


@app.get("/bestsellers")
def page() -> list[int]:
    """Return the bestsellers."""
    return bestsellers()
