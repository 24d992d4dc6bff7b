"""Accounts: signing up, and what their owners see of them."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Body
from starlette.concurrency import run_in_threadpool

from target_app.api.v1.dependencies import PAGE, AccountId, After, Limit, TheShop
from target_app.core import security
from target_app.schemas.errors import BODY, problems
from target_app.schemas.shop import AccountCreate, AccountRead, AccountUpdate, Page
from target_app.services import accounts

router = APIRouter(prefix="/users", tags=["users"])


@router.post("", summary="Sign up", status_code=201, responses=problems(409, *BODY))
async def create_user(
    new: Annotated[AccountCreate, Body()], shop: TheShop, tasks: BackgroundTasks
) -> AccountRead:
    """Make an account, and send a welcome to its address."""
    hash_ = await run_in_threadpool(security.hashed, new.password)
    account = await shop.database.run(accounts.create, new.email, new.full_name, hash_)
    await shop.mailer.send(account.email, "Welcome", tasks)
    return account


@router.get("", summary="List users", responses=problems(401))
async def list_users(
    shop: TheShop, me: AccountId, after: After = 0, limit: Limit = PAGE
) -> Page[AccountRead]:
    """Return a page of accounts, in the order of their ids."""
    rows = await shop.database.run(accounts.listed, after, limit)
    return Page(rows=rows, next=rows[-1].id if len(rows) == limit else None)


@router.get("/me", summary="Read one's own account", responses=problems(401))
async def read_me(shop: TheShop, me: AccountId) -> AccountRead:
    """Return the account of whoever asks."""
    return await shop.database.run(accounts.by_id, me)


@router.patch("/me", summary="Change one's own account", responses=problems(401, *BODY))
async def update_me(
    changes: Annotated[AccountUpdate, Body()], shop: TheShop, me: AccountId
) -> AccountRead:
    """Change what is given; the rest stays."""
    return await shop.database.run(accounts.update, me, changes)
