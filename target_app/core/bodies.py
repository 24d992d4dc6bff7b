"""A limit on bodies, whose error has the shape of every other."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """Refuses to read on where a body is too large, however it comes."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        """Say how many bytes are too many."""
        self._app, self._most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is small enough."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        read = 0

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._most:
                raise HTTPException(413, "The body is too large")
            return message

        await self._app(scope, limited, send)
