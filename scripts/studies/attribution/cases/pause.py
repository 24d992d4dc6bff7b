"""FastAPI: a coroutine that sleeps until the work is done."""

import asyncio
import os
import time

from fastapi import FastAPI, Request
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.responses import Response
from stopwatch import note

app = FastAPI()
WAIT = 0.008 if os.environ["SIDE"] == "b" else 0.002


class Label(BaseHTTPMiddleware):
    """Runs the endpoint in a task of its own."""

    async def dispatch(
        self, request: Request, call_next: RequestResponseEndpoint
    ) -> Response:
        """Add a header."""
        response = await call_next(request)
        response.headers["x-label"] = "shop"
        return response


app.add_middleware(Label)


async def poll() -> str:
    """Wait for the work."""
    await asyncio.sleep(WAIT)
    return "done"


@app.get("/")
async def root() -> str:
    """Return when the work is done."""
    began = time.perf_counter()
    answer = await poll()
    note(time.perf_counter() - began)
    return answer
