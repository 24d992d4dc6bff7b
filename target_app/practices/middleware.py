"""Middleware: three of them, by Starlette's base class or as plain ASGI.

The guide has middleware for errors and logging in mind and does not say how to write
it. `BaseHTTPMiddleware` runs the application in a task of its own, three times here.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response

from target_app.core.counts import Counts, Guard
from target_app.core.database import Resources
from target_app.practices import Practice, Served, Variant
from target_app.schemas import Waited

NAMES = ("x-first", "x-second", "x-third")
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class Based(BaseHTTPMiddleware):
    """Adds a header, as the base class has it."""

    def __init__(self, app: App, name: str, counts: Counts) -> None:
        """Say which header."""
        super().__init__(app)
        self._name, self._counts = name, counts

    async def dispatch(
        self, request: Request, call_next: RequestResponseEndpoint
    ) -> Response:
        """Add it to the response."""
        response = await call_next(request)
        self._counts.events["base class"] += 1
        response.headers[self._name] = "1"
        return response


class Plain:
    """Adds a header to the message that begins the response."""

    def __init__(self, app: App, name: str, counts: Counts) -> None:
        """Say which header."""
        self._app, self._counts = app, counts
        self._header = (name.encode(), b"1")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass everything on, and the header with it."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._counts.events["plain"] += 1
                message["headers"] = [*message["headers"], self._header]
            await send(message)

        await self._app(scope, receive, sending)


def _served(resources: Resources, kind: Callable[..., Any] | None) -> Served:
    counts = resources.counts

    async def answer() -> Waited:
        counts.request()
        return Waited(milliseconds=0)

    def wrap(app: Any) -> Any:
        for name in reversed(NAMES):
            app = kind(app, name, counts) if kind else app
        return app

    return Served(answer, wrap=wrap)


def none(resources: Resources) -> Served:
    """Without any, for comparison."""
    return _served(resources, None)


def based(resources: Resources) -> Served:
    """Before: three classes derived from `BaseHTTPMiddleware`."""
    return _served(resources, Based)


def plain(resources: Resources) -> Served:
    """After: three plain ASGI applications around each other."""
    return _served(resources, Plain)


_NOT = {"plain": 0.0, "base class": 0.0}
PRACTICE = Practice(
    guide="FastAPI Best Practices > Error Handling",
    variants={
        "based": Variant(based, Guard({"base class": len(NAMES)})),
        "plain": Variant(plain, Guard({"plain": len(NAMES)})),
        "none": Variant(none, Guard(at_most=_NOT)),
    },
)
