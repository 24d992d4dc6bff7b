"""Create the data of the practices: `python -m target_app.seed`.

The rows are the same on every machine and in both databases. They are created unless
the database already contains this version of the rows.
"""

import contextlib
import itertools
import os
import sqlite3
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from pydantic import ValidationError
from sqlalchemy import Connection, create_engine, insert, text
from sqlalchemy.exc import SQLAlchemyError

from target_app.core.config import Settings
from target_app.core.database import SCHEMA, postgres_engine
from target_app.core.errors import AppError
from target_app.models import Base, Invoice, Login, Order, Seed, User
from target_app.services.orders import DAYS, INVOICE_COUNT, ORDER_COUNT, invoice_number
from target_app.services.sales import MONTHS, first_day
from target_app.services.users import session_token

VERSION = 4
USERS = 40_000
_ORDERS_PER_MONTH = ORDER_COUNT // MONTHS
_STATUSES = ("paid", "shipped", "delivered", "returned")
# The number is arbitrary, but all processes that seed must use the same.
_ADVISORY_LOCK = 0x41535359

Row = tuple[int | str | bool | date, ...]


def users() -> Iterator[Row]:
    """Yield the rows of the table `users`, with its columns in order."""
    opening = first_day(0)
    for number in range(1, USERS + 1):
        yield (
            number,
            f"user{number}@example.com",
            f"User Number {number}",
            number % 10 != 0,
            opening + timedelta(days=number % 365),
        )


def orders() -> Iterator[Row]:
    """Yield the rows of the table `orders`; each month has the same number of orders.

    The five orders of a user lie 40 000 rows apart in the table.
    """
    for number in range(1, ORDER_COUNT + 1):
        month, position = divmod(number - 1, _ORDERS_PER_MONTH)
        # Knuth's multiplicative hash: scattered, and the same on every machine.
        scattered = number * 2_654_435_761 % 2**32
        yield (
            number,
            (number - 1) % USERS + 1,
            _STATUSES[scattered >> 30],
            500 + scattered % 49_500,
            first_day(month) + timedelta(days=position * DAYS // _ORDERS_PER_MONTH),
        )


def invoices() -> Iterator[Row]:
    """Yield the rows of the table `invoices`.

    Each of the first 100 000 orders has one invoice.
    """
    for number, _, _, total, placed_on in itertools.islice(orders(), INVOICE_COUNT):
        name = invoice_number(int(str(number)))
        yield (number, name, name, total, placed_on)


def logins() -> Iterator[Row]:
    """Yield the rows of the table `logins`: one for each user."""
    for number in range(1, USERS + 1):
        yield (session_token(number), number)


TABLES = {
    User.__tablename__: users,
    Order.__tablename__: orders,
    Invoice.__tablename__: invoices,
    Login.__tablename__: logins,
}


def seed_postgres(settings: Settings) -> bool:
    """Create the rows in schema `assay`, unless they exist.

    Returns:
        Whether the rows were created.

    Raises:
        AppError: DATABASE_URL is not set, or is not a PostgreSQL URL.
        SQLAlchemyError: The database cannot be reached, or refuses a statement.
    """
    engine = postgres_engine(settings)
    try:
        with engine.begin() as connection:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
            return _seed_postgres(connection)
    finally:
        engine.dispose()


def _seed_postgres(connection: Connection) -> bool:
    if connection.scalar(text(f"SELECT to_regnamespace('{SCHEMA}')")) is None:
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
    if connection.scalar(text(f"SELECT to_regclass('{SCHEMA}.seed')")) is not None:
        if (
            connection.scalar(text(f"SELECT max(version) FROM {SCHEMA}.seed"))
            == VERSION
        ):
            return False
    # Drop all tables, including unknown tables of another version.
    tables = text(f"SELECT tablename FROM pg_tables WHERE schemaname = '{SCHEMA}'")
    for table in connection.scalars(tables).all():
        name = connection.dialect.identifier_preparer.quote(table)
        connection.execute(text(f"DROP TABLE {SCHEMA}.{name} CASCADE"))
    Base.metadata.create_all(connection)
    cursor = connection.connection.cursor()
    for table, rows in TABLES.items():
        lines = ("\t".join(map(str, row)) for row in rows())
        # FREEZE stores the rows as if vacuumed, so that no vacuum runs in a slice.
        with cursor.copy(f"COPY {SCHEMA}.{table} FROM STDIN (FREEZE)") as copy:
            copy.write("\n".join(lines))
        connection.execute(text(f"ANALYZE {SCHEMA}.{table}"))
    connection.execute(insert(Seed).values(version=VERSION))
    return True


def seed_sqlite(path: Path) -> bool:
    """Create the rows in a SQLite file, unless they exist.

    The file is written under a temporary name and renamed when it is complete. So two
    processes can seed at the same time, and `path` never contains an incomplete file.

    Returns:
        Whether the rows were created.
    """
    if _sqlite_version(path) == VERSION:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    try:
        engine = create_engine(f"sqlite:///{temporary}")
        with engine.begin() as connection:
            Base.metadata.create_all(connection)
        engine.dispose()
        with contextlib.closing(sqlite3.connect(temporary)) as file, file:
            for table, rows in TABLES.items():
                values = (tuple(map(_for_sqlite, row)) for row in rows())
                placeholders = ",".join("?" * len(Base.metadata.tables[table].columns))
                file.executemany(f"INSERT INTO {table} VALUES ({placeholders})", values)
            file.execute("INSERT INTO seed VALUES (?)", (VERSION,))
            file.execute("ANALYZE")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _for_sqlite(value: int | str | bool | date) -> int | str | bool:
    return value.isoformat() if isinstance(value, date) else value


def _sqlite_version(path: Path) -> int:
    try:
        name = f"file:{path}?mode=ro"
        with contextlib.closing(sqlite3.connect(name, uri=True)) as file:
            row = file.execute("SELECT max(version) FROM seed").fetchone()
            return int(row[0] or 0)
    except sqlite3.Error:
        return 0


def main() -> None:
    """Seed SQLite, and PostgreSQL if DATABASE_URL is set."""
    try:
        settings = Settings()
        seeded = [("SQLite", seed_sqlite(settings.sqlite_path))]
        if settings.database_url:
            seeded.append(("PostgreSQL", seed_postgres(settings)))
    except (AppError, SQLAlchemyError, ValidationError, OSError) as error:
        cause = getattr(error, "orig", None) or error
        sys.exit(f"target_app.seed: {cause}")
    for name, created in seeded:
        print(f"{name}: {'created the rows' if created else 'the rows exist'}")


if __name__ == "__main__":
    main()
