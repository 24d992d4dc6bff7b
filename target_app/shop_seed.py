"""Migrate the shop's tables and fill them: `python -m target_app.shop_seed`.

Accounts, items and orders are the same on every machine. They are created only if there
are no orders yet. A low stock is refilled each time, so that no run sells out.
"""

import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from pydantic import ValidationError
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from target_app.core import security
from target_app.core.config import Settings
from target_app.core.database import postgres_url
from target_app.core.errors import AppError
from target_app.core.work import SCHEMA

ACCOUNTS = 1_000
ITEMS = 2_000
PURCHASES = 20_000
LINES_PER_PURCHASE = 4
PASSWORD = "Window-shopping-1"  # the password of all accounts; they are not real
CATEGORIES = ("books", "games", "music", "tools", "toys")
STOCK = 1_000_000
INI = Path(__file__).parents[1] / "alembic.ini"


def email(number: int) -> str:
    """Return the address of an account; numbers begin with 1."""
    return f"buyer{number}@example.com"


def migrate() -> None:
    """Migrate the tables to the revision that the code expects."""
    command.upgrade(Config(str(INI)), "head")


def fill(connection: Connection) -> bool:
    """Refill low stocks, and create the rows unless there are orders.

    Returns:
        Whether the rows were created.
    """
    connection.execute(text("LOCK TABLE accounts IN EXCLUSIVE MODE"))
    connection.execute(
        text("UPDATE items SET stock = :full WHERE stock < :half"),
        {"full": STOCK, "half": STOCK // 2},
    )
    if connection.scalar(text("SELECT count(*) FROM purchases")):
        return False
    hash_ = security.hash_password(PASSWORD)
    connection.execute(
        text(
            "INSERT INTO accounts (email, full_name, password_hash) "
            "VALUES (:email, :name, :hash)"
        ),
        [
            {"email": email(n), "name": f"Buyer Number {n}", "hash": hash_}
            for n in range(1, ACCOUNTS + 1)
        ],
    )
    connection.execute(
        text(
            "INSERT INTO items (name, description, category, price_cents, stock) "
            "VALUES (:name, :description, :category, :price, :stock)"
        ),
        [
            {
                "name": f"Item Number {n}",
                "description": "Something to buy. " * 5,
                "category": CATEGORIES[n % len(CATEGORIES)],
                "price": 100 + n * 7919 % 9900,
                "stock": STOCK,
            }
            for n in range(1, ITEMS + 1)
        ],
    )
    first_account = connection.scalar(text("SELECT min(id) FROM accounts"))
    first_item = connection.scalar(text("SELECT min(id) FROM items"))
    connection.execute(
        text(
            "INSERT INTO purchases (account_id) SELECT :first + n % :accounts "
            "FROM generate_series(0, :most) AS n"
        ),
        {"first": first_account, "accounts": ACCOUNTS, "most": PURCHASES - 1},
    )
    connection.execute(
        text(
            "INSERT INTO purchase_lines (purchase_id, item_id, quantity, price_cents) "
            "SELECT p.id, :first + (p.id * 31 + n * 7) % :items, 1 + n % 3, 999 "
            "FROM purchases AS p, generate_series(0, :most) AS n"
        ),
        {"first": first_item, "items": ITEMS, "most": LINES_PER_PURCHASE - 1},
    )
    return True


def main() -> None:
    """Migrate and fill the database of DATABASE_URL."""
    try:
        migrate()
        url = postgres_url(Settings()).set(drivername="postgresql+psycopg")
        engine = create_engine(url, connect_args={"options": f"-csearch_path={SCHEMA}"})
        with engine.begin() as connection:
            created = fill(connection)
        with engine.connect().execution_options(
            isolation_level="AUTOCOMMIT"
        ) as connection:
            connection.execute(text("ANALYZE"))
        engine.dispose()
    except (AppError, SQLAlchemyError, ValidationError) as error:
        sys.exit(f"target_app.shop_seed: {getattr(error, 'orig', None) or error}")
    print(f"shop: {'created the rows' if created else 'the rows exist'}")


if __name__ == "__main__":
    main()
