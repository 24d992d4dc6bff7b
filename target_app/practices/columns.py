"""Selecting only needed columns: the answer has three columns of 100 users.

The guide: "Select only needed columns".
"""

from typing import Annotated

from fastapi import Query
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import load_only

from target_app.core.counts import Guard
from target_app.core.database import Resources
from target_app.models import User
from target_app.practices import Handler, Practice, Variant
from target_app.schemas import Contact

PAGE_SIZE = 100
Page = Annotated[int, Query(ge=0, lt=400, description="The first page is 0")]


def entities(resources: Resources) -> Handler:
    """Before: objects of the mapped class, with all columns."""
    sessions, counts = resources.postgres, resources.counts

    def list_contacts(page: Page) -> list[Contact]:
        counts.count_request()
        statement = select(User).where(_on_page(page)).order_by(User.id)
        with sessions() as session:
            users = session.scalars(statement).all()
            counts.events["columns"] += len(vars(users[0])) - 1
            return [Contact.model_validate(user) for user in users]

    return list_contacts


def only(resources: Resources) -> Handler:
    """After: objects of the mapped class, with three columns."""
    sessions, counts = resources.postgres, resources.counts

    def list_contacts(page: Page) -> list[Contact]:
        counts.count_request()
        three_columns = load_only(User.id, User.email, User.full_name)
        users_on_page = select(User).where(_on_page(page)).order_by(User.id)
        statement = users_on_page.options(three_columns)
        with sessions() as session:
            users = session.scalars(statement).all()
            counts.events["columns"] += len(vars(users[0])) - 1
            return [Contact.model_validate(user) for user in users]

    return list_contacts


def core(resources: Resources) -> Handler:
    """After: rows of three columns, without objects of the mapped class."""
    sessions, counts = resources.postgres, resources.counts

    def list_contacts(page: Page) -> list[Contact]:
        counts.count_request()
        statement = (
            select(User.id, User.email, User.full_name)
            .where(_on_page(page))
            .order_by(User.id)
        )
        with sessions() as session:
            rows = session.execute(statement).all()
            counts.events["columns"] += len(rows[0])
            counts.events["plain rows"] += 1
            return [Contact.model_validate(row) for row in rows]

    return list_contacts


def _on_page(page: int) -> ColumnElement[bool]:
    return User.id.between(page * PAGE_SIZE + 1, (page + 1) * PAGE_SIZE)


_NEEDS = ("database_url",)
_COLUMNS = len(User.__table__.columns)
PRACTICE = Practice(
    guide="Database Optimization > Optimizing SQLAlchemy",
    variants={
        "entities": Variant(
            entities, Guard({"psycopg query": 1, "columns": _COLUMNS}), _NEEDS
        ),
        "only": Variant(only, Guard({"psycopg query": 1, "columns": 3}), _NEEDS),
        "core": Variant(
            core, Guard({"psycopg query": 1, "columns": 3, "plain rows": 1}), _NEEDS
        ),
    },
)
