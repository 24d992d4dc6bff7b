"""Limits on Redis: how often a client may ask, and how often a login may fail."""

import hashlib
import time

from redis.asyncio import Redis

from target_app.core.database import KEY_PREFIX
from target_app.core.errors import AppError

MINUTE = 60


class Limits:
    """Counts what clients do; all processes of the service count together."""

    def __init__(
        self, store: Redis, per_minute: int, attempts: int, lockout: int
    ) -> None:
        """Take the limits.

        Args:
            store: Where it is counted.
            per_minute: Requests of one client.
            attempts: Failures of one address, after which it is locked out.
            lockout: Seconds for which it is.
        """
        self._store, self._per_minute = store, per_minute
        self._attempts, self._lockout = attempts, lockout

    async def request(self, client: str) -> None:
        """Count a request.

        Raises:
            AppError: 429; the client has made too many in this minute.
        """
        minute = int(time.time()) // MINUTE
        asked = await self._count(f"rate:{client}:{minute}", 2 * MINUTE)
        if asked > self._per_minute:
            wait = MINUTE - int(time.time()) % MINUTE
            raise AppError("Too many requests", 429, {"retry_after": wait})

    async def try_login(self, email: str) -> None:
        """Count a login as failed, before anybody knows whether it is.

        Counted afterwards, any number of them at once would be let through.

        Raises:
            AppError: 429; too many failed already.
        """
        key = self._login(email)
        if await self._count(key.removeprefix(KEY_PREFIX), self._lockout) > (
            self._attempts
        ):
            wait = max(1, await self._store.ttl(key))
            raise AppError("Too many failed logins", 429, {"retry_after": wait})

    async def logged_in(self, email: str) -> None:
        """Forget what failed before."""
        await self._store.delete(self._login(email))

    async def _count(self, name: str, seconds: int) -> int:
        key = f"{KEY_PREFIX}{name}"
        async with self._store.pipeline(transaction=True) as pipeline:
            pipeline.incr(key)
            # From the first on: whoever goes on trying must not lock out for ever.
            pipeline.expire(key, seconds, nx=True)
            counted, _ = await pipeline.execute()
        return int(counted)

    def _login(self, email: str) -> str:
        # Hashed: addresses are nobody else's business, and can be any text.
        return f"{KEY_PREFIX}login:{hashlib.sha256(email.encode()).hexdigest()}"
