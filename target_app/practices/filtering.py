"""Filtering in the database: the expensive returns among the 357 orders of a day.

The guide: "Implement database-level filtering".
"""

from typing import Annotated

from fastapi import Query

from target_app.core.counts import Guard
from target_app.core.database import Resources
from target_app.models import Order
from target_app.practices import Handler, Practice, Variant
from target_app.schemas import OrderRead
from target_app.services.orders import DAYS, ORDERS_PER_DAY, orders_of_day
from target_app.services.sales import MONTHS

STATUS = "returned"
MIN_CENTS = 40_000
Month = Annotated[int, Query(ge=0, lt=MONTHS, description="Months since the start")]
Day = Annotated[int, Query(ge=1, le=DAYS, description="Day of the month")]


def in_python(resources: Resources) -> Handler:
    """Before: all orders of the day are read, and most are discarded."""
    sessions, counts = resources.postgres, resources.counts

    def costly_returns(month: Month, day: Day) -> list[OrderRead]:
        counts.count_request()
        with sessions() as session:
            orders = session.scalars(orders_of_day(month, day)).all()
        counts.events["rows"] += len(orders)
        matching = [
            order
            for order in orders
            if order.status == STATUS and order.total_cents >= MIN_CENTS
        ]
        return [OrderRead.model_validate(order) for order in matching]

    return costly_returns


def in_database(resources: Resources) -> Handler:
    """After: the database returns only the matching orders."""
    sessions, counts = resources.postgres, resources.counts

    def costly_returns(month: Month, day: Day) -> list[OrderRead]:
        counts.count_request()
        statement = orders_of_day(month, day).where(
            Order.status == STATUS, Order.total_cents >= MIN_CENTS
        )
        with sessions() as session:
            orders = session.scalars(statement).all()
        counts.events["rows"] += len(orders)
        return [OrderRead.model_validate(order) for order in orders]

    return costly_returns


_NEEDS = ("database_url",)
PRACTICE = Practice(
    guide="Database Optimization > Optimizing SQLAlchemy",
    variants={
        "in_python": Variant(
            in_python, Guard({"psycopg query": 1, "rows": ORDERS_PER_DAY}), _NEEDS
        ),
        "in_database": Variant(
            in_database,
            Guard({"psycopg query": 1}, at_most={"rows": ORDERS_PER_DAY / 4}),
            _NEEDS,
        ),
    },
)
