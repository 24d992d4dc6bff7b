"""Rate limiting: what does it cost to count every request of a client?

The guide: "Implemented rate limiting and brute force protection". This practice
measures the cost of the protection.
"""

import time
from typing import Annotated

from fastapi import Query

from target_app.core.counts import Guard
from target_app.core.database import KEY_PREFIX, Resources
from target_app.core.errors import AppError
from target_app.practices import Handler, Practice, Variant
from target_app.schemas import Waited

WINDOW_SECONDS = 60
MAX_REQUESTS = 1_000_000  # requests of a client in a window
CLIENTS = 10_000
ANSWER = Waited(milliseconds=0)
Client = Annotated[int, Query(ge=0, lt=CLIENTS, description="The client")]


def unlimited(resources: Resources) -> Handler:
    """Before: no limit."""
    counts = resources.counts

    async def answer(client: Client) -> Waited:
        counts.count_request()
        return ANSWER

    return answer


def memory(resources: Resources) -> Handler:
    """After, in memory: each process counts separately."""
    counts = resources.counts
    windows: dict[int, tuple[int, int]] = {}

    async def answer(client: Client) -> Waited:
        counts.count_request()
        window = int(time.monotonic()) // WINDOW_SECONDS
        last_window, requests = windows.get(client, (window, 0))
        requests = requests + 1 if last_window == window else 1
        windows[client] = window, requests
        counts.events["counted in memory"] += 1
        _check(requests)
        return ANSWER

    return answer


def redis(resources: Resources) -> Handler:
    """After, in Redis: all processes count together."""
    counts, store = resources.counts, resources.redis_async

    async def answer(client: Client) -> Waited:
        counts.count_request()
        key = f"{KEY_PREFIX}rate:{client}:{int(time.time()) // WINDOW_SECONDS}"
        async with store.pipeline(transaction=False) as pipeline:
            pipeline.incr(key)
            pipeline.expire(key, 2 * WINDOW_SECONDS)
            requests, _ = await pipeline.execute()
        counts.events["counted in Redis"] += 1
        _check(requests)
        return ANSWER

    return answer


def _check(requests: int) -> None:
    if requests > MAX_REQUESTS:
        raise AppError("Too many requests", 429, {"retry_after": WINDOW_SECONDS})


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
