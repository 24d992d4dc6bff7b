"""Logging in and out: pairs of tokens, of which the second renews the first."""

from typing import Annotated

from fastapi import APIRouter, Body
from starlette.concurrency import run_in_threadpool

from target_app.api.v1.dependencies import TheShop
from target_app.core import security
from target_app.core.errors import AppError
from target_app.core.shop import Shop
from target_app.schemas.errors import BODY, problems
from target_app.schemas.shop import LoginForm, RefreshForm, Tokens
from target_app.services import accounts, tokens
from target_app.services.tokens import Issued

router = APIRouter(prefix="/auth", tags=["auth"])
# Checked when there is no such account, so that nobody learns that from the time.
_NOBODY = security.hashed("Nobody-has-this-1")


@router.post("/login", summary="Log in", responses=problems(401, *BODY))
async def login(form: Annotated[LoginForm, Body()], shop: TheShop) -> Tokens:
    """Return a pair of tokens; after some failures the address is locked out."""
    await shop.limits.try_login(form.email)
    account = await shop.database.run(accounts.by_email, form.email)
    known = account.password_hash if account else _NOBODY
    # Hashing takes long, on purpose, and lets go of the interpreter's lock.
    fits = await run_in_threadpool(security.matches, known, form.password)
    if not (fits and account and account.is_active):
        raise AppError("Wrong address or password", 401)
    await shop.limits.logged_in(form.email)
    issued = await shop.database.run(
        tokens.issue, account.id, shop.settings.refresh_seconds
    )
    return await _pair(shop, issued)


@router.post("/refresh", summary="Renew the tokens", responses=problems(401, *BODY))
async def refresh(form: Annotated[RefreshForm, Body()], shop: TheShop) -> Tokens:
    """Return a new pair; a refresh token that comes twice ends its whole family."""
    issued = await shop.database.run(
        tokens.rotate, form.refresh_token, shop.settings.refresh_seconds
    )
    if issued is None:
        family = await shop.database.run(tokens.family_of, form.refresh_token)
        if family:
            await _block(shop, family)
        raise AppError("Not authenticated", 401)
    return await _pair(shop, issued)


@router.post("/logout", summary="Log out", status_code=204, responses=problems(*BODY))
async def logout(form: Annotated[RefreshForm, Body()], shop: TheShop) -> None:
    """End the family of a refresh token, and its access tokens with it."""
    family = await shop.database.run(tokens.family_of, form.refresh_token)
    if family:
        await shop.database.run(tokens.revoke, family)
        await _block(shop, family)


async def _pair(shop: Shop, issued: Issued) -> Tokens:
    seconds = shop.settings.access_seconds
    if "jwt" in shop.features:
        access = shop.keys.signed(
            str(issued.account_id), seconds, use="access", fam=issued.family
        )
    else:
        access = await shop.database.run(
            tokens.open_session, issued.account_id, issued.family, seconds
        )
    return Tokens(access_token=access, refresh_token=issued.token, expires_in=seconds)


async def _block(shop: Shop, family: str) -> None:
    """Have signed access tokens of a family refused until they expire by themselves."""
    key = f"assay:revoked:{family}"
    await shop.redis.set(key, 1, ex=shop.settings.access_seconds)
