"""Units of work on the shop's database: in threads, or on the event loop.

What is done is written once, as functions that are given a `Session`. Who does it
differs: a thread with a synchronous driver, or the event loop with an asynchronous
one, which SQLAlchemy lets run the same functions.
"""

from collections.abc import Callable
from typing import Any, Concatenate

from sqlalchemy import NullPool, create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from target_app.core.config import Settings
from target_app.core.database import CONNECT_SECONDS, postgres_url
from target_app.core.features import Features

SCHEMA = "shop"


class Database:
    """Does units of work, each in a transaction of its own."""

    async def run[**Given, Result](  # noqa: D102 (flake8-docstrings cannot see it)
        self,
        work: Callable[Concatenate[Session, Given], Result],
        *args: Given.args,
        **kwargs: Given.kwargs,
    ) -> Result:
        """Do something with a session, and commit; whatever it raises rolls back."""
        raise NotImplementedError

    async def close(self) -> None:
        """Close all connections."""
        raise NotImplementedError


class ThreadedDatabase(Database):
    """By psycopg, in AnyIO's threads, as FastAPI does with plain functions."""

    def __init__(self, settings: Settings, options: dict[str, Any]) -> None:
        """Open nothing yet."""
        self._engine = create_engine(
            postgres_url(settings).set(drivername="postgresql+psycopg"),
            connect_args={
                "options": f"-csearch_path={SCHEMA}",
                "connect_timeout": CONNECT_SECONDS,
            },
            **options,
        )

    async def run[**Given, Result](  # noqa: D102 (flake8-docstrings cannot see it)
        self,
        work: Callable[Concatenate[Session, Given], Result],
        *args: Given.args,
        **kwargs: Given.kwargs,
    ) -> Result:
        """Do something in a thread."""

        def whole() -> Result:  # noqa: D102 (it is no method)
            with Session(self._engine, expire_on_commit=False) as session:
                with session.begin():
                    return work(session, *args, **kwargs)

        return await run_in_threadpool(whole)

    async def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


class LoopDatabase(Database):
    """By asyncpg, on the event loop."""

    def __init__(self, settings: Settings, options: dict[str, Any]) -> None:
        """Open nothing yet."""
        self._engine = create_async_engine(
            postgres_url(settings).set(drivername="postgresql+asyncpg"),
            connect_args={
                "server_settings": {"search_path": SCHEMA},
                "timeout": CONNECT_SECONDS,
            },
            **options,
        )

    async def run[**Given, Result](  # noqa: D102 (flake8-docstrings cannot see it)
        self,
        work: Callable[Concatenate[Session, Given], Result],
        *args: Given.args,
        **kwargs: Given.kwargs,
    ) -> Result:
        """Do something between two turns of the event loop."""
        async with AsyncSession(self._engine, expire_on_commit=False) as session:
            async with session.begin():
                return await session.run_sync(work, *args, **kwargs)

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()


def database(settings: Settings, features: Features) -> Database:
    """Return the database as the features want it."""
    options: dict[str, Any] = {"poolclass": NullPool}
    if "pool" in features:
        options = {"pool_size": settings.pool_size, "max_overflow": 0}
    # Errors are logged, and what a statement is given can be a hash or an address.
    options["hide_parameters"] = True
    kind = LoopDatabase if "async" in features else ThreadedDatabase
    return kind(settings, options)
