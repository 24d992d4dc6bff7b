"""Time the queries of sqlite3, and name the lines for which aiosqlite sends them."""

from __future__ import annotations

import functools
import sys
from typing import Any

from .fingerprints import of_query
from .query_times import (
    COMMIT,
    KIND,
    ROLLBACK,
    add_query,
    in_transaction,
    sent_by,
    time_query,
)
from .totals import Totals, perf_counter, thread_time


def observe_sqlite(module: Any, totals: Totals) -> None:
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
                        with time_query(totals, KIND, lambda: COMMIT):
                            super().commit()
                    else:
                        super().commit()

                def rollback(self) -> None:
                    if in_transaction(self):
                        with time_query(totals, KIND, lambda: ROLLBACK):
                            super().rollback()
                    else:
                        super().rollback()

                def __exit__(self, *error: Any) -> Any:
                    if not in_transaction(self):
                        return super().__exit__(*error)
                    ends = COMMIT if error[0] is None else ROLLBACK
                    with time_query(totals, KIND, lambda: ends):
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
                took, cpu = perf_counter() - began, thread_time() - cpu
                self._assay_query = of_query(str(sql))
                if not sent_by("sqlalchemy"):
                    add_query(totals, KIND, self._assay_query, took, cpu, waits)

        def _assay_fetch(self, call: Any, *args: Any) -> Any:
            # SQLite searches for rows only when they are fetched.
            waits, cpu, began = totals.waits(), thread_time(), perf_counter()
            try:
                return call(*args)
            finally:
                took, cpu = perf_counter() - began, thread_time() - cpu
                if self._assay_query:
                    add_query(totals, KIND, self._assay_query, took, cpu, waits, 0.0)

        def fetchall(self) -> Any:
            return self._assay_fetch(super().fetchall)

        def fetchone(self) -> Any:
            return self._assay_fetch(super().fetchone)

        def fetchmany(self, *args: Any) -> Any:
            return self._assay_fetch(super().fetchmany, *args)

    return Cursor


def observe_aiosqlite(module: Any, totals: Totals) -> None:
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
