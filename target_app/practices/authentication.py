"""Authentication: who asks? Six ways to know it, for each request.

The guide: "Implemented JWT-based authentication with proper key rotation"; "Used
asynchronous processing for token validation"; "Reduced authentication latency by 60%".
`GET …/token?user_id=3` gives the credentials that each way wants to see.
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
from target_app.schemas.errors import problems
from target_app.services.users import session_token

PASSWORD = "Correct-horse-1"  # of everybody, since only its cost matters here
SECONDS, MOST = 3600, 10_000  # a token's life, and how many are remembered
UserId = Annotated[int, Query(ge=1, le=40_000, description="Whose credentials")]
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
Credentials = Annotated[str, Header(alias="authorization")]


class Token(BaseModel):
    """What to send as the header `Authorization`."""

    authorization: str


class Known(BaseModel):
    """Who asked."""

    user_id: int


Tell = Callable[[int], str]
Ask = Callable[[str], Awaitable[int]]


def _served(resources: Resources, tell: Tell, ask: Ask) -> Served:
    async def token(user_id: UserId) -> Token:
        return Token(authorization=f"Bearer {tell(user_id)}")

    async def me(authorization: Credentials = "") -> Known:
        resources.counts.request()
        kind, _, credentials = authorization.partition(" ")
        if kind != "Bearer":
            raise AppError("Not authenticated", 401)
        return Known(user_id=await ask(credentials))

    return Served(me, {"responses": problems(401)}, beside={"token": token})


def _refused() -> AppError:
    return AppError("Not authenticated", 401)


def password(resources: Resources) -> Served:
    """Before: name and password with each request, hashed in a thread."""
    counts = resources.counts
    hashes: list[str] = []

    async def ask(credentials: str) -> int:
        name, _, given = credentials.partition(":")
        if not hashes:
            hashes.append(await asyncio.to_thread(security.hashed, PASSWORD))
        counts.events["password"] += 1
        fits = await asyncio.to_thread(security.matches, hashes[0], given)
        if not (fits and _NUMBER.fullmatch(name)):
            raise _refused()
        return int(name)

    return _served(resources, lambda user: f"{user}:{PASSWORD}", ask)


def session_database(resources: Resources) -> Served:
    """Before: a session, looked up in the database."""
    sessions = resources.postgres_async

    async def ask(credentials: str) -> int:
        statement = select(Login.user_id).where(Login.token == credentials)
        async with sessions() as session:
            user = await session.scalar(statement)
        if user is None:
            raise _refused()
        return user

    return _served(resources, session_token, ask)


def session_redis(resources: Resources) -> Served:
    """After: a session, looked up in Redis."""
    counts, store, writer = resources.counts, resources.redis_async, resources.redis

    def tell(user: int) -> str:
        token = session_token(user)
        writer.set(f"{KEY_PREFIX}session:{token}", user, ex=SECONDS)
        return token

    async def ask(credentials: str) -> int:
        counts.events["asked Redis"] += 1
        user = await store.get(f"{KEY_PREFIX}session:{credentials}")
        if user is None:
            raise _refused()
        return int(user)

    return _served(resources, tell, ask)


def jwt(resources: Resources) -> Served:
    """After: a signed token, which is verified and looked up nowhere."""
    counts, ring = resources.counts, _ring()

    async def ask(credentials: str) -> int:
        counts.events["verified"] += 1
        return int(ring.verified(credentials)["sub"])

    return _served(resources, lambda user: ring.signed(str(user), SECONDS), ask)


def jwt_cached(resources: Resources) -> Served:
    """After: what was verified once is remembered until the token expires."""
    counts, ring = resources.counts, _ring()
    known: dict[str, tuple[float, int]] = {}

    async def ask(credentials: str) -> int:
        expiry, user = known.get(credentials, (0.0, 0))
        if time.time() < expiry:
            counts.events["remembered"] += 1
            return user
        found = ring.verified(credentials)
        if len(known) >= MOST:
            known.clear()
        known[credentials] = float(found["exp"]), int(found["sub"])
        return int(found["sub"])

    return _served(resources, lambda user: ring.signed(str(user), SECONDS), ask)


def jwt_thread(resources: Resources) -> Served:
    """As the guide has it, "asynchronous processing for token validation"."""
    counts, ring = resources.counts, _ring()

    async def ask(credentials: str) -> int:
        counts.events["verified in a thread"] += 1
        found = await asyncio.to_thread(ring.verified, credentials)
        return int(found["sub"])

    return _served(resources, lambda user: ring.signed(str(user), SECONDS), ask)


def _ring() -> security.KeyRing:
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
