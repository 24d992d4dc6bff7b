"""Endpoints that log in, renew tokens and log out.

A pair of tokens is an access token and a refresh token. All tokens that follow from one
login are a family.
"""

from typing import Annotated

from fastapi import APIRouter, Body
from starlette.concurrency import run_in_threadpool

from target_app.api.v1.dependencies import ShopDep
from target_app.core import security
from target_app.core.errors import AppError
from target_app.core.shop import Shop
from target_app.schemas.errors import BODY_ERRORS, error_responses
from target_app.schemas.shop import LoginForm, RefreshForm, Tokens
from target_app.services import accounts, tokens
from target_app.services.tokens import Issued

router = APIRouter(prefix="/auth", tags=["auth"])
# This hash is verified if no account has the address. So the response time does not
# reveal which addresses have accounts.
_UNKNOWN_ACCOUNT_HASH = security.hash_password("Nobody-has-this-1")


@router.post("/login", summary="Log in", responses=error_responses(401, *BODY_ERRORS))
async def login(form: Annotated[LoginForm, Body()], shop: ShopDep) -> Tokens:
    """Return a pair of tokens; after several failures the address is locked out."""
    await shop.limits.count_login(form.email)
    account = await shop.database.run(accounts.by_email, form.email)
    hash_ = account.password_hash if account else _UNKNOWN_ACCOUNT_HASH
    # In a thread: hashing is slow on purpose, and it releases the GIL.
    correct = await run_in_threadpool(security.verify_password, hash_, form.password)
    if not (correct and account and account.is_active):
        raise AppError("Wrong address or password", 401)
    await shop.limits.reset_logins(form.email)
    issued = await shop.database.run(
        tokens.issue, account.id, shop.settings.refresh_seconds
    )
    return await _token_pair(shop, issued)


@router.post(
    "/refresh", summary="Renew the tokens", responses=error_responses(401, *BODY_ERRORS)
)
async def refresh(form: Annotated[RefreshForm, Body()], shop: ShopDep) -> Tokens:
    """Return a new pair of tokens.

    A refresh token that is used twice revokes its family: all tokens of the same login.
    """
    issued = await shop.database.run(
        tokens.rotate, form.refresh_token, shop.settings.refresh_seconds
    )
    if issued is None:
        family = await shop.database.run(tokens.family_of, form.refresh_token)
        if family:
            await _block_access_tokens(shop, family)
        raise AppError("Not authenticated", 401)
    return await _token_pair(shop, issued)


@router.post(
    "/logout",
    summary="Log out",
    status_code=204,
    responses=error_responses(*BODY_ERRORS),
)
async def logout(form: Annotated[RefreshForm, Body()], shop: ShopDep) -> None:
    """Revoke all tokens of the login that the refresh token belongs to."""
    family = await shop.database.run(tokens.family_of, form.refresh_token)
    if family:
        await shop.database.run(tokens.revoke, family)
        await _block_access_tokens(shop, family)


async def _token_pair(shop: Shop, issued: Issued) -> Tokens:
    seconds = shop.settings.access_seconds
    if "jwt" in shop.features:
        access = shop.keys.sign(
            str(issued.account_id), seconds, use="access", fam=issued.family
        )
    else:
        access = await shop.database.run(
            tokens.open_session, issued.account_id, issued.family, seconds
        )
    return Tokens(access_token=access, refresh_token=issued.token, expires_in=seconds)


async def _block_access_tokens(shop: Shop, family: str) -> None:
    """Refuse signed access tokens of a family until they have expired."""
    key = f"assay:revoked:{family}"
    await shop.redis.set(key, 1, ex=shop.settings.access_seconds)
