"""Asynchronous and synchronous database access, reading one user by id.

The guide: "Switched to asynchronous database queries", "3x increase in request
throughput".
"""

from typing import Annotated

from fastapi import Query

from target_app.core.counts import Guard
from target_app.core.database import Resources
from target_app.practices import Practice, Served, Variant
from target_app.schemas import UserRead
from target_app.schemas.errors import error_responses
from target_app.services.users import MAX_ID, one_user, user_or_404

UserId = Annotated[int, Query(ge=1, le=MAX_ID, description="The user to read")]


def postgres_sync(resources: Resources) -> Served:
    """Before: psycopg in a plain function, which FastAPI runs in a thread."""
    sessions = resources.postgres

    def read_user(user_id: UserId) -> UserRead:
        resources.counts.count_request()
        with sessions() as session:
            return user_or_404(session.scalar(one_user(user_id)))

    return Served(read_user, {"responses": error_responses(404)})


def postgres_async(resources: Resources) -> Served:
    """After: asyncpg in a coroutine on the event loop."""
    sessions = resources.postgres_async

    async def read_user(user_id: UserId) -> UserRead:
        resources.counts.count_request()
        async with sessions() as session:
            return user_or_404(await session.scalar(one_user(user_id)))

    return Served(read_user, {"responses": error_responses(404)})


def sqlite_sync(resources: Resources) -> Served:
    """Before: sqlite3 in a plain function, which FastAPI runs in a thread."""
    sessions = resources.sqlite

    def read_user(user_id: UserId) -> UserRead:
        resources.counts.count_request()
        with sessions() as session:
            return user_or_404(session.scalar(one_user(user_id)))

    return Served(read_user, {"responses": error_responses(404)})


def sqlite_async(resources: Resources) -> Served:
    """After: aiosqlite in a coroutine; it has a thread for each connection."""
    sessions = resources.sqlite_async

    async def read_user(user_id: UserId) -> UserRead:
        resources.counts.count_request()
        async with sessions() as session:
            return user_or_404(await session.scalar(one_user(user_id)))

    return Served(read_user, {"responses": error_responses(404)})


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
