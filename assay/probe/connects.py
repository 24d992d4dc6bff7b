"""Count and time the database connections that are opened, like queries."""

from __future__ import annotations

import contextvars
import functools
import os
import sys
from types import ModuleType
from typing import Any, Callable

from .imports import Imports
from .query_times import KIND, sent_by, time_in_dialect, time_query
from .steps import counted
from .totals import Totals

CONNECT = "CONNECT"
# Pools open connections while a request waits for one, or in threads of their own. So
# the wait for the pool counts these seconds.
ASYNCPG_POOL = os.path.join("asyncpg", "pool.py")
PSYCOPG_POOL = "psycopg_pool"

# Whether SQLAlchemy's dialect is opening a connection, which counts it.
_by_dialect: contextvars.ContextVar[bool] = contextvars.ContextVar(
    "assay_probe_connecting", default=False
)


def observe(totals: Totals, imports: Imports) -> None:
    """Observe SQLAlchemy, and drivers that are used without SQLAlchemy."""

    def after(name: str, patch: Callable[[ModuleType, Totals], None]) -> None:
        imports.patch(name, lambda module: patch(module, totals))

    after("sqlalchemy.engine.default", _sqlalchemy)
    after("psycopg.connection", _psycopg)
    after("psycopg.connection_async", _psycopg_async)
    after("asyncpg.connection", _asyncpg)


def _sqlalchemy(module: Any, totals: Totals) -> None:
    dialect = module.DefaultDialect
    original = dialect.connect

    @functools.wraps(original)
    def connect(self: Any, *args: Any, **options: Any) -> Any:
        token = _by_dialect.set(True)
        try:
            with time_in_dialect(self, totals, CONNECT):
                return original(self, *args, **options)
        finally:
            _by_dialect.reset(token)

    dialect.connect = connect


def _psycopg(module: Any, totals: Totals) -> None:
    original = module.Connection.connect.__func__

    @functools.wraps(original)
    def connect(cls: Any, *args: Any, **options: Any) -> Any:
        if _by_dialect.get() or sent_by(PSYCOPG_POOL):
            return original(cls, *args, **options)
        with time_query(totals, KIND, lambda: CONNECT, by_sqlalchemy=False):
            return original(cls, *args, **options)

    module.Connection.connect = classmethod(connect)


def _psycopg_async(module: Any, totals: Totals) -> None:
    original = module.AsyncConnection.connect.__func__

    @functools.wraps(original)
    async def connect(cls: Any, *args: Any, **options: Any) -> Any:
        if _by_dialect.get() or sent_by(PSYCOPG_POOL):
            return await original(cls, *args, **options)
        with time_query(totals, KIND, lambda: CONNECT, True, False), counted():
            return await original(cls, *args, **options)

    module.AsyncConnection.connect = classmethod(connect)


def _asyncpg(module: Any, totals: Totals) -> None:
    original = module.connect

    @functools.wraps(original)
    async def connect(*args: Any, **options: Any) -> Any:
        caller = sys._getframe(1).f_code.co_filename
        if _by_dialect.get() or caller.endswith(ASYNCPG_POOL):
            return await original(*args, **options)
        with time_query(totals, KIND, lambda: CONNECT, True, False), counted():
            return await original(*args, **options)

    module.connect = connect
