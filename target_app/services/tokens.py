"""Tokens in the database: refresh tokens, and access tokens as they used to be.

A refresh token is used once and replaced by another of its family. If one comes a
second time, somebody has stolen it: the whole family ends.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from target_app.core.errors import AppError
from target_app.models.shop import AccessSession, Account, RefreshToken


@dataclass(frozen=True)
class Issued:
    """A refresh token that was handed out, and whose it is."""

    token: str
    account_id: int
    family: str


def digest(token: str) -> str:
    """Return what is kept of a token: whoever reads the table cannot use it."""
    return hashlib.sha256(token.encode()).hexdigest()


def issue(
    session: Session, account_id: int, seconds: float, family: str | None = None
) -> Issued:
    """Hand out a refresh token."""
    token, family = secrets.token_urlsafe(32), family or secrets.token_urlsafe(16)
    session.add(
        RefreshToken(
            token_hash=digest(token),
            account_id=account_id,
            family=family,
            expires_at=_now() + timedelta(seconds=seconds),
        )
    )
    session.flush()
    return Issued(token, account_id, family)


def rotate(session: Session, token: str, seconds: float) -> Issued | None:
    """Replace a refresh token by a new one.

    Returns:
        The new one; None if the old one must not be used (any more). Then its family
        has ended, which has to be kept: so this raises nothing.
    """
    statement = select(RefreshToken).where(RefreshToken.token_hash == digest(token))
    known = session.scalar(statement.with_for_update())
    if known is None:
        return None
    account = session.get(Account, known.account_id)
    if known.used_at or known.revoked_at:
        revoke(session, known.family)
        return None
    if known.expires_at <= _now() or account is None or not account.is_active:
        return None
    known.used_at = _now()
    return issue(session, known.account_id, seconds, known.family)


def family_of(session: Session, token: str) -> str | None:
    """Return the family of a refresh token."""
    return session.scalar(
        select(RefreshToken.family).where(RefreshToken.token_hash == digest(token))
    )


def revoke(session: Session, family: str) -> None:
    """End a family: none of its tokens is good for anything any more."""
    session.execute(
        update(RefreshToken)
        .where(RefreshToken.family == family, RefreshToken.revoked_at.is_(None))
        .values(revoked_at=_now())
    )
    session.execute(delete(AccessSession).where(AccessSession.family == family))


def open_session(session: Session, account_id: int, family: str, seconds: float) -> str:
    """Hand out an access token as it used to be: a word that is looked up."""
    token = secrets.token_urlsafe(32)
    session.add(
        AccessSession(
            token_hash=digest(token),
            account_id=account_id,
            family=family,
            expires_at=_now() + timedelta(seconds=seconds),
        )
    )
    session.flush()
    return token


def of_session(session: Session, token: str) -> int:
    """Return whose access token that is.

    Raises:
        AppError: 401; nobody's, or it has expired.
    """
    account_id = session.scalar(
        select(AccessSession.account_id).where(
            AccessSession.token_hash == digest(token),
            AccessSession.expires_at > _now(),
        )
    )
    if account_id is None:
        raise AppError("Not authenticated", 401)
    return account_id


def _now() -> datetime:
    return datetime.now(UTC)
