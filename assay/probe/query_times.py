"""Time and count one query; the patches of all database drivers use this module."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable, Optional

from .places import Place
from .request import AT_ONCE, ROUNDED, current, shares
from .steps import Span, begin_counted, end_counted
from .totals import Totals, has_greenlets, perf_counter, thread_time

KIND = "query"
CPU = "query cpu"  # CPU time of the sending thread in queries and cache commands
COMMIT = "COMMIT"
ROLLBACK = "ROLLBACK"  # this is also how a transaction ends that has only read
MOST_FILES = 10_000
NEAR = 60  # most frames between a query and the package that sends it

# For each package, whether a source file is inside it.
_of_package: dict[str, dict[str, bool]] = {}


def in_transaction(connection: Any) -> bool:
    """Say whether a driver's connection has begun a transaction; True if unknown."""
    try:
        # SQLAlchemy's asyncio adapter keeps the driver's connection inside.
        driver = getattr(connection, "_connection", connection)
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


def add_query(
    totals: Totals,
    kind: str,
    query: str,
    took: float,
    cpu: float,
    waits: float,
    count: float = 1.0,
) -> None:
    """Count a query that has blocked this thread, at the line that runs now.

    Args:
        totals: Counts the query.
        kind: The kind of event.
        query: The query's fingerprint.
        took: How long the query took, in seconds.
        cpu: The thread's CPU time meanwhile, in seconds.
        waits: The waits of this thread when the query began.
        count: How often the query was sent.
    """
    request, began = current.get(), perf_counter() - took
    # No client waits for what a worker thread sends after the answer. In an event loop,
    # other requests wait for it.
    after = (
        request is not None
        and request.answered <= began <= request.ended
        and not totals.is_loop()
    )
    here = totals.project.here()
    totals.add(kind, query, here, (), 0.0 if after else took, count)
    if not has_greenlets():  # they share the CPU time and the waits of one thread
        totals.add(CPU, seconds=cpu)
        totals.waited(max(0.0, took - cpu - (totals.waits() - waits)))


def add_async(
    totals: Totals, kind: str, query: str, place: Optional[Place], span: Span
) -> None:
    """Count a query of an asynchronous driver, which ends now.

    Other tasks run on this thread meanwhile, and may send further queries for the same
    request.

    Args:
        totals: Counts the query.
        kind: The kind of event.
        query: The query's fingerprint.
        place: The user's line that sent it.
        span: The query's time.
    """
    waited, took = span.waited(), perf_counter() - span.began
    alone, at_once = shares(span.began, took, kind)
    totals.add(kind, query, place, (), waited * alone)
    if at_once > ROUNDED:
        totals.add(AT_ONCE + kind, query, place, (), waited * at_once)


def sent_by(package: str) -> bool:
    """Say whether a package is among the callers, and so sends this query."""
    if package not in sys.modules:
        return False
    known = _of_package.setdefault(package, {})
    frame = sys._getframe(2)
    for _ in range(NEAR):
        if frame is None:
            return False
        file = frame.f_code.co_filename
        is_inside = known.get(file)
        if is_inside is None:
            if len(known) >= MOST_FILES:  # generated code may have a name for each run
                known.clear()
            is_inside = known[file] = f"{os.sep}{package}{os.sep}" in file
        if is_inside:
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


@contextmanager
def time_query(
    totals: Totals,
    kind: str,
    fingerprint: Callable[[], str],
    is_async: bool = False,
    by_sqlalchemy: Optional[bool] = None,
) -> Iterator[None]:
    """Time the query that the body sends, unless SQLAlchemy sends and times it.

    Args:
        totals: Counts the query.
        kind: The kind of event.
        fingerprint: Returns the query's fingerprint.
        is_async: Whether a task sends it.
        by_sqlalchemy: Whether SQLAlchemy sends and times it. None if SQLAlchemy times
            it whenever it is among the callers.
    """
    if by_sqlalchemy is None:
        by_sqlalchemy = sent_by("sqlalchemy")
    span = Span() if is_async else None
    waits, cpu, began = totals.waits(), thread_time(), perf_counter()
    try:
        yield
    finally:
        took, cpu = perf_counter() - began, thread_time() - cpu
        if by_sqlalchemy:
            pass
        elif span is not None:
            add_async(totals, kind, fingerprint(), totals.project.here(), span)
        else:
            add_query(totals, kind, fingerprint(), took, cpu, waits)


@contextmanager
def time_in_dialect(dialect: Any, totals: Totals, text: str) -> Iterator[None]:
    """Time what a dialect of SQLAlchemy does in the body, as a query with this text.

    Args:
        dialect: The dialect, which may belong to SQLAlchemy's asyncio extension.
        totals: Counts the query.
        text: The query's fingerprint.
    """
    is_async = getattr(dialect, "is_async", False)
    waits, cpu, began = totals.waits(), thread_time(), perf_counter()
    span, steps = (Span(), begin_counted()) if is_async else (None, None)
    try:
        yield
    finally:
        took, cpu = perf_counter() - began, thread_time() - cpu
        end_counted(steps)
        if span is not None:
            add_async(totals, KIND, text, totals.project.here(), span)
        else:
            add_query(totals, KIND, text, took, cpu, waits)
