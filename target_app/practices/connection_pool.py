"""Connection pooling: one user is read, over a new connection or a pooled one.

The guide: "Added connection pooling". If requests need more connections at the same
time than the pool has, they wait for each other.
"""

import time
from typing import Annotated

from fastapi import Query
from sqlalchemy import NullPool
from sqlalchemy.orm import Session, sessionmaker

from target_app.core.counts import Guard
from target_app.core.database import Resources
from target_app.practices import Practice, Served, Variant
from target_app.schemas import UserRead
from target_app.schemas.errors import error_responses
from target_app.services.users import MAX_ID, one_user, user_or_404

HELD_SECONDS = 0.005  # seconds of other work while a request holds its connection
SMALL_POOL = 2
LARGE_POOL = 32
UserId = Annotated[int, Query(ge=1, le=MAX_ID, description="The user to read")]


def unpooled(resources: Resources) -> Served:
    """Before: every request opens and closes a connection."""
    return _reader(resources, resources.postgres_sessions(poolclass=NullPool))


def pooled(resources: Resources) -> Served:
    """After: connections stay open and are reused."""
    size = resources.settings.pool_size
    sessions = resources.postgres_sessions(pool_size=size, max_overflow=0)
    return _reader(resources, sessions)


def too_small(resources: Resources) -> Served:
    """Before: two connections; every request holds one for 5 ms."""
    sessions = resources.postgres_sessions(pool_size=SMALL_POOL, max_overflow=0)
    return _reader(resources, sessions, HELD_SECONDS)


def large_enough(resources: Resources) -> Served:
    """After: 32 connections; every request holds one for 5 ms."""
    sessions = resources.postgres_sessions(pool_size=LARGE_POOL, max_overflow=0)
    return _reader(resources, sessions, HELD_SECONDS)


def _reader(
    resources: Resources, sessions: sessionmaker[Session], held_seconds: float = 0.0
) -> Served:
    counts = resources.counts

    def read_user(user_id: UserId) -> UserRead:
        counts.count_request()
        with sessions() as session:
            user = session.scalar(one_user(user_id))
            if held_seconds:
                counts.events["held"] += 1
                time.sleep(held_seconds)
            return user_or_404(user)

    return Served(read_user, {"responses": error_responses(404)})


_NEEDS = ("database_url",)
PRACTICE = Practice(
    guide="Case Studies > API Performance Optimization",
    variants={
        "unpooled": Variant(
            unpooled, Guard({"psycopg query": 1}, at_least={"connection": 0.95}), _NEEDS
        ),
        "pooled": Variant(
            pooled, Guard({"psycopg query": 1}, at_most={"connection": 0.9}), _NEEDS
        ),
        "too_small": Variant(
            too_small,
            Guard({"psycopg query": 1, "held": 1}, at_most={"connection": 0.5}),
            _NEEDS,
        ),
        "large_enough": Variant(
            large_enough, Guard({"psycopg query": 1, "held": 1}), _NEEDS
        ),
    },
)
