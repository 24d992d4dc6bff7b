"""CPU-bound work: 20 ms of pure Python, beside a quick endpoint.

The guide: "Use asyncio.to_thread for CPU-bound tasks", and elsewhere "Move CPU-bound
tasks to separate processes". What matters is how long other requests wait.
"""

import asyncio
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Annotated

from fastapi import Query

from target_app.core.counts import Guard, execution_place
from target_app.core.database import Resources
from target_app.practices import Practice, Served, Variant
from target_app.schemas import Digest, Waited

ROUNDS = 200_000
PROCESSES = 2
Start = Annotated[int, Query(ge=0, le=1_000_000, description="The first value")]


def compute(start: int) -> int:
    """Return a number that takes a while to compute."""
    value = start
    for _ in range(ROUNDS):
        value = (value * 1_103_515_245 + 12_345) & 0x7FFF_FFFF
    return value


async def quick() -> Waited:
    """Answer immediately, if the event loop is free."""
    return Waited(milliseconds=0)


def inline(resources: Resources) -> Served:
    """Before: on the event loop, which blocks all other requests."""
    counts = resources.counts

    async def digest(start: Start) -> Digest:
        counts.count_request()
        counts.events["computed " + execution_place()] += 1
        return Digest(value=compute(start))

    return Served(digest, extra_handlers={"quick": quick})


def to_thread(resources: Resources) -> Served:
    """As the guide advises: in a thread, which shares the GIL with the event loop."""
    counts = resources.counts

    def compute_counted(start: int) -> int:
        counts.events["computed " + execution_place()] += 1
        return compute(start)

    async def digest(start: Start) -> Digest:
        counts.count_request()
        return Digest(value=await asyncio.to_thread(compute_counted, start))

    return Served(digest, extra_handlers={"quick": quick})


def processes(resources: Resources) -> Served:
    """As the guide advises elsewhere: in processes, each with its own GIL."""
    counts = resources.counts
    # Not forked, because a forked process could inherit locks that a thread holds.
    context = get_context("spawn")
    pool = resources.register_pool(ProcessPoolExecutor(PROCESSES, mp_context=context))

    async def digest(start: Start) -> Digest:
        counts.count_request()
        loop = asyncio.get_running_loop()
        counts.events["handed to a process"] += 1
        return Digest(value=await loop.run_in_executor(pool, compute, start))

    return Served(digest, extra_handlers={"quick": quick})


PRACTICE = Practice(
    guide="Common Pitfalls and Solutions > Blocking the Event Loop",
    variants={
        "inline": Variant(inline, Guard({"computed on the event loop": 1})),
        "to_thread": Variant(to_thread, Guard({"computed in another thread": 1})),
        "processes": Variant(processes, Guard({"handed to a process": 1})),
    },
)
