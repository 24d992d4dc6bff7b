"""Authentication: six ways to identify the user of each request.

The guide: "Implemented JWT-based authentication with proper key rotation"; "Used
asynchronous processing for token validation"; "Reduced authentication latency by 60%".
`GET …/token?user_id=3` returns the credentials that a variant expects.
"""

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Header, Query
from pydantic import BaseModel
from sqlalchemy import select

from target_app.core import security
from target_app.core.counts import Guard
from target_app.core.database import KEY_PREFIX, Resources
from target_app.core.errors import AppError
from target_app.models import Login
from target_app.practices import Practice, Served, Variant
from target_app.schemas.errors import error_responses
from target_app.services.users import session_token

PASSWORD = "Correct-horse-1"  # the same for all users: only the cost matters
TOKEN_SECONDS = 3600
MAX_CACHED_TOKENS = 10_000
UserId = Annotated[int, Query(ge=1, le=40_000, description="The user to log in")]
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
Credentials = Annotated[str, Header(alias="authorization")]


class Token(BaseModel):
    """The value of the header `Authorization`."""

    authorization: str


class CurrentUser(BaseModel):
    """The user that sent the request."""

    user_id: int


Issue = Callable[[int], str]  # user id to credentials
Authenticate = Callable[[str], Awaitable[int]]  # credentials to user id


def _served(resources: Resources, issue: Issue, authenticate: Authenticate) -> Served:
    async def token(user_id: UserId) -> Token:
        return Token(authorization=f"Bearer {issue(user_id)}")

    async def me(authorization: Credentials = "") -> CurrentUser:
        resources.counts.count_request()
        kind, _, credentials = authorization.partition(" ")
        if kind != "Bearer":
            raise AppError("Not authenticated", 401)
        return CurrentUser(user_id=await authenticate(credentials))

    return Served(
        me, {"responses": error_responses(401)}, extra_handlers={"token": token}
    )


def _refused() -> AppError:
    return AppError("Not authenticated", 401)


def password(resources: Resources) -> Served:
    """Before: each request has a name and a password, which is hashed in a thread."""
    counts = resources.counts
    hashes: list[str] = []

    async def authenticate(credentials: str) -> int:
        name, _, password_ = credentials.partition(":")
        if not hashes:
            hashes.append(await asyncio.to_thread(security.hash_password, PASSWORD))
        counts.events["password"] += 1
        correct = await asyncio.to_thread(
            security.verify_password, hashes[0], password_
        )
        if not (correct and _NUMBER.fullmatch(name)):
            raise _refused()
        return int(name)

    return _served(resources, lambda user: f"{user}:{PASSWORD}", authenticate)


def session_database(resources: Resources) -> Served:
    """Before: a session that is looked up in the database."""
    sessions = resources.postgres_async

    async def authenticate(credentials: str) -> int:
        statement = select(Login.user_id).where(Login.token == credentials)
        async with sessions() as session:
            user = await session.scalar(statement)
        if user is None:
            raise _refused()
        return user

    return _served(resources, session_token, authenticate)


def session_redis(resources: Resources) -> Served:
    """After: a session that is looked up in Redis."""
    counts, store, writer = resources.counts, resources.redis_async, resources.redis

    def issue(user: int) -> str:
        token = session_token(user)
        writer.set(f"{KEY_PREFIX}session:{token}", user, ex=TOKEN_SECONDS)
        return token

    async def authenticate(credentials: str) -> int:
        counts.events["asked Redis"] += 1
        user = await store.get(f"{KEY_PREFIX}session:{credentials}")
        if user is None:
            raise _refused()
        return int(user)

    return _served(resources, issue, authenticate)


def jwt(resources: Resources) -> Served:
    """After: a signed token, which is verified without a lookup."""
    counts, ring = resources.counts, _key_ring()

    async def authenticate(credentials: str) -> int:
        counts.events["verified"] += 1
        return int(ring.verify(credentials)["sub"])

    return _served(
        resources, lambda user: ring.sign(str(user), TOKEN_SECONDS), authenticate
    )


def jwt_cached(resources: Resources) -> Served:
    """After: a verified token is cached until it expires."""
    counts, ring = resources.counts, _key_ring()
    cached: dict[str, tuple[float, int]] = {}

    async def authenticate(credentials: str) -> int:
        expiry, user = cached.get(credentials, (0.0, 0))
        if time.time() < expiry:
            counts.events["remembered"] += 1
            return user
        claims = ring.verify(credentials)
        if len(cached) >= MAX_CACHED_TOKENS:
            cached.clear()
        cached[credentials] = float(claims["exp"]), int(claims["sub"])
        return int(claims["sub"])

    return _served(
        resources, lambda user: ring.sign(str(user), TOKEN_SECONDS), authenticate
    )


def jwt_thread(resources: Resources) -> Served:
    """After, as in the guide ("asynchronous processing"): verified in a thread."""
    counts, ring = resources.counts, _key_ring()

    async def authenticate(credentials: str) -> int:
        counts.events["verified in a thread"] += 1
        claims = await asyncio.to_thread(ring.verify, credentials)
        return int(claims["sub"])

    return _served(
        resources, lambda user: ring.sign(str(user), TOKEN_SECONDS), authenticate
    )


def _key_ring() -> security.KeyRing:
    keys = {"old": secrets.token_hex(32), "new": secrets.token_hex(32)}
    return security.KeyRing(keys, "new")


PRACTICE = Practice(
    guide="Case Studies > Authentication Service Rewrite",
    variants={
        "password": Variant(password, Guard({"password": 1})),
        "session_database": Variant(
            session_database, Guard({"asyncpg query": 1}), ("database_url",)
        ),
        "session_redis": Variant(
            session_redis, Guard({"asked Redis": 1}), ("redis_url",)
        ),
        "jwt": Variant(jwt, Guard({"verified": 1})),
        "jwt_cached": Variant(jwt_cached, Guard(at_least={"remembered": 0.5})),
        "jwt_thread": Variant(jwt_thread, Guard({"verified in a thread": 1})),
    },
)
