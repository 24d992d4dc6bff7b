"""FastAPI: many objects are kept since the start, and each request makes cycles."""

import os
from typing import Any

from fastapi import FastAPI

app = FastAPI()
KEPT = [[n] for n in range(600_000)] if os.environ["SIDE"] == "b" else []


class Node:
    """Something that knows itself."""

    me: Any


@app.get("/")
async def walk() -> int:
    """Make a few cycles."""
    for _ in range(300):
        node = Node()
        node.me = node
    return len(KEPT)
