"""Connections to databases, Redis and the downstream service, opened on first use.

SQLAlchemy and the drivers are imported where they are needed, so that a variant without
them starts faster.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from functools import cached_property
from typing import TYPE_CHECKING, Any

from target_app.core.config import Settings
from target_app.core.counts import Counts
from target_app.core.errors import AppError

if TYPE_CHECKING:
    from httpx import AsyncClient
    from redis import Redis
    from redis.asyncio import Redis as AsyncRedis
    from sqlalchemy import URL, Engine
    from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
    from sqlalchemy.orm import Session, sessionmaker

SCHEMA = "assay"
KEY_PREFIX = "assay:"
CONNECT_SECONDS = 5


class Resources:
    """The connections and counts of one variant; no other variant shares them.

    A property raises AppError, 503, if the URL that it needs is not set or cannot be
    read, or if DATABASE_URL is not a PostgreSQL URL.
    """

    def __init__(self, settings: Settings) -> None:
        """Open nothing yet."""
        self.settings = settings
        self.counts = Counts()
        self._engines: list[Engine] = []
        self._pools: list[Executor] = []

    @cached_property
    def postgres(self) -> sessionmaker[Session]:
        """Sessions on PostgreSQL, with psycopg."""
        from sqlalchemy.orm import sessionmaker

        engine = postgres_engine(self.settings)
        return sessionmaker(self._count_statements(engine), expire_on_commit=False)

    @cached_property
    def postgres_async(self) -> async_sessionmaker[AsyncSession]:
        """Sessions on PostgreSQL, with asyncpg."""
        from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

        url = postgres_url(self.settings).set(drivername="postgresql+asyncpg")
        if mode := url.query.get("sslmode"):
            # libpq's parameter `sslmode` is called `ssl` in asyncpg.
            url = url.difference_update_query(["sslmode"])
            url = url.update_query_dict({"ssl": mode})
        engine = create_async_engine(
            url,
            pool_size=self.settings.pool_size,
            max_overflow=0,
            connect_args={
                "server_settings": {"search_path": SCHEMA},
                "timeout": CONNECT_SECONDS,
            },
        )
        self._count_statements(engine.sync_engine)
        return async_sessionmaker(engine, expire_on_commit=False)

    @cached_property
    def sqlite(self) -> sessionmaker[Session]:
        """Sessions on the SQLite file, with the standard library's driver."""
        from sqlalchemy import create_engine
        from sqlalchemy.orm import sessionmaker

        engine = create_engine(
            _sqlite_url(self.settings, "pysqlite"),
            pool_size=self.settings.pool_size,
            max_overflow=0,
        )
        return sessionmaker(self._count_statements(engine), expire_on_commit=False)

    @cached_property
    def sqlite_async(self) -> async_sessionmaker[AsyncSession]:
        """Sessions on the SQLite file, with aiosqlite."""
        from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

        engine = create_async_engine(
            _sqlite_url(self.settings, "aiosqlite"),
            pool_size=self.settings.pool_size,
            max_overflow=0,
        )
        self._count_statements(engine.sync_engine)
        return async_sessionmaker(engine, expire_on_commit=False)

    @cached_property
    def redis(self) -> Redis:
        """A synchronous client of Redis, with its own pool."""
        import redis

        return redis_client(redis.Redis.from_url, self.settings)

    @cached_property
    def redis_async(self) -> AsyncRedis:
        """An asynchronous client of Redis, with its own pool."""
        from redis.asyncio import Redis

        return redis_client(Redis.from_url, self.settings)

    @cached_property
    def downstream(self) -> AsyncClient:
        """A client that keeps its connections to the downstream service open."""
        return self.downstream_client()

    def downstream_client(self) -> AsyncClient:
        """Return a new client of the downstream service, and count it.

        The caller closes it.

        Raises:
            AppError: 503; DOWNSTREAM_URL is not set, or cannot be read.
        """
        import httpx

        if not self.settings.downstream_url:
            raise AppError("DOWNSTREAM_URL is not set", 503)
        self.counts.events["client"] += 1
        try:
            return httpx.AsyncClient(base_url=self.settings.downstream_url)
        except httpx.InvalidURL as error:
            raise AppError("DOWNSTREAM_URL cannot be read", 503) from error

    def postgres_sessions(self, **options: Any) -> sessionmaker[Session]:
        """Return sessions on PostgreSQL with a pool of their own.

        Each connection that is opened is counted as the event `connection`.

        Args:
            options: Options of `sqlalchemy.create_engine`.

        Raises:
            AppError: DATABASE_URL is not set, or is not a PostgreSQL URL.
        """
        from sqlalchemy import event
        from sqlalchemy.orm import sessionmaker

        engine = self._count_statements(postgres_engine(self.settings, **options))
        self._engines.append(engine)

        def count_connection(*_: object) -> None:
            self.counts.events["connection"] += 1

        event.listen(engine, "connect", count_connection)
        return sessionmaker(engine, expire_on_commit=False)

    def register_pool[Pool: Executor](  # noqa: D102 (pydocstyle misreads generics)
        self, pool: Pool
    ) -> Pool:
        """Register a pool of threads or processes, which `close` shuts down."""
        self._pools.append(pool)
        return pool

    async def close(self) -> None:
        """Close everything that was opened."""
        opened = vars(self)
        for pool in self._pools:
            pool.shutdown(wait=True, cancel_futures=True)
        for engine in self._engines:
            engine.dispose()
        if "downstream" in opened:
            await opened["downstream"].aclose()
        for name in ("postgres", "sqlite"):
            if name in opened:
                opened[name].kw["bind"].dispose()
        for name in ("postgres_async", "sqlite_async"):
            if name in opened:
                await opened[name].kw["bind"].dispose()
        if "redis" in opened:
            opened["redis"].close()
        if "redis_async" in opened:
            await opened["redis_async"].aclose()

    def _count_statements(self, engine: Engine) -> Engine:
        """Return the engine; count its statements as the event `<driver> query`."""
        from sqlalchemy import event

        events = self.counts.events
        name = f"{engine.dialect.driver} query"

        def count_statement(*_: object) -> None:
            events[name] += 1

        event.listen(engine, "before_cursor_execute", count_statement)
        return engine


def postgres_engine(settings: Settings, **options: Any) -> Engine:
    """Return an engine on PostgreSQL that finds its tables in schema `assay`.

    Args:
        settings: The settings, with the URL and the size of the pool.
        options: Options of `sqlalchemy.create_engine`. If there are any, the size of
            the pool is not taken from the settings.

    Raises:
        AppError: DATABASE_URL is not set, or is not a PostgreSQL URL.
    """
    from sqlalchemy import create_engine

    return create_engine(
        postgres_url(settings).set(drivername="postgresql+psycopg"),
        **(options or {"pool_size": settings.pool_size, "max_overflow": 0}),
        connect_args={
            "options": f"-csearch_path={SCHEMA}",
            "connect_timeout": CONNECT_SECONDS,
        },
    )


def postgres_url(settings: Settings) -> URL:
    """Return the URL of PostgreSQL.

    Raises:
        AppError: DATABASE_URL is not set, or is not a PostgreSQL URL.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    if not settings.database_url:
        raise AppError("DATABASE_URL is not set", 503)
    try:
        # SQLAlchemy does not know the scheme `postgres`, which libpq accepts.
        url = make_url(settings.database_url.replace("postgres://", "postgresql://", 1))
    except (ArgumentError, ValueError) as error:
        raise AppError("DATABASE_URL cannot be read", 503) from error
    if url.get_backend_name() != "postgresql":
        raise AppError("DATABASE_URL is not a PostgreSQL URL", 503)
    return url


def redis_client[Client](  # noqa: D103 (pydocstyle misreads generics)
    from_url: Callable[..., Client], settings: Settings
) -> Client:
    """Return a client of Redis, which connects when it is first used.

    Args:
        from_url: The function of redis-py that makes a client for a URL.
        settings: The settings, with the URL.

    Raises:
        AppError: REDIS_URL is not set, or cannot be read.
    """
    if not settings.redis_url:
        raise AppError("REDIS_URL is not set", 503)
    try:
        return from_url(settings.redis_url, socket_connect_timeout=CONNECT_SECONDS)
    except ValueError as error:
        # Without redis-py's message, which may contain parts of a password.
        raise AppError(
            "REDIS_URL cannot be read; expected a URL such as redis://host:6379/0", 503
        ) from error


def _sqlite_url(settings: Settings, driver: str) -> URL:
    from sqlalchemy import URL

    # Read-only, so that a missing file is an error, and no empty file is created.
    return URL.create(
        f"sqlite+{driver}",
        database=f"file:{settings.sqlite_path}",
        query={"mode": "ro", "uri": "true"},
    )
