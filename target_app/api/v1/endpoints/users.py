"""Endpoints that create and list accounts, and read or change one's own."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Body
from starlette.concurrency import run_in_threadpool

from target_app.api.v1.dependencies import (
    DEFAULT_PAGE_SIZE,
    AccountIdDep,
    After,
    Limit,
    ShopDep,
)
from target_app.core import security
from target_app.schemas.errors import BODY_ERRORS, error_responses
from target_app.schemas.shop import AccountCreate, AccountRead, AccountUpdate, Page
from target_app.services import accounts

router = APIRouter(prefix="/users", tags=["users"])


@router.post(
    "", summary="Sign up", status_code=201, responses=error_responses(409, *BODY_ERRORS)
)
async def create_user(
    new: Annotated[AccountCreate, Body()], shop: ShopDep, tasks: BackgroundTasks
) -> AccountRead:
    """Create an account, and send a welcome mail to its address."""
    hash_ = await run_in_threadpool(security.hash_password, new.password)
    account = await shop.database.run(accounts.create, new.email, new.full_name, hash_)
    await shop.mailer.send(account.email, "Welcome", tasks)
    return account


@router.get("", summary="List users", responses=error_responses(401))
async def list_users(
    shop: ShopDep, me: AccountIdDep, after: After = 0, limit: Limit = DEFAULT_PAGE_SIZE
) -> Page[AccountRead]:
    """Return a page of accounts, sorted by id."""
    rows = await shop.database.run(accounts.list_page, after, limit)
    return Page(rows=rows, next=rows[-1].id if len(rows) == limit else None)


@router.get("/me", summary="Read one's own account", responses=error_responses(401))
async def read_me(shop: ShopDep, me: AccountIdDep) -> AccountRead:
    """Return the account that sent the request."""
    return await shop.database.run(accounts.by_id, me)


@router.patch(
    "/me",
    summary="Change one's own account",
    responses=error_responses(401, *BODY_ERRORS),
)
async def update_me(
    changes: Annotated[AccountUpdate, Body()], shop: ShopDep, me: AccountIdDep
) -> AccountRead:
    """Change the given fields; the others stay as they are."""
    return await shop.database.run(accounts.update, me, changes)
