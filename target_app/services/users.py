"""Statements on users that several practices use."""

import hashlib

from sqlalchemy import Select, select

from target_app.core.errors import AppError
from target_app.models import User
from target_app.schemas import UserRead

PAGE_SIZE = 5
MAX_ID = 2**31 - 1  # the largest value of an integer column


def session_token(user_id: int) -> str:
    """Return the token of a user's session in the table `logins`; it is not secret."""
    return hashlib.sha1(f"login {user_id}".encode(), usedforsecurity=False).hexdigest()


def one_user(user_id: int) -> Select[User]:
    """Return the statement that reads one user."""
    return select(User).where(User.id == user_id)


def page_of_users(page: int) -> Select[User]:
    """Return the statement that reads a page of users; the first page is 0."""
    first = page * PAGE_SIZE + 1
    return (
        select(User)
        .where(User.id.between(first, first + PAGE_SIZE - 1))
        .order_by(User.id)
    )


def user_or_404(user: User | None) -> UserRead:
    """Return the body of the answer for a user.

    Raises:
        AppError: 404; there is no such user.
    """
    if user is None:
        raise AppError("User not found", 404)
    return UserRead.model_validate(user)
