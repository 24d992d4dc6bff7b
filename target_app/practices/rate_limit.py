"""Rate limiting: how much does it cost to count every request of a client?

The guide: "Implemented rate limiting and brute force protection". It protects; this
says at what price.
"""

import time
from typing import Annotated

from fastapi import Query

from target_app.core.counts import Guard
from target_app.core.database import KEY_PREFIX, Resources
from target_app.core.errors import AppError
from target_app.practices import Handler, Practice, Variant
from target_app.schemas import Waited

WINDOW, MOST, CLIENTS = 60, 1_000_000, 10_000  # seconds, requests, who is remembered
ANSWER = Waited(milliseconds=0)
Client = Annotated[int, Query(ge=0, lt=CLIENTS, description="Who asks")]


def unlimited(resources: Resources) -> Handler:
    """Before: whoever asks is answered."""
    counts = resources.counts

    async def answer(client: Client) -> Waited:
        counts.request()
        return ANSWER

    return answer


def memory(resources: Resources) -> Handler:
    """After, in the process: each process counts for itself."""
    counts = resources.counts
    windows: dict[int, tuple[int, int]] = {}

    async def answer(client: Client) -> Waited:
        counts.request()
        window = int(time.monotonic()) // WINDOW
        begun, asked = windows.get(client, (window, 0))
        asked = asked + 1 if begun == window else 1
        windows[client] = window, asked
        counts.events["counted in memory"] += 1
        _check(asked)
        return ANSWER

    return answer


def redis(resources: Resources) -> Handler:
    """After, in Redis: all processes count together."""
    counts, store = resources.counts, resources.redis_async

    async def answer(client: Client) -> Waited:
        counts.request()
        key = f"{KEY_PREFIX}rate:{client}:{int(time.time()) // WINDOW}"
        async with store.pipeline(transaction=False) as pipeline:
            pipeline.incr(key)
            pipeline.expire(key, 2 * WINDOW)
            asked, _ = await pipeline.execute()
        counts.events["counted in Redis"] += 1
        _check(asked)
        return ANSWER

    return answer


def _check(asked: int) -> None:
    if asked > MOST:
        raise AppError("Too many requests", 429, {"retry_after": WINDOW})


PRACTICE = Practice(
    guide="Case Studies > Authentication Service Rewrite",
    variants={
        "unlimited": Variant(
            unlimited, Guard(at_most={"counted in memory": 0, "counted in Redis": 0})
        ),
        "memory": Variant(memory, Guard({"counted in memory": 1})),
        "redis": Variant(redis, Guard({"counted in Redis": 1}), ("redis_url",)),
    },
)
