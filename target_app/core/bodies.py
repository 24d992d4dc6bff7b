"""A limit on the size of request bodies."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """Middleware that stops reading a body that is too large.

    It counts the bytes that arrive, and does not rely on Content-Length.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        """Wrap an application and set the largest size of a body."""
        self._app, self._max_bytes = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; reading a body that is too large raises HTTP 413."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        bytes_read = 0

        async def limited_receive() -> Message:
            nonlocal bytes_read
            message = await receive()
            bytes_read += len(message.get("body", b""))
            if bytes_read > self._max_bytes:
                raise HTTPException(413, "The body is too large")
            return message

        await self._app(scope, limited_receive, send)
