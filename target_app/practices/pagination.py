"""Pagination: a page of 100, from the 357 orders of a day or from all 200 000.

The guide: "Always paginate large result sets"; "Use cursor-based pagination for
large datasets".
"""

from typing import Annotated

from fastapi import Query
from sqlalchemy import select

from target_app.core.counts import Guard
from target_app.core.database import Resources
from target_app.models import Order
from target_app.practices import Handler, Practice, Variant
from target_app.schemas import OrderRead
from target_app.services.orders import (
    DAYS,
    ORDERS_PER_DAY,
    PAGE_SIZE,
    count_orders_before,
    orders_of_day,
)
from target_app.services.sales import MONTHS

PAGES = int(ORDERS_PER_DAY) // PAGE_SIZE  # full pages of a day
Page = Annotated[
    int, Query(ge=0, lt=MONTHS * DAYS * PAGES, description="The first page is 0")
]


def _position(page: int) -> tuple[int, int, int]:
    """Return the month and day of a page, and how many orders of the day precede it."""
    day, page_of_day = divmod(page, PAGES)
    return day // DAYS, day % DAYS + 1, page_of_day * PAGE_SIZE


def unpaginated(resources: Resources) -> Handler:
    """Before: all orders of the day are read, and the page is taken from them."""
    sessions, counts = resources.postgres, resources.counts

    def list_orders(page: Page) -> list[OrderRead]:
        counts.count_request()
        month, day, before = _position(page)
        with sessions() as session:
            orders = session.scalars(orders_of_day(month, day)).all()
        counts.events["rows"] += len(orders)
        page_orders = orders[before : before + PAGE_SIZE]
        return [OrderRead.model_validate(order) for order in page_orders]

    return list_orders


def offset(resources: Resources) -> Handler:
    """After: the database skips the orders before the page."""
    sessions, counts = resources.postgres, resources.counts

    def list_orders(page: Page) -> list[OrderRead]:
        counts.count_request()
        month, day, before = _position(page)
        statement = orders_of_day(month, day).offset(before).limit(PAGE_SIZE)
        with sessions() as session:
            orders = session.scalars(statement).all()
        counts.events["rows"] += len(orders)
        return [OrderRead.model_validate(order) for order in orders]

    return list_orders


def cursor(resources: Resources) -> Handler:
    """After: the page begins after the last order of the previous page."""
    sessions, counts = resources.postgres, resources.counts

    def list_orders(page: Page) -> list[OrderRead]:
        counts.count_request()
        month, day, before = _position(page)
        # The id of the last order of the previous page, which a client would know.
        last = count_orders_before(month, day) + before
        statement = orders_of_day(month, day).where(Order.id > last)
        with sessions() as session:
            orders = session.scalars(statement.limit(PAGE_SIZE)).all()
        counts.events["rows"] += len(orders)
        return [OrderRead.model_validate(order) for order in orders]

    return list_orders


def deep_offset(resources: Resources) -> Handler:
    """Before, in a large data set: the database skips up to 200 000 orders."""
    sessions, counts = resources.postgres, resources.counts

    def list_orders(page: Page) -> list[OrderRead]:
        counts.count_request()
        month, day, before = _position(page)
        skipped = count_orders_before(month, day) + before
        statement = select(Order).order_by(Order.id)
        with sessions() as session:
            orders = session.scalars(statement.offset(skipped).limit(PAGE_SIZE)).all()
        counts.events["skipped"] += skipped
        return [OrderRead.model_validate(order) for order in orders]

    return list_orders


def deep_cursor(resources: Resources) -> Handler:
    """After, in a large data set: the index finds the beginning of the page."""
    sessions, counts = resources.postgres, resources.counts

    def list_orders(page: Page) -> list[OrderRead]:
        counts.count_request()
        month, day, before = _position(page)
        last = count_orders_before(month, day) + before
        statement = select(Order).order_by(Order.id).where(Order.id > last)
        with sessions() as session:
            orders = session.scalars(statement.limit(PAGE_SIZE)).all()
        counts.events["rows"] += len(orders)
        return [OrderRead.model_validate(order) for order in orders]

    return list_orders


_NEEDS = ("database_url",)
_ONE_PAGE = Guard({"psycopg query": 1, "rows": PAGE_SIZE})
PRACTICE = Practice(
    guide="Database Optimization > Pagination",
    variants={
        "unpaginated": Variant(
            unpaginated, Guard({"psycopg query": 1, "rows": ORDERS_PER_DAY}), _NEEDS
        ),
        "offset": Variant(offset, _ONE_PAGE, _NEEDS),
        "cursor": Variant(cursor, _ONE_PAGE, _NEEDS),
        "deep_offset": Variant(
            deep_offset,
            Guard({"psycopg query": 1}, at_least={"skipped": PAGE_SIZE}),
            _NEEDS,
        ),
        "deep_cursor": Variant(deep_cursor, _ONE_PAGE, _NEEDS),
    },
)
