"""Runs units of work on the shop's database, in threads or on the event loop.

A unit of work is a function that gets a `Session`. The same functions run in a thread
with a synchronous driver, or on the event loop with an asynchronous one.
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
    """Runs units of work, each in its own transaction."""

    async def run[**Args, Result](  # noqa: D102 (pydocstyle misreads generics)
        self,
        work: Callable[Concatenate[Session, Args], Result],
        *args: Args.args,
        **kwargs: Args.kwargs,
    ) -> Result:
        """Run a unit of work and commit; an exception rolls back."""
        raise NotImplementedError

    async def close(self) -> None:
        """Close all connections."""
        raise NotImplementedError


class ThreadedDatabase(Database):
    """Uses psycopg in AnyIO's threads, as FastAPI does for plain functions."""

    def __init__(self, settings: Settings, options: dict[str, Any]) -> None:
        """Make the engine; it connects when it is first used."""
        self._engine = create_engine(
            postgres_url(settings).set(drivername="postgresql+psycopg"),
            connect_args={
                "options": f"-csearch_path={SCHEMA}",
                "connect_timeout": CONNECT_SECONDS,
            },
            **options,
        )

    async def run[**Args, Result](  # noqa: D102 (pydocstyle misreads generics)
        self,
        work: Callable[Concatenate[Session, Args], Result],
        *args: Args.args,
        **kwargs: Args.kwargs,
    ) -> Result:
        """Run a unit of work in a thread."""

        def run_in_transaction() -> Result:  # noqa: D102 (it is not a method)
            with Session(self._engine, expire_on_commit=False) as session:
                with session.begin():
                    return work(session, *args, **kwargs)

        return await run_in_threadpool(run_in_transaction)

    async def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


class LoopDatabase(Database):
    """Uses asyncpg on the event loop."""

    def __init__(self, settings: Settings, options: dict[str, Any]) -> None:
        """Make the engine; it connects when it is first used."""
        self._engine = create_async_engine(
            postgres_url(settings).set(drivername="postgresql+asyncpg"),
            connect_args={
                "server_settings": {"search_path": SCHEMA},
                "timeout": CONNECT_SECONDS,
            },
            **options,
        )

    async def run[**Args, Result](  # noqa: D102 (pydocstyle misreads generics)
        self,
        work: Callable[Concatenate[Session, Args], Result],
        *args: Args.args,
        **kwargs: Args.kwargs,
    ) -> Result:
        """Run a unit of work on the event loop."""
        async with AsyncSession(self._engine, expire_on_commit=False) as session:
            async with session.begin():
                return await session.run_sync(work, *args, **kwargs)

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()


def make_database(settings: Settings, features: Features) -> Database:
    """Return the database with the driver and pool that the features require.

    Raises:
        AppError: DATABASE_URL is not set, or is not a PostgreSQL URL.
    """
    options: dict[str, Any] = {"poolclass": NullPool}
    if "pool" in features:
        options = {"pool_size": settings.pool_size, "max_overflow": 0}
    # Errors are logged, and must not show parameters, such as hashes and addresses.
    options["hide_parameters"] = True
    database_class = LoopDatabase if "async" in features else ThreadedDatabase
    return database_class(settings, options)
