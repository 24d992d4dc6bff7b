"""Three middlewares, with Starlette's base class or as plain ASGI.

The guide recommends middleware for errors and logging, and does not say how to write
it. Each `BaseHTTPMiddleware` runs the application in a separate task.
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
    """Adds a header, with Starlette's base class."""

    def __init__(self, app: App, name: str, counts: Counts) -> None:
        """Set the name of the header."""
        super().__init__(app)
        self._name, self._counts = name, counts

    async def dispatch(
        self, request: Request, call_next: RequestResponseEndpoint
    ) -> Response:
        """Add the header to the response."""
        response = await call_next(request)
        self._counts.events["base class"] += 1
        response.headers[self._name] = "1"
        return response


class Plain:
    """Adds a header, as a plain ASGI application."""

    def __init__(self, app: App, name: str, counts: Counts) -> None:
        """Set the name of the header."""
        self._app, self._counts = app, counts
        self._header = (name.encode(), b"1")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass the request on, and add the header to the response."""

        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._counts.events["plain"] += 1
                message["headers"] = [*message["headers"], self._header]
            await send(message)

        await self._app(scope, receive, send_with_header)


def _served(resources: Resources, middleware: Callable[..., Any] | None) -> Served:
    counts = resources.counts

    async def answer() -> Waited:
        counts.count_request()
        return Waited(milliseconds=0)

    def wrap(app: Any) -> Any:
        for name in reversed(NAMES):
            app = middleware(app, name, counts) if middleware else app
        return app

    return Served(answer, wrap=wrap)


def none(resources: Resources) -> Served:
    """No middleware, for comparison."""
    return _served(resources, None)


def based(resources: Resources) -> Served:
    """Before: three instances of a `BaseHTTPMiddleware`."""
    return _served(resources, Based)


def plain(resources: Resources) -> Served:
    """After: three nested plain ASGI applications."""
    return _served(resources, Plain)


_NO_MIDDLEWARE = {"plain": 0.0, "base class": 0.0}
PRACTICE = Practice(
    guide="FastAPI Best Practices > Error Handling",
    variants={
        "based": Variant(based, Guard({"base class": len(NAMES)})),
        "plain": Variant(plain, Guard({"plain": len(NAMES)})),
        "none": Variant(none, Guard(at_most=_NO_MIDDLEWARE)),
    },
)
