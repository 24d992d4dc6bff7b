"""Connection pooling: one user is read, with a connection of one's own or a pooled one.

The guide: "Added connection pooling". A pool that is too small for what holds its
connections makes every request wait for another one.
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
from target_app.schemas.errors import problems
from target_app.services.users import LAST_ID, found, one_user

HELD = 0.005  # seconds of other work, with the connection in hand
SMALL, LARGE = 2, 32
UserId = Annotated[int, Query(ge=1, le=LAST_ID, description="The user to read")]


def unpooled(resources: Resources) -> Served:
    """Before: every request opens a connection, and closes it."""
    return _reader(resources, resources.postgres_sessions(poolclass=NullPool))


def pooled(resources: Resources) -> Served:
    """After: connections stay open and are used again."""
    size = resources.settings.pool_size
    sessions = resources.postgres_sessions(pool_size=size, max_overflow=0)
    return _reader(resources, sessions)


def too_small(resources: Resources) -> Served:
    """Before: two connections, each held for 5 ms, whatever waits for them."""
    sessions = resources.postgres_sessions(pool_size=SMALL, max_overflow=0)
    return _reader(resources, sessions, HELD)


def large_enough(resources: Resources) -> Served:
    """After: as many connections as requests may hold one."""
    sessions = resources.postgres_sessions(pool_size=LARGE, max_overflow=0)
    return _reader(resources, sessions, HELD)


def _reader(
    resources: Resources, sessions: sessionmaker[Session], held: float = 0.0
) -> Served:
    counts = resources.counts

    def read_user(user_id: UserId) -> UserRead:
        counts.request()
        with sessions() as session:
            user = session.scalar(one_user(user_id))
            if held:
                counts.events["held"] += 1
                time.sleep(held)
            return found(user)

    return Served(read_user, {"responses": problems(404)})


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
