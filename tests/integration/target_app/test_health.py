import asyncio
import contextlib
import socket
import urllib.parse
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from target_app.core.config import Settings
from target_app.main import create_app
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


@contextlib.asynccontextmanager
async def between(url: str) -> AsyncIterator[tuple[str, Callable[[], None]]]:
    """Run a proxy between the target and PostgreSQL.

    Yields:
        The URL of the proxy, and a function that cuts all connections and refuses new
        ones.
    """
    parts = urllib.parse.urlsplit(url)
    writers: list[asyncio.StreamWriter] = []

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()

    async def joined(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        there, back = await asyncio.open_connection(parts.hostname, parts.port)
        await asyncio.gather(pour(reader, back), pour(there, writer))

    server = await asyncio.start_server(joined, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    account = parts.netloc.rpartition("@")[0]

    def cut() -> None:
        server.close()
        for writer in writers:
            writer.transport.abort()

    try:
        yield parts._replace(netloc=f"{account}@127.0.0.1:{port}").geturl(), cut
    finally:
        cut()


def test_ready_until_the_database_is_gone(seeded: Settings) -> None:
    async def story() -> None:
        async with between(str(seeded.database_url)) as (url, cut):
            app = create_app(seeded.model_copy(update={"database_url": url}))
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://target"
            ) as client:
                ready = await client.get("/ready")
                assert ready.status_code == 200, ready.text
                assert ready.json() == {"status": "ready"}
                cut()
                for _ in range(2):
                    gone = await client.get("/ready")
                    assert gone.status_code == 503
                    assert gone.json()["error"]["message"] == "Not ready"
                # The service itself is well and need not be restarted.
                assert (await client.get("/health")).status_code == 200

    asyncio.run(story())


@pytest.mark.parametrize("wrong", ["account", "database", "redis"])
def test_not_ready_and_tells_no_secret(wrong: str, seeded: Settings) -> None:
    parts = urllib.parse.urlsplit(str(seeded.database_url))
    host = parts.netloc.rpartition("@")[2]
    changes = {
        "account": {
            "database_url": parts._replace(netloc=f"nobody:hidden@{host}").geturl()
        },
        "database": {"database_url": parts._replace(path="/nothing").geturl()},
        "redis": {"redis_url": "redis://:hidden@127.0.0.1:1/0"},
    }
    response = answers(seeded.model_copy(update=changes[wrong]), "/ready")
    assert response.status_code == 503
    assert set(response.json()["error"]["data"]) == {"cause"}
    assert "hidden" not in response.text and host not in response.text
