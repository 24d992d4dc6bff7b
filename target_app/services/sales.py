"""The sales of a month: an aggregate over its 10 000 orders."""

from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from target_app.models import Order
from target_app.schemas import MonthSales, StatusSales

FIRST_YEAR = 2024
MONTHS = 20


def first_day(month: int) -> date:
    """Return the first day of a month; month 0 is January 2024."""
    return date(FIRST_YEAR + month // 12, month % 12 + 1, 1)


def load_sales(session: Session, month: int) -> MonthSales:
    """Add up the orders of one month by status, in one query."""
    statement = (
        select(
            Order.status,
            func.count().label("orders"),
            func.sum(Order.total_cents).label("total_cents"),
        )
        .where(Order.placed_on >= first_day(month))
        .where(Order.placed_on < first_day(month + 1))
        .group_by(Order.status)
        .order_by(Order.status)
    )
    rows = session.execute(statement)
    sales = [StatusSales.model_validate(row) for row in rows]
    return MonthSales(month=month, sales=sales)
