"""FastAPI: six middlewares of BaseHTTPMiddleware that do nothing."""

import os
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response
from starlette.middleware.base import BaseHTTPMiddleware

app = FastAPI()


class Tag(BaseHTTPMiddleware):
    """Pass requests on."""

    async def dispatch(
        self, request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        """Pass a request on."""
        return await call_next(request)


for _ in range(6 if os.environ["SIDE"] == "b" else 0):
    app.add_middleware(Tag)


@app.get("/")
async def root() -> str:
    """Answer."""
    return "ok"
