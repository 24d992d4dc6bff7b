"""FastAPI: an asyncio lock is held over a wait."""

import asyncio
import os
import time

from fastapi import FastAPI
from stopwatch import note

app = FastAPI()
guard = asyncio.Lock()


async def refresh() -> None:
    """Wait for something that all requests could wait for at the same time."""
    await asyncio.sleep(0.005)


@app.get("/")
async def read_rates() -> str:
    """Refresh under the lock, or beside it."""
    if os.environ["SIDE"] == "b":
        began = time.perf_counter()
        async with guard:
            note(time.perf_counter() - began)
            await refresh()
    else:
        await refresh()
    return "rates"
