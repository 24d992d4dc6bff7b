"""A page of 100 of 20 000 orders, in an in-memory SQLite database.

There is no server and no network. The time is spent on building the statement, running
it and reading the rows. SQLAlchemy Core does all of this each time, as in a handler.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from sqlalchemy import Connection, Row, create_engine, select

from target_app import seed
from target_app.models import Base, Order
from target_app.services.orders import PAGE_SIZE

TABLE = Base.metadata.tables[Order.__tablename__]
ORDERS = 20_000
DEEP = 18_000  # orders before the page


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    """Yield a connection to a database with the orders."""
    engine = create_engine("sqlite://")
    with engine.connect() as opened:
        TABLE.create(opened)
        # The driver inserts the rows, because Core would take three times as long, in
        # every launch. SQLite stores dates as text.
        rows = [(*row[:-1], str(row[-1])) for row in islice(seed.orders(), ORDERS)]
        places = ", ".join("?" * len(TABLE.columns))
        opened.exec_driver_sql(f"INSERT INTO {TABLE} VALUES ({places})", rows)
        yield opened
    engine.dispose()


def by_offset(connection: Connection, before: int) -> Sequence[Row[Any]]:
    """Return the page after this many orders, as in the guide's example."""
    statement = select(TABLE).order_by(TABLE.c.id).offset(before).limit(PAGE_SIZE)
    return connection.execute(statement).all()


def by_cursor(connection: Connection, last: int) -> Sequence[Row[Any]]:
    """Return the page after an order, which is the last one of the previous page."""
    statement = select(TABLE).where(TABLE.c.id > last).order_by(TABLE.c.id)
    return connection.execute(statement.limit(PAGE_SIZE)).all()


def ids(before: int) -> list[int]:
    """Return the ids of a page; they are numbered from 1 without gaps."""
    return list(range(before + 1, before + PAGE_SIZE + 1))


def test_offset_first(benchmark: BenchmarkFixture, connection: Connection) -> None:
    """Before, on the first page: no rows are skipped."""
    page = benchmark(by_offset, connection, 0)
    assert [row.id for row in page] == ids(0)


def test_cursor_first(benchmark: BenchmarkFixture, connection: Connection) -> None:
    """After, on the first page."""
    page = benchmark(by_cursor, connection, 0)
    assert [row.id for row in page] == ids(0)


def test_offset_deep(benchmark: BenchmarkFixture, connection: Connection) -> None:
    """Before: 18 000 rows are skipped."""
    page = benchmark(by_offset, connection, DEEP)
    assert [row.id for row in page] == ids(DEEP)


def test_cursor_deep(benchmark: BenchmarkFixture, connection: Connection) -> None:
    """After: the primary key finds the beginning of the page."""
    page = benchmark(by_cursor, connection, DEEP)
    assert [row.id for row in page] == ids(DEEP)
