"""Waits for a worker thread and for a pooled connection, with who holds them."""

from __future__ import annotations

import contextvars
import functools
from types import ModuleType
from typing import Any, Callable, Optional

from .imports import Imports
from .locks import of_tasks, of_threads
from .places import Place, current_task
from .totals import Totals, get_ident, perf_counter

THREADS = "thread pool"
CONNECTIONS = "connection pool"
HELD = "connection held"
AT_ONCE = 0.00005  # seconds: what takes less was there

# What was spent on waiting for a connection inside a call to another service.
inside: contextvars.ContextVar[Optional[list[float]]] = contextvars.ContextVar(
    "assay_probe_inside", default=None
)


def observe(totals: Totals, imports: Imports) -> None:
    """Observe the pools of threads and connections."""

    def after(name: str, patch: Callable[[ModuleType, Totals], None]) -> None:
        imports.patch(name, lambda module: patch(module, totals))

    after("anyio.to_thread", _anyio)
    after("concurrent.futures.thread", _executor)
    after("waitress.task", _waitress)
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
        functools.partial(_coroutines, "BlockingConnectionPool", "get_connection"),
    )
    after(
        "urllib3.connectionpool",
        functools.partial(_calls, "HTTPConnectionPool", "_get_conn"),
    )
    after(
        "aiohttp.connector",
        functools.partial(
            _coroutines, "BaseConnector", "_wait_for_available_connection"
        ),
    )
    for name, cls in (
        ("httpcore._async.connection_pool", "AsyncPoolRequest"),
        ("httpcore._sync.connection_pool", "PoolRequest"),
    ):
        wrap = _coroutines if "async" in name else _calls
        after(name, functools.partial(wrap, cls, "wait_for_connection"))


class Threads:
    """The worker threads of one pool that are busy, and what waits for one.

    Args:
        totals: Where the waits are counted.
        resource: The kind of pool.
    """

    def __init__(self, totals: Totals, resource: str) -> None:
        """Begin with idle threads."""
        self._totals = totals
        self._resource = resource
        self._busy: dict[int, Any] = {}  # thread to the function that it runs

    def timed(self, function: Any, full: Callable[[int], bool]) -> Any:
        """Return a function that counts how long it waited for its thread.

        Args:
            function: What a worker will call.
            full: Whether a pool with so many busy threads has none to spare.
        """
        project = self._totals.project
        place = project.of_callable(function) or project.here()
        holders: list[Optional[Place]] = []
        if full(len(self._busy)):
            busy = list(self._busy.items())
            holders = [
                place or project.of_callable(runs)
                for place, (_, runs) in zip(
                    of_threads(project, tuple(ident for ident, _ in busy)), busy
                )
            ]
        asked = perf_counter()

        def run(*args: Any, **options: Any) -> Any:
            waited = perf_counter() - asked
            self._totals.add(THREADS, self._resource, place, holders, waited)
            ident = get_ident()
            self._busy[ident] = function
            try:
                return function(*args, **options)
            finally:
                self._busy.pop(ident, None)

        return run


def _anyio(module: Any, totals: Totals) -> None:
    original, threads = module.run_sync, Threads(totals, "anyio")

    @functools.wraps(original)
    def run_sync(func: Any, *args: Any, **options: Any) -> Any:
        def full(busy: int) -> bool:
            limiter = options.get("limiter")
            limiter = limiter or module.current_default_thread_limiter()
            return bool(limiter.available_tokens < 1)

        return original(threads.timed(func, full), *args, **options)

    module.run_sync = run_sync


def _executor(module: Any, totals: Totals) -> None:
    executor = module.ThreadPoolExecutor
    original = executor.submit

    def submit(self: Any, fn: Any, /, *args: Any, **options: Any) -> Any:
        threads = self.__dict__.get("_assay_threads")
        if threads is None:
            threads = self._assay_threads = Threads(totals, "ThreadPoolExecutor")
        called = functools.partial(fn, *args, **options)
        return original(
            self, threads.timed(called, lambda busy: busy >= self._max_workers)
        )

    executor.submit = submit


def _waitress(module: Any, totals: Totals) -> None:
    dispatcher = module.ThreadedTaskDispatcher
    original = dispatcher.add_task

    def add_task(self: Any, task: Any) -> Any:
        threads = self.__dict__.get("_assay_threads")
        if threads is None:
            threads = self._assay_threads = Threads(totals, "waitress")
        task.service = threads.timed(
            task.service, lambda busy: busy >= len(self.threads)
        )
        return original(self, task)

    dispatcher.add_task = add_task


def _waited(
    totals: Totals, resource: str, began: float, holders: list[Optional[Place]]
) -> None:
    waited = perf_counter() - began
    if waited < AT_ONCE:
        return
    cell = inside.get()
    if cell is not None:
        cell[0] += waited
    totals.add(CONNECTIONS, resource, totals.project.here(), holders, waited)


def _calls(cls: str, method: str, module: Any, totals: Totals) -> None:
    """Time a method that waits for a connection in its thread."""
    owner = getattr(module, cls)
    original = getattr(owner, method)

    @functools.wraps(original)
    def timed(self: Any, *args: Any, **options: Any) -> Any:
        began = perf_counter()
        try:
            return original(self, *args, **options)
        finally:
            _waited(totals, cls, began, [])

    setattr(owner, method, timed)


def _coroutines(cls: str, method: str, module: Any, totals: Totals) -> None:
    """Time a coroutine that waits for a connection."""
    owner = getattr(module, cls)
    original = getattr(owner, method)

    @functools.wraps(original)
    async def timed(self: Any, *args: Any, **options: Any) -> Any:
        began = perf_counter()
        try:
            return await original(self, *args, **options)
        finally:
            _waited(totals, cls, began, [])

    setattr(owner, method, timed)


def _sqlalchemy(module: Any, totals: Totals) -> None:
    """Observe SQLAlchemy's queue pools, of threads and of tasks alike."""
    pool, project = module.QueuePool, totals.project
    get, give_back = pool._do_get, pool._do_return_conn

    def who() -> tuple[Any, int]:
        return current_task(), get_ident()

    def do_get(self: Any) -> Any:
        owners = self.__dict__.setdefault("_assay_owners", {})
        # Where none is left, it waits; else it may open one, which is no wait.
        most = self._pool.maxsize + self._max_overflow
        full = self._max_overflow >= 0 and len(owners) >= most
        holders: list[Optional[Place]] = []
        if full:
            held = list(owners.values())
            tasks = [task for task, _, _, _ in held if task is not None]
            idents = tuple(ident for task, ident, _, _ in held if task is None)
            holders = of_tasks(project, tasks) + of_threads(project, idents)
            taken = [place for _, _, place, _ in held]
            holders = [now or then for now, then in zip(holders, taken)]
        began = perf_counter()
        try:
            record = get(self)
        finally:
            if full:
                _waited(totals, "SQLAlchemy", began, holders)
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
