"""Computing: 20 ms of pure Python, and a quick endpoint beside it.

The guide: "Use asyncio.to_thread for CPU-bound tasks", and elsewhere "Move CPU-bound
tasks to separate processes". What matters is what the others wait meanwhile.
"""

import asyncio
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Annotated

from fastapi import Query

from target_app.core.counts import Guard, place
from target_app.core.database import Resources
from target_app.practices import Practice, Served, Variant
from target_app.schemas import Digest, Waited

ROUNDS = 200_000
PROCESSES = 2
Start = Annotated[int, Query(ge=0, le=1_000_000, description="Where it begins")]


def compute(start: int) -> int:
    """Return a number that takes a while to find."""
    value = start
    for _ in range(ROUNDS):
        value = (value * 1_103_515_245 + 12_345) & 0x7FFF_FFFF
    return value


async def quick() -> Waited:
    """Answer at once, if the event loop is free."""
    return Waited(milliseconds=0)


def inline(resources: Resources) -> Served:
    """Before: on the event loop, where nobody else can go on."""
    counts = resources.counts

    async def digest(start: Start) -> Digest:
        counts.request()
        counts.events["computed " + place()] += 1
        return Digest(value=compute(start))

    return Served(digest, beside={"quick": quick})


def to_thread(resources: Resources) -> Served:
    """As the guide advises: in a thread, which shares the interpreter's lock."""
    counts = resources.counts

    def computed(start: int) -> int:
        counts.events["computed " + place()] += 1
        return compute(start)

    async def digest(start: Start) -> Digest:
        counts.request()
        return Digest(value=await asyncio.to_thread(computed, start))

    return Served(digest, beside={"quick": quick})


def processes(resources: Resources) -> Served:
    """As the guide advises elsewhere: in processes, which have a lock each."""
    counts = resources.counts
    # Not forked: the service has threads, whose locks a copy would hold for ever.
    context = get_context("spawn")
    pool = resources.closing(ProcessPoolExecutor(PROCESSES, mp_context=context))

    async def digest(start: Start) -> Digest:
        counts.request()
        loop = asyncio.get_running_loop()
        counts.events["handed to a process"] += 1
        return Digest(value=await loop.run_in_executor(pool, compute, start))

    return Served(digest, beside={"quick": quick})


PRACTICE = Practice(
    guide="Common Pitfalls and Solutions > Blocking the Event Loop",
    variants={
        "inline": Variant(inline, Guard({"computed on the event loop": 1})),
        "to_thread": Variant(to_thread, Guard({"computed in another thread": 1})),
        "processes": Variant(processes, Guard({"handed to a process": 1})),
    },
)
