"""A service that the reference service calls: it waits, then answers.

    python -m uvicorn target_app.downstream:app --port 9000

`GET /answer?number=3&milliseconds=20` waits for 20 ms and answers with the number and
its square. It is a plain ASGI application, so that it is never the bottleneck.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

Message = MutableMapping[str, Any]
MAX_MILLISECONDS = 10_000.0
# Python refuses to convert very large integers to text, so the square must stay small.
MAX_NUMBER = 10**18


async def app(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Answer one request; invalid parameters are answered with 422."""
    if scope["type"] != "http":
        return
    query = parse_qs(scope["query_string"].decode("ascii", "replace"))
    try:
        milliseconds = float(query.get("milliseconds", ["0"])[0])
        number = int(query.get("number", ["0"])[0])
        if not 0 <= milliseconds <= MAX_MILLISECONDS:
            raise ValueError("milliseconds")
        if abs(number) > MAX_NUMBER:
            raise ValueError("number")
    except ValueError:
        await _answer(send, 422, {"error": {"message": "Validation error"}})
        return
    if milliseconds:
        await asyncio.sleep(milliseconds / 1000)
    await _answer(send, 200, {"number": number, "square": number * number})


async def _answer(
    send: Callable[[Message], Awaitable[None]], status: int, content: object
) -> None:
    body = json.dumps(content).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
