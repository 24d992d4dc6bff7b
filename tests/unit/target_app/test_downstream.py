"""The service that the reference service calls."""

import asyncio
import json
from typing import Any

import pytest

from target_app.downstream import MAX_NUMBER, app


def get(query: str) -> tuple[int, Any]:
    """Return the status and the JSON of an answer."""
    sent: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("the request has no body")

    async def send(message: Any) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"type": "http", "query_string": query.encode()}
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"])


@pytest.mark.parametrize("number", [3, -3, MAX_NUMBER])
def test_the_answer_has_the_square(number: int) -> None:
    expected = {"number": number, "square": number * number}
    assert get(f"number={number}") == (200, expected)


@pytest.mark.parametrize(
    "query",
    [
        "number=x",
        f"number={MAX_NUMBER + 1}",
        f"number={'9' * 3000}",
        f"number=-{'9' * 3000}",
        f"number={'9' * 5000}",
        "milliseconds=nan",
        "milliseconds=-1",
    ],
)
def test_what_is_invalid_is_422(query: str) -> None:
    status, answer = get(query)
    assert status == 422 and answer == {"error": {"message": "Validation error"}}
