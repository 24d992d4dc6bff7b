"""Time waits for pooled connections, and find their holders."""

from __future__ import annotations

import contextvars
import functools
from types import ModuleType
from typing import Any, Callable, Optional

from .imports import Imports
from .locks import of_tasks, of_threads
from .places import Place, current_task
from .request import ROUNDED, current
from .steps import Span, begin_counted, counted, end_counted
from .totals import Totals, get_ident, perf_counter

CONNECTIONS = "connection pool"
HELD = "connection held"
# Suffix of a kind: a wait for a pool counts these seconds, which events of this kind of
# the same request have counted before.
BEHIND_POOL = " behind pool"
AT_ONCE = 0.00005  # seconds; after a shorter time, a connection was free

# Seconds spent waiting for a connection inside the current call to another service.
inside: contextvars.ContextVar[Optional[list[float]]] = contextvars.ContextVar(
    "assay_probe_inside", default=None
)


def observe(totals: Totals, imports: Imports) -> None:
    """Observe pools of connections from now on."""

    def after(name: str, patch: Callable[[ModuleType, Totals], None]) -> None:
        imports.patch(name, lambda module: patch(module, totals))

    after("sqlalchemy.pool.impl", _sqlalchemy)
    after("psycopg_pool.pool", functools.partial(_calls, "ConnectionPool", "getconn"))
    after(
        "psycopg_pool.pool_async",
        functools.partial(_coroutines, "AsyncConnectionPool", "getconn"),
    )
    after("asyncpg.pool", functools.partial(_coroutines, "Pool", "_acquire"))
    after(
        "redis.connection",
        functools.partial(_calls, "BlockingConnectionPool", "get_connection"),
    )
    after(
        "redis.asyncio.connection",
        functools.partial(
            _coroutines,
            "BlockingConnectionPool",
            "get_connection",
            use="cache command",
        ),
    )
    after(
        "urllib3.connectionpool",
        functools.partial(_calls, "HTTPConnectionPool", "_get_conn"),
    )
    after(
        "aiohttp.connector",
        functools.partial(
            _coroutines,
            "BaseConnector",
            "_wait_for_available_connection",
            use="other service",
        ),
    )
    wait = "wait_for_connection"
    after(
        "httpcore._async.connection_pool",
        functools.partial(_coroutines, "AsyncPoolRequest", wait, use="other service"),
    )
    after(
        "httpcore._sync.connection_pool",
        functools.partial(_calls, "PoolRequest", wait),
    )


def _awaited(
    totals: Totals,
    resource: str,
    holders: list[Optional[Place]],
    span: Span,
    use: str,
) -> None:
    """Count a task's wait for a connection, which ends now.

    Args:
        totals: Counts the wait.
        resource: The pool.
        holders: The places that held its connections.
        span: The wait.
        use: The kind of event that the pool's connections are used for.
    """
    waited, took = span.waited(), perf_counter() - span.began
    if waited < AT_ONCE:
        return
    cell, request = inside.get(), current.get()
    if cell is not None:
        cell[0] += waited
    if request is not None:
        alone, twice = request.count_pooled(span.began, span.began + took, use)
        if twice > ROUNDED:
            totals.add(use + BEHIND_POOL, seconds=waited * twice / took)
        waited *= alone / took
    totals.add(CONNECTIONS, resource, totals.project.here(), holders, waited)


def _blocked(
    totals: Totals, resource: str, holders: list[Optional[Place]], began: float
) -> None:
    """Count a wait for a connection that has blocked this thread until now."""
    waited, cell = perf_counter() - began, inside.get()
    if waited < AT_ONCE:
        return
    totals.waited(waited)
    if cell is not None:
        cell[0] += waited
    totals.add(CONNECTIONS, resource, totals.project.here(), holders, waited)


def _calls(cls: str, method: str, module: Any, totals: Totals) -> None:
    """Time a method that waits for a connection and blocks its thread."""
    owner = getattr(module, cls)
    original = getattr(owner, method)

    @functools.wraps(original)
    def timed(self: Any, *args: Any, **options: Any) -> Any:
        began = perf_counter()
        try:
            return original(self, *args, **options)
        finally:
            _blocked(totals, cls, [], began)

    setattr(owner, method, timed)


def _coroutines(
    cls: str, method: str, module: Any, totals: Totals, use: str = "query"
) -> None:
    """Time a coroutine that waits for a connection.

    Args:
        cls: Name of the pool's class.
        method: Name of the coroutine function.
        module: The module of the class.
        totals: Counts the waits.
        use: The kind of event that the connections are used for.
    """
    owner = getattr(module, cls)
    original = getattr(owner, method)

    @functools.wraps(original)
    async def timed(self: Any, *args: Any, **options: Any) -> Any:
        span = Span()
        try:
            with counted():
                return await original(self, *args, **options)
        finally:
            _awaited(totals, cls, [], span, use)

    setattr(owner, method, timed)


def _sqlalchemy(module: Any, totals: Totals) -> None:
    """Observe SQLAlchemy's queue pools, whether threads or tasks use them."""
    pool, project = module.QueuePool, totals.project
    get, give_back = pool._do_get, pool._do_return_conn

    def who() -> tuple[Any, int]:
        return current_task(), get_ident()

    def do_get(self: Any) -> Any:
        owners = self.__dict__.setdefault("_assay_owners", {})
        # The pool waits only if no connection is left. Otherwise it may open one.
        most = self._pool.maxsize + self._max_overflow
        full = self._max_overflow >= 0 and len(owners) >= most
        holders: list[Optional[Place]] = []
        if full:
            for task, ident, taken, _ in list(owners.values()):
                by_task = of_tasks(project, [task]) if task is not None else None
                now = by_task or of_threads(project, (ident,))
                holders.append(now[0] or taken)
        steps = begin_counted() if full else None
        span = Span()
        try:
            record = get(self)
        finally:
            end_counted(steps)
            if full and "Async" in type(self).__name__:
                _awaited(totals, "SQLAlchemy", holders, span, "query")
            elif full:
                _blocked(totals, "SQLAlchemy", holders, span.began)
        task, ident = who()
        owners[id(record)] = task, ident, project.here(), perf_counter()
        return record

    def do_return_conn(self: Any, record: Any) -> Any:
        owner = self.__dict__.get("_assay_owners", {}).pop(id(record), None)
        if owner is not None:
            held = perf_counter() - owner[3]
            totals.add(HELD, "SQLAlchemy", owner[2], (), held)
        return give_back(self, record)

    pool._do_get = do_get
    pool._do_return_conn = do_return_conn
