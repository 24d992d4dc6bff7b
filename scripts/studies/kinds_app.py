"""A small service of several kinds; the environment variable KIND selects one.

The study copies it beside a locustfile and starts it there. It is not imported.
"""

import asyncio
import os
import threading
import time
import zlib

from fastapi import FastAPI

KIND = os.environ.get("KIND", "async-compute")
ROUNDS = 1000  # about 0.3 ms of CPU time
BLOCK = bytes(range(256))
CONNECTIONS = 4

app = FastAPI()
pool = asyncio.Semaphore(CONNECTIONS)
lock = threading.Lock()


@app.get("/health")
async def health() -> dict[str, str]:
    """Answer that the service runs."""
    return {"status": "ok"}


def compute() -> dict[str, int]:
    """Use some CPU time."""
    total = 0
    for _ in range(ROUNDS):
        total ^= zlib.crc32(BLOCK, total)
    return {"total": total}


def def_sleep() -> dict[str, int]:
    """Wait in a thread, as for a slow database."""
    time.sleep(0.020)
    return {"total": 0}


async def async_sleep() -> dict[str, int]:
    """Wait in the event loop."""
    await asyncio.sleep(0.005)
    return {"total": 0}


async def async_compute() -> dict[str, int]:
    """Compute in the event loop."""
    return compute()


async def pooled() -> dict[str, int]:
    """Wait for one of a few connections, and hold it for a query."""
    async with pool:
        await asyncio.sleep(0.010)
    return {"total": 0}


def locked() -> dict[str, int]:
    """Wait for a lock, and hold it."""
    with lock:
        time.sleep(0.002)
    return {"total": 0}


app.get("/")(
    {
        "def-sleep": def_sleep,
        "async-sleep": async_sleep,
        "async-compute": async_compute,
        "def-compute": compute,
        "two-workers": async_compute,
        "pool": pooled,
        "lock": locked,
    }[KIND]
)
