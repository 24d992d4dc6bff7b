"""The log: one line of JSON for each event, and for each request where asked for.

Lines hold what the code names in `extra`, and of a request neither its query, its
headers nor its body: those are where passwords, tokens and addresses come.
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
_OWN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_ID = re.compile(rb"[\w.-]{1,64}", re.ASCII)


class JsonLine(logging.Formatter):
    """Writes a record as one line, whatever is in it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {n: value for n, value in vars(record).items() if n not in _OWN}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def setup_logs(level: str) -> None:
    """Have the service's own log go to standard error, from this level on."""
    own = logging.getLogger("target_app")
    own.setLevel(level.upper())
    # An application can be made more than once in a process, as tests do.
    for handler in [h for h in own.handlers if isinstance(h.formatter, JsonLine)]:
        own.removeHandler(handler)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLine())
    own.addHandler(handler)


def request_id(scope: Scope) -> str:
    """Return the id of a request: the caller's own, if it is one, or a new one."""
    if "request_id" not in scope:
        given = dict(scope["headers"]).get(b"x-request-id", b"")
        known = _ID.fullmatch(given)
        scope["request_id"] = given.decode() if known else secrets.token_hex(8)
    found: str = scope["request_id"]
    return found


class AccessLog:
    """Writes a line for each request, and tells the caller its id."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand around an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and say what became of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        id_, begun, status = request_id(scope), time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                named = (b"x-request-id", id_.encode())
                message["headers"] = [*message.get("headers", ()), named]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            log.info(
                "request",
                extra={
                    "request_id": id_,
                    "method": scope["method"],
                    "path": scope["path"],
                    "status": status,
                    "milliseconds": round((time.perf_counter() - begun) * 1000, 3),
                },
            )
