"""The log: one line of JSON for each event and, if switched on, for each request.

A line contains the fields of `extra`. Of a request it never contains the query, the
body or any header except `X-Request-Id`, because these can contain passwords, tokens
and addresses.
"""

import json
import logging
import re
import secrets
import sys
import time
from datetime import UTC, datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)
_STANDARD_FIELDS = set(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_REQUEST_ID = re.compile(rb"[\w.-]{1,64}", re.ASCII)


class JsonLine(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as one line of JSON."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {
            name: value
            for name, value in vars(record).items()
            if name not in _STANDARD_FIELDS
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def setup_logs(level: str) -> None:
    """Send the service's own log to standard error, from this level on."""
    logger = logging.getLogger("target_app")
    logger.setLevel(level.upper())
    # Tests make several applications in one process; each line must be logged once.
    for handler in [h for h in logger.handlers if isinstance(h.formatter, JsonLine)]:
        logger.removeHandler(handler)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLine())
    logger.addHandler(handler)


def request_id(scope: Scope) -> str:
    """Return the id of a request: the caller's if it is valid, otherwise a new one.

    The id is kept in the scope, so that it stays the same.
    """
    if "request_id" not in scope:
        header = dict(scope["headers"]).get(b"x-request-id", b"")
        valid = _REQUEST_ID.fullmatch(header)
        scope["request_id"] = header.decode() if valid else secrets.token_hex(8)
    id_: str = scope["request_id"]
    return id_


class AccessLog:
    """Middleware that logs each request, and adds its id to the response's headers."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and log its status and time."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        id_, began, status = request_id(scope), time.perf_counter(), 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                header = (b"x-request-id", id_.encode())
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            log.info(
                "request",
                extra={
                    "request_id": id_,
                    "method": scope["method"],
                    "path": scope["path"],
                    "status": status,
                    "milliseconds": round((time.perf_counter() - began) * 1000, 3),
                },
            )
