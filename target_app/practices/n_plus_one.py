"""The N+1 query problem: a page of users, each with all their orders.

The guide: "Executing one database query to fetch a list, then one query per
item"; "Use joinedload or subquery load with SQLAlchemy".
"""

from typing import Annotated

from fastapi import Query
from sqlalchemy.orm import joinedload, selectinload

from target_app.core.counts import Guard
from target_app.core.database import Resources
from target_app.models import User
from target_app.practices import Handler, Practice, Variant
from target_app.schemas import UserOrders
from target_app.services.users import PAGE_SIZE, page_of_users

Page = Annotated[int, Query(ge=0, lt=100_000, description="The first page is 0")]


def lazy(resources: Resources) -> Handler:
    """Before: each user's orders are loaded when they are first accessed."""
    sessions = resources.postgres

    def list_users(page: Page) -> list[UserOrders]:
        resources.counts.count_request()
        with sessions() as session:
            users = session.scalars(page_of_users(page))
            return [UserOrders.model_validate(user) for user in users]

    return list_users


def selectin(resources: Resources) -> Handler:
    """After: a second query loads the orders of all users."""
    sessions = resources.postgres

    def list_users(page: Page) -> list[UserOrders]:
        resources.counts.count_request()
        with sessions() as session:
            statement = page_of_users(page).options(selectinload(User.orders))
            users = session.scalars(statement)
            return [UserOrders.model_validate(user) for user in users]

    return list_users


def joined(resources: Resources) -> Handler:
    """After: one query loads users and orders."""
    sessions = resources.postgres

    def list_users(page: Page) -> list[UserOrders]:
        resources.counts.count_request()
        with sessions() as session:
            statement = page_of_users(page).options(joinedload(User.orders))
            users = session.scalars(statement).unique()
            return [UserOrders.model_validate(user) for user in users]

    return list_users


_NEEDS = ("database_url",)
PRACTICE = Practice(
    guide="Common Pitfalls and Solutions > N+1 Query Problem",
    variants={
        "lazy": Variant(lazy, Guard({"psycopg query": 1 + PAGE_SIZE}), _NEEDS),
        "selectin": Variant(selectin, Guard({"psycopg query": 2}), _NEEDS),
        "joined": Variant(joined, Guard({"psycopg query": 1}), _NEEDS),
    },
)
