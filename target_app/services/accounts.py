"""Units of work that read, create and change accounts."""

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from target_app.core.errors import AppError
from target_app.models.shop import Account
from target_app.schemas.shop import AccountRead, AccountUpdate


def by_email(session: Session, email: str) -> Account | None:
    """Return the account with an address, if there is one."""
    return session.scalar(select(Account).where(Account.email == email))


def by_id(session: Session, account_id: int) -> AccountRead:
    """Return an account.

    Raises:
        AppError: 401; the account was deleted, or is not active.
    """
    account = session.get(Account, account_id)
    if account is None or not account.is_active:
        raise AppError("Not authenticated", 401)
    return AccountRead.model_validate(account)


def create(
    session: Session, email: str, full_name: str, password_hash: str
) -> AccountRead:
    """Create an account.

    Raises:
        AppError: 409; there is an account with this address.
    """
    account = Account(email=email, full_name=full_name, password_hash=password_hash)
    session.add(account)
    try:
        session.flush()
    except IntegrityError as error:
        raise AppError("This address has an account already", 409) from error
    session.refresh(account)
    return AccountRead.model_validate(account)


def update(session: Session, account_id: int, changes: AccountUpdate) -> AccountRead:
    """Change the given fields of an account.

    Raises:
        AppError: 401; the account was deleted.
    """
    account = session.get(Account, account_id)
    if account is None:
        raise AppError("Not authenticated", 401)
    for name, value in changes.model_dump(exclude_none=True).items():
        setattr(account, name, value)
    session.flush()
    return AccountRead.model_validate(account)


def list_page(session: Session, after: int, limit: int) -> list[AccountRead]:
    """Return a page of accounts whose ids are greater than `after`."""
    statement = select(Account).where(Account.id > after).order_by(Account.id)
    accounts = session.scalars(statement.limit(limit))
    return [AccountRead.model_validate(account) for account in accounts]
