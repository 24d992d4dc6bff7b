"""What the service logs, and what it never logs."""

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from target_app.core.config import Settings
from target_app.core.features import parse_features
from target_app.core.work import make_database
from target_app.main import create_app
from target_app.services import items
from tests.integration.target_app.asgi import with_target
from tests.integration.target_app.shopping import PASSWORD, bearer, logged_in, signed_up

pytestmark = pytest.mark.usefixtures("forgotten")


@pytest.fixture(autouse=True)
def silent_afterwards() -> Iterator[None]:
    """Remove log handlers, so that later tests do not write to this test's output."""
    yield
    own = logging.getLogger("target_app")
    own.handlers.clear()
    own.setLevel(logging.NOTSET)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def broken(*_: object) -> None:
    raise RuntimeError("a wire is loose")


def test_one_line_for_each_request_without_secrets(
    store: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets: list[str] = [PASSWORD]
    ids: list[str] = []

    async def story(client: httpx.AsyncClient) -> None:
        email = await signed_up(client)
        pair = await logged_in(client, email)
        secrets.extend([email, pair["access_token"], pair["refresh_token"]])
        headers = {**bearer(pair["access_token"]), "x-request-id": "mine-1"}
        answer = await client.get("/api/v1/orders?limit=7", headers=headers)
        ids.append(answer.headers["x-request-id"])
        headers["x-request-id"] = 'not "one"'
        answer = await client.get("/api/v1/items/987654321", headers=headers)
        ids.append(answer.headers["x-request-id"])

    capsys.readouterr()
    with_target(store.model_copy(update={"log_level": "info"}), story)
    said = capsys.readouterr().err
    for secret in secrets:
        assert secret not in said
    written = [json.loads(line) for line in said.splitlines()]
    requests = [line for line in written if line["message"] == "request"]
    assert [(line["method"], line["path"], line["status"]) for line in requests] == [
        ("POST", "/api/v1/users", 201),
        ("POST", "/api/v1/auth/login", 200),
        ("GET", "/api/v1/orders", 200),
        ("GET", "/api/v1/items/987654321", 404),
    ]
    assert [line["request_id"] for line in requests[2:]] == ids
    assert ids[0] == "mine-1" and ids[1] != 'not "one"'
    for line in requests:
        assert line["level"] == "info" and line["milliseconds"] > 0
    assert "mail sent" in [line["message"] for line in written]


def test_nothing_is_written_unless_asked_for(
    store: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        answer = await client.get("/api/v1/items?limit=1")
        assert "x-request-id" not in answer.headers

    capsys.readouterr()
    with_target(store, story)
    assert lines(capsys) == []


@pytest.mark.parametrize("level", ["info", "error"])
def test_a_bug_is_told_to_the_log_and_not_to_the_caller(
    level: str,
    store: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(items, "by_id", broken)
    found: list[httpx.Response] = []

    async def story(client: httpx.AsyncClient) -> None:
        found.append(await client.get("/api/v1/items/1"))

    capsys.readouterr()
    quiet = store.model_copy(update={"log_level": level})
    with_target(quiet, story, raises=False)
    (answer,), written = found, lines(capsys)
    (error,) = [line for line in written if line["level"] == "error"]
    assert "RuntimeError: a wire is loose" in error["traceback"]
    assert (error["method"], error["path"]) == ("GET", "/api/v1/items/1")
    assert answer.status_code == 500
    assert answer.json() == {
        "error": {
            "message": "Internal server error",
            "data": {"request_id": error["request_id"]},
        }
    }
    if level == "info":
        (request,) = [line for line in written if line["message"] == "request"]
        assert request["status"] == 500
        assert request["request_id"] == error["request_id"]


@pytest.mark.parametrize("way", ["legacy", "optimised"])
def test_an_error_of_the_database_does_not_tell_what_was_sent(
    way: str, store: Settings
) -> None:
    """Values of a statement can be secret; the text of the statement is not."""
    sent = {"nothing": 0, "secret": "a-secret-hash"}

    def fails(session: Session) -> None:
        session.execute(text("SELECT 1 / :nothing, :secret"), sent)

    async def story() -> None:
        shop = make_database(store, parse_features(way))
        with pytest.raises(DBAPIError) as caught:
            await shop.run(fails)
        await shop.close()
        assert "SELECT 1" in str(caught.value)
        assert "a-secret-hash" not in str(caught.value)

    asyncio.run(story())


def test_whatever_is_logged_is_one_line_of_json(
    store: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    create_app(store)
    capsys.readouterr()
    create_app(store.model_copy(update={"log_level": "debug"}))
    log = logging.getLogger("target_app.test")
    log.debug("two\nlines of %s", "text", extra={"thing": object(), "é": "\u2028"})
    (line,) = lines(capsys)
    assert line["message"] == "two\nlines of text" and line["é"] == "\u2028"
