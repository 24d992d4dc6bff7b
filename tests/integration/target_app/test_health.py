import socket

import httpx
import pytest

from target_app.core.config import Settings
from tests.integration.target_app.asgi import chosen, with_target


def answers(settings: Settings, path: str) -> httpx.Response:
    found: list[httpx.Response] = []

    async def story(client: httpx.AsyncClient) -> None:
        found.append(await client.get(path))

    with_target(settings, story)
    return found[0]


def test_health_names_the_variant(seeded: Settings) -> None:
    response = answers(chosen(seeded, "caching.redis"), "/health")
    assert response.json() == {"status": "ok", "variant": "caching.redis"}


def test_health_without_a_choice_names_none(seeded: Settings) -> None:
    assert answers(seeded, "/health").json() == {"status": "ok"}


@pytest.mark.parametrize("variant", ["", "sync_async.postgres_async"])
def test_the_database_is_there(seeded: Settings, variant: str) -> None:
    response = answers(chosen(seeded, variant), "/health/db")
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "database": "connected"}


def test_a_database_that_is_away_is_503_and_tells_no_secret() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    url = f"postgresql://me:hidden@127.0.0.1:{port}/shop"
    response = answers(Settings(database_url=url, redis_url=None), "/health/db")
    assert response.status_code == 503
    assert response.json() == {
        "error": {
            "message": "The database does not answer",
            "data": {"cause": "OperationalError"},
        }
    }
    assert "hidden" not in response.text


def test_no_database_at_all_is_503() -> None:
    response = answers(Settings(database_url="", redis_url=None), "/health/db")
    assert response.status_code == 503
    assert response.json()["error"]["message"] == "DATABASE_URL is not set"


def test_asking_after_health_is_no_request_of_the_variant(seeded: Settings) -> None:
    said: list[str] = []

    async def story(client: httpx.AsyncClient) -> None:
        await client.get("/health/db")
        await client.get("/v1/sync_async?user_id=1")
        await client.get("/health/db")
        said.append((await client.get("/guard")).json()["detail"])

    with_target(chosen(seeded, "sync_async.postgres_sync"), story)
    assert "psycopg query: 1 per request" in said[0]
