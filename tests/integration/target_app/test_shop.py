"""The shop under `/api/v1`: migrations, items and orders; legacy and optimised."""

import asyncio

import httpx
import pytest
from sqlalchemy import create_engine, text

from target_app.core import features
from target_app.core.config import Settings
from target_app.core.database import postgres_url
from tests.integration.target_app.asgi import with_target
from tests.integration.target_app.shopping import (
    alembic,
    bearer,
    logged_in,
    run_seed,
    signed_up,
    somebody,
)

pytestmark = pytest.mark.usefixtures("forgotten")


def test_migrations_go_up_and_down_and_fit_the_models(store: Settings) -> None:
    url = postgres_url(store).set(drivername="postgresql+psycopg")
    engine = create_engine(url, connect_args={"options": "-csearch_path=shop"})
    tables = text("SELECT count(*) FROM pg_tables WHERE schemaname = 'shop'")
    try:
        assert "No new upgrade operations" in alembic(store, "check")
        alembic(store, "downgrade", "base")
        with engine.connect() as connection:
            assert connection.scalar(tables) == 1  # Alembic's own
        alembic(store, "upgrade", "head")
        with engine.connect() as connection:
            assert connection.scalar(tables) == 7
    finally:
        engine.dispose()
        again = run_seed(store)
        assert again.returncode == 0 and "created the rows" in again.stdout
        assert "exist" in run_seed(store).stdout


@pytest.mark.parametrize("way", list(features.ladder()))
def test_old_and_new_ways_answer_alike(way: str, store: Settings) -> None:
    chosen = store.model_copy(update={"features": way, "mail_seconds": 0.0})

    async def story(client: httpx.AsyncClient) -> None:
        email = await signed_up(client)
        pair = await logged_in(client, email)
        own = bearer(pair["access_token"])
        answer = await client.patch(
            "/api/v1/users/me", json={"full_name": "Countess"}, headers=own
        )
        assert answer.json()["full_name"] == "Countess"
        page = (await client.get("/api/v1/items?limit=2")).json()
        assert len(page["rows"]) == 2 and page["next"] == page["rows"][-1]["id"]
        item = page["rows"][0]
        lines = [{"item_id": item["id"], "quantity": 2}] * 2
        placed = await client.post("/api/v1/orders", json={"lines": lines}, headers=own)
        assert placed.status_code == 201, placed.text
        order = placed.json()
        (line,) = order["lines"]
        assert (line["quantity"], line["price_cents"]) == (4, item["price_cents"])
        left = (await client.get(f"/api/v1/items/{item['id']}")).json()["stock"]
        assert left == item["stock"] - 4
        orders = (await client.get("/api/v1/orders", headers=own)).json()
        assert orders["rows"] == [order] and orders["next"] is None
        found = await client.get(f"/api/v1/orders/{order['id']}", headers=own)
        assert found.json() == order

    with_target(chosen, story)


def test_orders_are_their_owners_alone(store: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        mine, yours = await somebody(client), await somebody(client)
        lines = {"lines": [{"item_id": 1, "quantity": 1}]}
        item = (await client.get("/api/v1/items?limit=1")).json()["rows"][0]["id"]
        lines["lines"][0]["item_id"] = item
        order = (await client.post("/api/v1/orders", json=lines, headers=mine)).json()
        path = f"/api/v1/orders/{order['id']}"
        assert (await client.get(path, headers=mine)).status_code == 200
        assert (await client.get(path, headers=yours)).status_code == 404
        assert (await client.get(path)).status_code == 401

    with_target(store, story)


def test_stock_is_never_sold_twice(store: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        own = await somebody(client)
        new = {"name": "Last", "category": "toys", "price_cents": 5, "stock": 5}
        item = (await client.post("/api/v1/items", json=new, headers=own)).json()["id"]
        wanted = {"lines": [{"item_id": item, "quantity": 1}]}
        answers = await asyncio.gather(
            *(
                client.post("/api/v1/orders", json=wanted, headers=own)
                for _ in range(12)
            )
        )
        codes = sorted(answer.status_code for answer in answers)
        assert codes == [201] * 5 + [409] * 7
        assert answers[0].json()

    with_target(store, story)
