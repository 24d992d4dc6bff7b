"""FastAPI, plain functions: the pool shrinks from 40 worker threads to two."""

import os
import time

import anyio.to_thread
from fastapi import FastAPI

app = FastAPI()


@app.on_event("startup")
async def set_threads() -> None:
    """Choose how many worker threads there are."""
    tokens = 2 if os.environ["SIDE"] == "b" else 40
    anyio.to_thread.current_default_thread_limiter().total_tokens = tokens


@app.get("/")
def read_report() -> str:
    """Wait for a file system."""
    time.sleep(0.01)
    return "report"
