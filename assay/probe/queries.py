"""Count and time queries and cache commands, and find the lines that send them."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Callable, Optional

from .awaits import (
    AT_ONCE,
    ROUNDED,
    begin_counted,
    counted,
    end_counted,
    shares,
)
from .fingerprints import of_query
from .imports import Imports
from .places import Place
from .totals import Totals, idle, perf_counter, thread_time

KIND = "query"
CPU = "query cpu"  # CPU time of the sending thread in queries and cache commands
CACHE = "cache command"
COMMIT = "COMMIT"
NEAR = 60  # most frames between a query and the package that sends it


def observe(totals: Totals, imports: Imports) -> None:
    """Observe SQLAlchemy, and drivers that are used without SQLAlchemy."""

    def after(name: str, patch: Callable[[ModuleType, Totals], None]) -> None:
        imports.patch(name, lambda module: patch(module, totals))

    after("sqlalchemy.engine", _sqlalchemy)
    after("sqlalchemy.engine.default", _sqlalchemy_commits)
    after("aiosqlite.core", _aiosqlite)
    after("sqlite3.dbapi2", _sqlite)
    after("psycopg.connection", functools.partial(_commits, "Connection"))
    after(
        "psycopg.connection_async",
        functools.partial(_async_commits, "AsyncConnection"),
    )
    after("psycopg.cursor", functools.partial(_cursor, "Cursor"))
    after("psycopg.cursor_async", functools.partial(_async_cursor, "AsyncCursor"))
    after("asyncpg.connection", _asyncpg)
    after("redis.client", functools.partial(_redis, False))
    after("redis.asyncio.client", functools.partial(_redis, True))


def _sqlalchemy(module: Any, totals: Totals) -> None:
    from sqlalchemy import event

    project = totals.project

    def before(
        conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: Any
    ) -> None:
        if context is not None:
            context._assay_began = perf_counter(), thread_time(), totals.waits()
            if getattr(context.dialect, "is_async", False):
                context._assay_steps = begin_counted()

    def after(
        conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: Any
    ) -> None:
        began = getattr(context, "_assay_began", None)
        ended(context)
        if began is not None:
            query, place = of_query(statement), project.here()
            if getattr(context.dialect, "is_async", False):
                add_async(totals, KIND, query, place, began[0], began[1])
            else:
                took = perf_counter() - began[0]
                totals.add(KIND, query, place, (), took)
                cpu = totals.waited_since(began[2], began[1], took)
                totals.add(CPU, seconds=cpu)

    def ended(context: Any) -> None:
        end_counted(vars(context).pop("_assay_steps", None) if context else None)

    def failed(error: Any) -> None:
        ended(error.execution_context)

    event.listen(module.Engine, "before_cursor_execute", before)
    event.listen(module.Engine, "handle_error", failed)
    event.listen(module.Engine, "after_cursor_execute", after)


def _sqlalchemy_commits(module: Any, totals: Totals) -> None:
    """Count commits of SQLAlchemy as queries, if there is something to commit."""
    dialect, project = module.DefaultDialect, totals.project
    original = dialect.do_commit

    @functools.wraps(original)
    def do_commit(self: Any, dbapi_connection: Any) -> None:
        if not in_transaction(dbapi_connection):
            original(self, dbapi_connection)
            return
        is_async = getattr(self, "is_async", False)
        waits, cpu, began = totals.waits(), thread_time(), perf_counter()
        steps = begin_counted() if is_async else None
        try:
            original(self, dbapi_connection)
        finally:
            end_counted(steps)
            if is_async:
                add_async(totals, KIND, COMMIT, project.here(), began, cpu)
            else:
                took = perf_counter() - began
                totals.add(KIND, COMMIT, project.here(), (), took)
                totals.add(CPU, seconds=totals.waited_since(waits, cpu, took))

    dialect.do_commit = do_commit


def in_transaction(connection: Any) -> bool:
    """Say whether a driver's connection has something to commit; True if unknown."""
    try:
        driver = getattr(
            connection, "_connection", connection
        )  # of SQLAlchemy's asyncio
        if hasattr(driver, "in_transaction"):  # sqlite3, aiosqlite
            by_driver = getattr(driver, "autocommit", None) is True
            return bool(driver.in_transaction) and not by_driver
        if hasattr(driver, "pgconn"):  # psycopg
            return bool(driver.pgconn.transaction_status != 0)
        if hasattr(driver, "is_in_transaction"):  # asyncpg
            return bool(driver.is_in_transaction())
    except Exception:  # the connection is closed
        return False
    return True


def add_async(
    totals: Totals,
    kind: str,
    query: str,
    place: Optional[Place],
    began: float,
    cpu: float,
) -> None:
    """Count a query of an asynchronous driver, which ends now.

    Other tasks run on this thread meanwhile, and may send further queries for the same
    request.

    Args:
        totals: Counts the query.
        kind: The kind of event.
        query: The query's fingerprint.
        place: The user's line that sent it.
        began: When it began.
        cpu: The CPU time of this thread at that moment.
    """
    took = perf_counter() - began
    (alone, at_once), waited = shares(began, took), idle(took, cpu)
    totals.add(kind, query, place, (), waited * alone)
    if at_once > ROUNDED:
        totals.add(AT_ONCE + kind, query, place, (), waited * at_once)


def sent_by(package: str) -> bool:
    """Say whether a package is among the callers, and so sends this query."""
    if package not in sys.modules:
        return False
    frame = sys._getframe(2)
    for _ in range(NEAR):
        if frame is None:
            return False
        if f"{os.sep}{package}{os.sep}" in frame.f_code.co_filename:
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


def _sqlite(module: Any, totals: Totals) -> None:
    """Give connections cursors that time the queries they execute and fetch."""
    connect = module.connect
    cursors: dict[type, type] = {}
    connections: dict[type, type] = {}

    def cursor_type(cls: type) -> type:
        if cls not in cursors:
            cursors[cls] = _timed_cursor(cls, totals)
        return cursors[cls]

    def connection_type(cls: Any) -> Any:
        if cls not in connections:

            class Connection(cls):  # type: ignore[misc]
                """A connection whose cursors are timed."""

                def cursor(self, factory: Any = module.Cursor) -> Any:
                    return super().cursor(cursor_type(factory))

                def execute(self, *args: Any) -> Any:
                    return self.cursor().execute(*args)

                def executemany(self, *args: Any) -> Any:
                    return self.cursor().executemany(*args)

                def commit(self) -> None:
                    if in_transaction(self):
                        with _timed(totals, KIND, lambda: COMMIT):
                            super().commit()
                    else:
                        super().commit()

                def __exit__(self, *error: Any) -> Any:
                    if not in_transaction(self) or error[0] is not None:
                        return super().__exit__(*error)
                    with _timed(totals, KIND, lambda: COMMIT):
                        return super().__exit__(*error)

            connections[cls] = Connection
        return connections[cls]

    @functools.wraps(connect)
    def timed_connect(*args: Any, **options: Any) -> Any:
        # SQLAlchemy's queries are counted by its events. aiosqlite sends them from a
        # separate thread, where SQLAlchemy is not among the callers.
        by_sqlalchemy = "sqlalchemy.dialects.sqlite.aiosqlite" in sys.modules
        if len(args) < 6 and not (by_sqlalchemy and sent_by("aiosqlite")):
            factory = options.pop("factory", module.Connection)
            options["factory"] = connection_type(factory)
        return connect(*args, **options)

    module.connect = timed_connect
    sqlite3: Any = sys.modules.get("sqlite3")
    if sqlite3 is not None:
        sqlite3.connect = timed_connect


def _timed_cursor(cls: Any, totals: Totals) -> type:
    project = totals.project

    class Cursor(cls):  # type: ignore[misc]
        """A cursor that times the queries it executes and fetches."""

        _assay_query = ""

        def execute(self, sql: str, *args: Any) -> Any:
            return self._assay_timed(super().execute, sql, sql, *args)

        def executemany(self, sql: str, *args: Any) -> Any:
            return self._assay_timed(super().executemany, sql, sql, *args)

        def _assay_timed(self, call: Any, sql: Any, *args: Any) -> Any:
            waits, cpu, began = totals.waits(), thread_time(), perf_counter()
            try:
                return call(*args)
            finally:
                took = perf_counter() - began
                self._assay_query = of_query(str(sql))
                if not sent_by("sqlalchemy"):
                    totals.add(KIND, self._assay_query, project.here(), (), took)
                    cpu = totals.waited_since(waits, cpu, took)
                    totals.add(CPU, seconds=cpu)

        def _assay_fetch(self, call: Any, *args: Any) -> Any:
            # SQLite searches for rows only when they are fetched.
            waits, cpu, began = totals.waits(), thread_time(), perf_counter()
            try:
                return call(*args)
            finally:
                took = perf_counter() - began
                if self._assay_query:
                    place = project.here()
                    totals.add(KIND, self._assay_query, place, (), took, 0.0)
                    cpu = totals.waited_since(waits, cpu, took)
                    totals.add(CPU, seconds=cpu)

        def fetchall(self) -> Any:
            return self._assay_fetch(super().fetchall)

        def fetchone(self) -> Any:
            return self._assay_fetch(super().fetchone)

        def fetchmany(self, *args: Any) -> Any:
            return self._assay_fetch(super().fetchmany, *args)

    return Cursor


@contextmanager
def _timed(
    totals: Totals, kind: str, fingerprint: Callable[[], str], is_async: bool = False
) -> Iterator[None]:
    """Time the query that the body sends, unless SQLAlchemy sends and times it."""
    by_sqlalchemy = sent_by("sqlalchemy")
    waits, cpu, began = totals.waits(), thread_time(), perf_counter()
    try:
        yield
    finally:
        if not by_sqlalchemy:
            query, place = fingerprint(), totals.project.here()
            if is_async:
                add_async(totals, kind, query, place, began, cpu)
            else:
                took = perf_counter() - began
                totals.add(kind, query, place, (), took)
                totals.add(CPU, seconds=totals.waited_since(waits, cpu, took))


def _text(query: Any) -> str:
    """Return the text of a query, or the name of its type if it is an object."""
    if isinstance(query, bytes):
        return query.decode("utf-8", "replace")
    return query if isinstance(query, str) else type(query).__name__


def _cursor(cls: str, module: Any, totals: Totals) -> None:
    owner = getattr(module, cls)
    for method in ("execute", "executemany"):
        original = getattr(owner, method)

        def timed(
            self: Any, query: Any, *args: Any, _original: Any = original, **options: Any
        ) -> Any:
            with _timed(totals, KIND, lambda: of_query(_text(query))):
                return _original(self, query, *args, **options)

        setattr(owner, method, functools.wraps(original)(timed))


def _async_cursor(cls: str, module: Any, totals: Totals) -> None:
    owner = getattr(module, cls)
    for method in ("execute", "executemany"):
        original = getattr(owner, method)

        async def timed(
            self: Any, query: Any, *args: Any, _original: Any = original, **options: Any
        ) -> Any:
            with _timed(totals, KIND, lambda: of_query(_text(query)), True), counted():
                return await _original(self, query, *args, **options)

        setattr(owner, method, functools.wraps(original)(timed))


def _commits(cls: str, module: Any, totals: Totals) -> None:
    owner = getattr(module, cls)
    original = owner.commit

    @functools.wraps(original)
    def commit(self: Any) -> None:
        if not in_transaction(self):
            original(self)
            return
        with _timed(totals, KIND, lambda: COMMIT):
            original(self)

    owner.commit = commit


def _async_commits(cls: str, module: Any, totals: Totals) -> None:
    owner = getattr(module, cls)
    original = owner.commit

    @functools.wraps(original)
    async def commit(self: Any) -> None:
        if not in_transaction(self):
            await original(self)
            return
        with _timed(totals, KIND, lambda: COMMIT, True), counted():
            await original(self)

    owner.commit = commit


def _aiosqlite(module: Any, totals: Totals) -> None:
    """Let the thread of a connection know the line for which it works."""
    owner, project = module.Connection, totals.project
    original = owner._execute

    @functools.wraps(original)
    async def execute(self: Any, fn: Any, *args: Any, **options: Any) -> Any:
        place = project.here()

        def run(*args: Any, **options: Any) -> Any:
            with project.on_behalf_of(place):
                return fn(*args, **options)

        return await original(self, run, *args, **options)

    owner._execute = execute


def _asyncpg(module: Any, totals: Totals) -> None:
    for method in ("execute", "executemany", "fetch", "fetchval", "fetchrow"):
        original = getattr(module.Connection, method)

        async def timed(
            self: Any, query: Any, *args: Any, _original: Any = original, **options: Any
        ) -> Any:
            with _timed(totals, KIND, lambda: of_query(_text(query)), True), counted():
                return await _original(self, query, *args, **options)

        setattr(module.Connection, method, functools.wraps(original)(timed))


def _redis(is_async: bool, module: Any, totals: Totals) -> None:
    """Observe commands; a pipeline counts as one command."""
    for cls, method in (("Redis", "execute_command"), ("Pipeline", "execute")):
        owner = getattr(module, cls)
        if method not in vars(owner):
            continue
        original = getattr(owner, method)

        def name(args: Any, _cls: str = cls) -> str:
            if _cls == "Pipeline":
                return "PIPELINE"
            # A command's name, never its keys or values.
            return str(args[0]).split(" ")[0].upper()[:40] if args else "?"

        if is_async:

            async def waited(
                self: Any,
                *args: Any,
                _original: Any = original,
                _name: Any = name,
                **options: Any,
            ) -> Any:
                with _timed(totals, CACHE, lambda: _name(args), True), counted():
                    return await _original(self, *args, **options)

            setattr(owner, method, functools.wraps(original)(waited))
        else:

            def called(
                self: Any,
                *args: Any,
                _original: Any = original,
                _name: Any = name,
                **options: Any,
            ) -> Any:
                with _timed(totals, CACHE, lambda: _name(args)):
                    return _original(self, *args, **options)

            setattr(owner, method, functools.wraps(original)(called))
