"""FastAPI, plain functions: the pool shrinks from 40 worker threads to two."""

import os
import time

import anyio.to_thread
from fastapi import Depends, FastAPI, Response
from stopwatch import note

app = FastAPI()


@app.on_event("startup")
async def set_threads() -> None:
    """Choose how many worker threads there are."""
    tokens = 2 if os.environ["SIDE"] == "b" else 40
    anyio.to_thread.current_default_thread_limiter().total_tokens = tokens


async def now() -> float:
    """Return when the request begins to wait for a thread."""
    return time.perf_counter()


@app.get("/")
def read_report(began: float = Depends(now)) -> Response:
    """Wait for a file system."""
    note(time.perf_counter() - began)
    time.sleep(0.01)
    return Response("report")  # FastAPI would serialise a text in a second thread
