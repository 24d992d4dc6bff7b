"""Count and time queries and cache commands, and find the lines that send them."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any, Callable

from .fingerprints import of_query
from .imports import Imports
from .query_times import (
    COMMIT,
    KIND,
    ROLLBACK,
    add_async,
    add_query,
    in_transaction,
    time_in_dialect,
    time_query,
)
from .sqlite import observe_aiosqlite, observe_sqlite
from .steps import Span, begin_counted, counted, end_counted
from .totals import Totals, perf_counter, thread_time

CACHE = "cache command"
ENDS = {"commit": COMMIT, "rollback": ROLLBACK}  # how transactions end


def observe(totals: Totals, imports: Imports) -> None:
    """Observe SQLAlchemy, and drivers that are used without SQLAlchemy."""

    def after(name: str, patch: Callable[[ModuleType, Totals], None]) -> None:
        imports.patch(name, lambda module: patch(module, totals))

    after("sqlalchemy.engine", _sqlalchemy)
    after("sqlalchemy.engine.default", _sqlalchemy_ends)
    after("aiosqlite.core", observe_aiosqlite)
    after("sqlite3.dbapi2", observe_sqlite)
    after("psycopg.connection", functools.partial(_ends, "Connection"))
    after(
        "psycopg.connection_async",
        functools.partial(_async_ends, "AsyncConnection"),
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
                context._assay_span, context._assay_steps = Span(), begin_counted()

    def after(
        conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: Any
    ) -> None:
        now = perf_counter(), thread_time()
        began = getattr(context, "_assay_began", None)
        ended(context)
        if began is None:
            return
        query = of_query(statement)
        if getattr(context.dialect, "is_async", False):
            add_async(totals, KIND, query, project.here(), context._assay_span)
        else:
            took, cpu = now[0] - began[0], now[1] - began[1]
            add_query(totals, KIND, query, took, cpu, began[2])

    def ended(context: Any) -> None:
        end_counted(vars(context).pop("_assay_steps", None) if context else None)

    def failed(error: Any) -> None:
        ended(error.execution_context)

    event.listen(module.Engine, "before_cursor_execute", before)
    event.listen(module.Engine, "handle_error", failed)
    event.listen(module.Engine, "after_cursor_execute", after)


def _sqlalchemy_ends(module: Any, totals: Totals) -> None:
    """Count the ends of SQLAlchemy's transactions as queries, if one has begun."""
    dialect = module.DefaultDialect
    for name, text in ENDS.items():
        original = getattr(dialect, f"do_{name}")

        def end(
            self: Any,
            dbapi_connection: Any,
            _original: Any = original,
            _text: str = text,
        ) -> None:
            if not in_transaction(dbapi_connection):
                _original(self, dbapi_connection)
                return
            with time_in_dialect(self, totals, _text):
                _original(self, dbapi_connection)

        setattr(dialect, f"do_{name}", functools.wraps(original)(end))


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
            with time_query(totals, KIND, lambda: of_query(_text(query))):
                return _original(self, query, *args, **options)

        setattr(owner, method, functools.wraps(original)(timed))


def _async_cursor(cls: str, module: Any, totals: Totals) -> None:
    owner = getattr(module, cls)
    for method in ("execute", "executemany"):
        original = getattr(owner, method)

        async def timed(
            self: Any, query: Any, *args: Any, _original: Any = original, **options: Any
        ) -> Any:
            with (
                time_query(totals, KIND, lambda: of_query(_text(query)), True),
                counted(),
            ):
                return await _original(self, query, *args, **options)

        setattr(owner, method, functools.wraps(original)(timed))


def _ends(cls: str, module: Any, totals: Totals) -> None:
    owner = getattr(module, cls)
    for name, text in ENDS.items():
        original = getattr(owner, name)

        def end(self: Any, _original: Any = original, _text: str = text) -> None:
            if not in_transaction(self):
                _original(self)
                return
            with time_query(totals, KIND, lambda: _text):
                _original(self)

        setattr(owner, name, functools.wraps(original)(end))


def _async_ends(cls: str, module: Any, totals: Totals) -> None:
    owner = getattr(module, cls)
    for name, text in ENDS.items():
        original = getattr(owner, name)

        async def end(self: Any, _original: Any = original, _text: str = text) -> None:
            if not in_transaction(self):
                await _original(self)
                return
            with time_query(totals, KIND, lambda: _text, True), counted():
                await _original(self)

        setattr(owner, name, functools.wraps(original)(end))


def _asyncpg(module: Any, totals: Totals) -> None:
    for method in ("execute", "executemany", "fetch", "fetchval", "fetchrow"):
        original = getattr(module.Connection, method)

        async def timed(
            self: Any, query: Any, *args: Any, _original: Any = original, **options: Any
        ) -> Any:
            with (
                time_query(totals, KIND, lambda: of_query(_text(query)), True),
                counted(),
            ):
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
                with time_query(totals, CACHE, lambda: _name(args), True), counted():
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
                with time_query(totals, CACHE, lambda: _name(args)):
                    return _original(self, *args, **options)

            setattr(owner, method, functools.wraps(original)(called))
