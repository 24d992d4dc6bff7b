"""Blocking the event loop: a call that waits for 3 ms.

The guide: "Long-running synchronous code blocks the async event loop"; "Run
blocking I/O in thread pools".
"""

import asyncio
import time

from target_app.core.counts import Counts, Guard, execution_place
from target_app.core.database import Resources
from target_app.practices import Handler, Practice, Variant
from target_app.schemas import Waited

CALL_SECONDS = 0.003
ANSWER = Waited(milliseconds=CALL_SECONDS * 1000)


def _slow_call(counts: Counts) -> None:
    """Simulate a blocking client library: HTTP, mail, a database driver."""
    counts.events["waits " + execution_place()] += 1
    time.sleep(CALL_SECONDS)


async def _slow_call_async(counts: Counts) -> None:
    """Simulate the asynchronous version of the same library."""
    counts.events["awaits " + execution_place()] += 1
    await asyncio.sleep(CALL_SECONDS)


def blocking(resources: Resources) -> Handler:
    """Before: the call blocks the event loop, and with it all requests."""
    counts = resources.counts

    async def wait() -> Waited:
        counts.count_request()
        _slow_call(counts)
        return ANSWER

    return wait


def to_thread(resources: Resources) -> Handler:
    """After: the call runs in one of asyncio's min(32, cores + 4) threads."""
    counts = resources.counts

    async def wait() -> Waited:
        counts.count_request()
        await asyncio.to_thread(_slow_call, counts)
        return ANSWER

    return wait


def native(resources: Resources) -> Handler:
    """After: the library is asynchronous."""
    counts = resources.counts

    async def wait() -> Waited:
        counts.count_request()
        await _slow_call_async(counts)
        return ANSWER

    return wait


def sync(resources: Resources) -> Handler:
    """After: a plain function, which FastAPI runs in one of AnyIO's 40 threads."""
    counts = resources.counts

    def wait() -> Waited:
        counts.count_request()
        _slow_call(counts)
        return ANSWER

    return wait


_ON_LOOP = "handler on the event loop"
PRACTICE = Practice(
    guide="Common Pitfalls and Solutions > Blocking the Event Loop",
    variants={
        "blocking": Variant(blocking, Guard({"waits on the event loop": 1})),
        "to_thread": Variant(
            to_thread, Guard({_ON_LOOP: 1, "waits in another thread": 1})
        ),
        "native": Variant(native, Guard({_ON_LOOP: 1, "awaits on the event loop": 1})),
        "sync": Variant(sync, Guard({"waits in AnyIO's pool": 1})),
    },
)
