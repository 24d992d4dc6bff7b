"""Asynchronous database access against synchronous, reading one user by id.

The guide: "Switched to asynchronous database queries", "3x increase in request
throughput".
"""

from typing import Annotated

from fastapi import Query

from target_app.core.counts import Guard
from target_app.core.database import Resources
from target_app.practices import Practice, Served, Variant
from target_app.schemas import UserRead
from target_app.schemas.errors import problems
from target_app.services.users import LAST_ID, found, one_user

UserId = Annotated[int, Query(ge=1, le=LAST_ID, description="The user to read")]


def postgres_sync(resources: Resources) -> Served:
    """Before: a plain function, which FastAPI runs in a thread; psycopg."""
    sessions = resources.postgres

    def read_user(user_id: UserId) -> UserRead:
        resources.counts.request()
        with sessions() as session:
            return found(session.scalar(one_user(user_id)))

    return Served(read_user, {"responses": problems(404)})


def postgres_async(resources: Resources) -> Served:
    """After: a coroutine on the event loop; asyncpg."""
    sessions = resources.postgres_async

    async def read_user(user_id: UserId) -> UserRead:
        resources.counts.request()
        async with sessions() as session:
            return found(await session.scalar(one_user(user_id)))

    return Served(read_user, {"responses": problems(404)})


def sqlite_sync(resources: Resources) -> Served:
    """Before: a plain function, which FastAPI runs in a thread; sqlite3."""
    sessions = resources.sqlite

    def read_user(user_id: UserId) -> UserRead:
        resources.counts.request()
        with sessions() as session:
            return found(session.scalar(one_user(user_id)))

    return Served(read_user, {"responses": problems(404)})


def sqlite_async(resources: Resources) -> Served:
    """After: a coroutine; aiosqlite, which has a thread for every connection."""
    sessions = resources.sqlite_async

    async def read_user(user_id: UserId) -> UserRead:
        resources.counts.request()
        async with sessions() as session:
            return found(await session.scalar(one_user(user_id)))

    return Served(read_user, {"responses": problems(404)})


_THREAD = "handler in AnyIO's pool"
_LOOP = "handler on the event loop"
PRACTICE = Practice(
    guide="Database Access > Asynchronous SQLAlchemy (for PostgreSQL)",
    variants={
        "postgres_sync": Variant(
            postgres_sync, Guard({"psycopg query": 1, _THREAD: 1}), ("database_url",)
        ),
        "postgres_async": Variant(
            postgres_async, Guard({"asyncpg query": 1, _LOOP: 1}), ("database_url",)
        ),
        "sqlite_sync": Variant(sqlite_sync, Guard({"pysqlite query": 1, _THREAD: 1})),
        "sqlite_async": Variant(sqlite_async, Guard({"aiosqlite query": 1, _LOOP: 1})),
    },
)
