"""Tokens in the database: refresh tokens and opaque access tokens.

All tokens that follow from one login are a family. A refresh token is used once, and
replaced by a new one of the same family. If a token is used twice, it may have been
stolen, and its whole family is revoked. Without the feature `jwt`, access tokens are
opaque: random texts that are looked up on each use.
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
    """An issued refresh token, with its account."""

    token: str
    account_id: int
    family: str


def digest(token: str) -> str:
    """Return the hash of a token; only hashes are stored, so tokens cannot leak."""
    return hashlib.sha256(token.encode()).hexdigest()


def issue(
    session: Session, account_id: int, seconds: float, family: str | None = None
) -> Issued:
    """Issue a refresh token, in a new family if none is given."""
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
    """Replace a refresh token with a new one.

    Returns:
        The new token; None if the old one is not valid. A token that was used before
        revokes its family. No exception is raised in this case, because it would roll
        back the revocation.
    """
    statement = select(RefreshToken).where(RefreshToken.token_hash == digest(token))
    stored = session.scalar(statement.with_for_update())
    if stored is None:
        return None
    account = session.get(Account, stored.account_id)
    if stored.used_at or stored.revoked_at:
        revoke(session, stored.family)
        return None
    if stored.expires_at <= _now() or account is None or not account.is_active:
        return None
    stored.used_at = _now()
    return issue(session, stored.account_id, seconds, stored.family)


def family_of(session: Session, token: str) -> str | None:
    """Return the family of a refresh token; None if the token is unknown."""
    return session.scalar(
        select(RefreshToken.family).where(RefreshToken.token_hash == digest(token))
    )


def revoke(session: Session, family: str) -> None:
    """Revoke the refresh tokens and opaque access tokens of a family."""
    session.execute(
        update(RefreshToken)
        .where(RefreshToken.family == family, RefreshToken.revoked_at.is_(None))
        .values(revoked_at=_now())
    )
    session.execute(delete(AccessSession).where(AccessSession.family == family))


def open_session(session: Session, account_id: int, family: str, seconds: float) -> str:
    """Issue an opaque access token."""
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


def account_of_session(session: Session, token: str) -> int:
    """Return the id of the account that an opaque access token belongs to.

    Raises:
        AppError: 401; the token is unknown, revoked or expired.
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
