"""FastAPI: a coroutine sleeps without giving the event loop back."""

import asyncio
import os
import time

from fastapi import FastAPI

app = FastAPI()


async def pause() -> None:
    """Wait a little."""
    if os.environ["SIDE"] == "b":
        time.sleep(0.008)
    else:
        await asyncio.sleep(0.008)


@app.get("/")
async def poll() -> str:
    """Wait for news."""
    await pause()
    return "news"
