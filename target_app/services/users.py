"""Users: the statements, and how a row becomes an answer."""

import hashlib

from sqlalchemy import Select, select

from target_app.core.errors import AppError
from target_app.models import User
from target_app.schemas import UserRead

PAGE_SIZE = 5
LAST_ID = 2**31 - 1  # that a column of integers can hold


def session_token(user_id: int) -> str:
    """Return the token of a user's login, as the seed makes it: no secret at all."""
    return hashlib.sha1(f"login {user_id}".encode(), usedforsecurity=False).hexdigest()


def one_user(user_id: int) -> Select[User]:
    """Return the statement that reads one user."""
    return select(User).where(User.id == user_id)


def page_of_users(page: int) -> Select[User]:
    """Return the statement that reads a page of users, the first being 0."""
    first = page * PAGE_SIZE + 1
    return (
        select(User)
        .where(User.id.between(first, first + PAGE_SIZE - 1))
        .order_by(User.id)
    )


def found(user: User | None) -> UserRead:
    """Return the user as it is answered.

    Raises:
        AppError: There is none.
    """
    if user is None:
        raise AppError("User not found", 404)
    return UserRead.model_validate(user)
