"""A page of 100 of 20 000 of the service's orders, in SQLite's memory.

Without a server and a network what remains is building the statement, running it,
and reading the rows: by SQLAlchemy Core, each time anew, as a handler does.
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
ORDERS, DEEP = 20_000, 18_000  # all, and those before the page


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    """Return a connection to a database that has the orders."""
    engine = create_engine("sqlite://")
    with engine.connect() as opened:
        TABLE.create(opened)
        # By the driver: Core takes three times as long for so many rows, and every
        # launch has to wait for it. SQLite keeps dates as text.
        rows = [(*row[:-1], str(row[-1])) for row in islice(seed.orders(), ORDERS)]
        places = ", ".join("?" * len(TABLE.columns))
        opened.exec_driver_sql(f"INSERT INTO {TABLE} VALUES ({places})", rows)
        yield opened
    engine.dispose()


def by_offset(connection: Connection, before: int) -> Sequence[Row[Any]]:
    """Return the page behind so many orders, as the guide's example does."""
    statement = select(TABLE).order_by(TABLE.c.id).offset(before).limit(PAGE_SIZE)
    return connection.execute(statement).all()


def by_cursor(connection: Connection, last: int) -> Sequence[Row[Any]]:
    """Return the page behind an order, the last one of the page before."""
    statement = select(TABLE).where(TABLE.c.id > last).order_by(TABLE.c.id)
    return connection.execute(statement.limit(PAGE_SIZE)).all()


def ids(before: int) -> list[int]:
    """Return the ids on a page; they are numbered from 1 without gaps."""
    return list(range(before + 1, before + PAGE_SIZE + 1))


def test_offset_first(benchmark: BenchmarkFixture, connection: Connection) -> None:
    """Before, where the table begins: there is nothing to skip."""
    page = benchmark(by_offset, connection, 0)
    assert [row.id for row in page] == ids(0)


def test_cursor_first(benchmark: BenchmarkFixture, connection: Connection) -> None:
    """After, where the table begins."""
    page = benchmark(by_cursor, connection, 0)
    assert [row.id for row in page] == ids(0)


def test_offset_deep(benchmark: BenchmarkFixture, connection: Connection) -> None:
    """Before, where 18 000 orders are."""
    page = benchmark(by_offset, connection, DEEP)
    assert [row.id for row in page] == ids(DEEP)


def test_cursor_deep(benchmark: BenchmarkFixture, connection: Connection) -> None:
    """After: the primary key finds where the page begins."""
    page = benchmark(by_cursor, connection, DEEP)
    assert [row.id for row in page] == ids(DEEP)
