"""What nobody should send to the shop."""

import json
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from sqlalchemy import create_engine, text

from target_app.core.config import Settings
from target_app.core.database import postgres_url
from target_app.main import MAX_BODY_BYTES
from tests.integration.target_app.asgi import with_target
from tests.integration.target_app.serving import served
from tests.integration.target_app.shopping import bearer, somebody

pytestmark = pytest.mark.usefixtures("forgotten")
TRICKS = [
    "' OR '1'='1",
    "x'; DROP TABLE shop.items; --",
    '" OR ""="',
    "1; SELECT pg_sleep(20)",
    "' UNION SELECT version() --",
    "%",
    "\\",
    "é\u202e",
]
TOO_LARGE = b'{"email": "a@b.cc", "password": "' + b"x" * 1_000_000 + b'"}'
JSON = {"content-type": "application/json"}


def rows(store: Settings) -> list[int]:
    """Count the rows of the tables."""
    engine = create_engine(postgres_url(store).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        found = [
            int(connection.scalar(text(f"SELECT count(*) FROM shop.{table}")) or 0)
            for table in ("accounts", "items", "purchases", "purchase_lines")
        ]
    engine.dispose()
    return found


@pytest.mark.parametrize("way", ["legacy", "optimised"])
@pytest.mark.parametrize("trick", TRICKS)
def test_what_looks_like_sql_finds_and_breaks_nothing(
    trick: str, way: str, store: Settings
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        own = await somebody(client)
        before = rows(store)
        found = await client.get("/api/v1/items", params={"category": trick})
        assert found.json() == {"rows": [], "next": None}
        for path, name in (
            ("items", "after"),
            ("items", "limit"),
            ("users", "after"),
            ("users", "limit"),
            ("orders", "before"),
            ("orders", "limit"),
        ):
            query = {name: trick}
            answer = await client.get(f"/api/v1/{path}", params=query, headers=own)
            assert answer.status_code == 422, (path, name)
        for path in ("items", "orders"):
            url = httpx.URL("http://target/").copy_with(path=f"/api/v1/{path}/{trick}")
            answer = await client.get(url, headers=own)
            assert answer.status_code in (404, 422), path
        form = {"email": "a@b.cc", "password": trick}
        answer = await client.post("/api/v1/auth/login", json=form)
        assert answer.status_code == 401
        refresh = {"refresh_token": trick}
        answer = await client.post("/api/v1/auth/refresh", json=refresh)
        assert answer.status_code == 401
        answer = await client.post("/api/v1/auth/logout", json=refresh)
        assert answer.status_code == 204
        if trick.isascii():
            answer = await client.get("/api/v1/orders", headers=bearer(trick))
            assert answer.status_code == 401
        assert rows(store) == before

    with_target(store.model_copy(update={"features": way}), story)


@pytest.fixture
def swept(store: Settings) -> Iterator[None]:
    """Delete the items that are not from the seed."""
    yield
    engine = create_engine(postgres_url(store).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM shop.items WHERE name LIKE '<%>'"))
    engine.dispose()


@pytest.mark.parametrize("trick", TRICKS)
def test_what_looks_like_sql_is_kept_as_it_was_written(
    trick: str, store: Settings, swept: None
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        own = await somebody(client)
        name = f"<{trick}>"
        new = {"name": name, "description": trick, "category": trick[:30].strip()}
        answer = await client.post(
            "/api/v1/items", json={**new, "price_cents": 1, "stock": 1}, headers=own
        )
        item = answer.json()
        assert answer.status_code == 201 and new.items() <= item.items()
        path = f"/api/v1/items/{item['id']}"
        assert (await client.get(path)).json() == item
        query = {"category": new["category"]}
        found = (await client.get("/api/v1/items", params=query)).json()["rows"]
        assert item in found
        assert {row["category"] for row in found} == {new["category"]}
        changes = {"full_name": name}
        answer = await client.patch("/api/v1/users/me", json=changes, headers=own)
        assert answer.json()["full_name"] == name

    with_target(store, story)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 422),
        (b"[]", 422),
        (b"\xff", 400),
        (b"[" * 60_000, 400),
        (b"9" * 60_000, 400),
        (b'{"email": "a@b.cc"}', 422),
        (b'{"email": "a@b.cc", "password": "x", "admin": true}', 422),
        (b'{"email": "a@b.cc", "password": "x", "\\ud800": true}', 422),
        (b'{"email": "\\ud800@b.cc", "password": "\\udfff"}', 422),
        (json.dumps({"email": "a@b.cc", "password": "x" * 300}).encode(), 422),
        (TOO_LARGE, 413),
    ],
)
def test_bodies_that_make_no_sense_are_refused(
    body: bytes, status: int, store: Settings
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        answer = await client.post("/api/v1/auth/login", content=body, headers=JSON)
        assert answer.status_code == status, answer.text
        assert set(answer.json()) == {"error"}

    with_target(store, story)


def test_a_body_that_never_ends_is_not_read_on(store: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        sent = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal sent
            while True:
                sent += 1000
                yield b" " * 1000

        answer = await client.post(
            "/api/v1/auth/login", content=endless(), headers=JSON
        )
        assert answer.status_code == 413
        assert sent <= MAX_BODY_BYTES + 2000

    with_target(store, story)


def test_a_server_refuses_large_bodies_however_they_come(store: Settings) -> None:
    def chunks() -> Iterator[bytes]:
        for first in range(0, len(TOO_LARGE), 10_000):
            yield TOO_LARGE[first : first + 10_000]

    with served(store) as url, httpx.Client(base_url=url) as client:
        for content in (TOO_LARGE, chunks()):
            answer = client.post("/api/v1/auth/login", content=content, headers=JSON)
            sent = answer.request.headers
            assert ("content-length" in sent) is isinstance(content, bytes)
            assert ("transfer-encoding" in sent) is not isinstance(content, bytes)
            assert answer.status_code == 413
            assert answer.json()["error"]["message"] == "The body is too large"
        assert client.get("/health").status_code == 200
