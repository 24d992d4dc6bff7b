"""Statements on orders and invoices that several practices use."""

import math
from datetime import timedelta

from sqlalchemy import Select, select

from target_app.models import Invoice, Order
from target_app.services.sales import first_day

PAGE_SIZE = 100
ORDERS_PER_MONTH = 10_000
DAYS = 28  # orders are placed on the first days of a month only
ORDERS_PER_DAY = ORDERS_PER_MONTH / DAYS
ORDER_COUNT = 200_000
INVOICE_COUNT = 100_000


def invoice_number(order: int) -> str:
    """Return the number of an order's invoice."""
    # Scattered, so that neighbours in the table are not neighbours in the index.
    return f"INV-{order * 2_654_435_761 % 2**32:010d}"


def count_orders_before(month: int, day: int) -> int:
    """Return the number of orders before a day: the highest id among these orders.

    Months are counted from 0, days from 1.
    """
    in_month = math.ceil((day - 1) * ORDERS_PER_MONTH / DAYS)
    return month * ORDERS_PER_MONTH + in_month


def orders_of_day(month: int, day: int) -> Select[Order]:
    """Return the statement that reads all orders of a day, sorted by id."""
    placed_on = first_day(month) + timedelta(days=day - 1)
    return select(Order).where(Order.placed_on == placed_on).order_by(Order.id)


def invoices() -> Select[Invoice]:
    """Return the statement that reads invoices."""
    return select(Invoice)
