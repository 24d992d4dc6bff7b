"""Limits on requests of a client and on failed logins, counted in Redis."""

import hashlib
import time

from redis.asyncio import Redis

from target_app.core.database import KEY_PREFIX
from target_app.core.errors import AppError

MINUTE = 60


class Limits:
    """Counts requests and logins; all processes of the service count together."""

    def __init__(
        self, store: Redis, per_minute: int, attempts: int, lockout: int
    ) -> None:
        """Set the limits.

        Args:
            store: The Redis client.
            per_minute: The most requests of one client in a minute.
            attempts: Failed logins after which an address is locked out.
            lockout: Seconds until failed logins are forgotten, counted from the first
                one.
        """
        self._store, self._per_minute = store, per_minute
        self._attempts, self._lockout = attempts, lockout

    async def count_request(self, client: str) -> None:
        """Count a request.

        Raises:
            AppError: 429; the client has made too many requests in this minute.
        """
        minute = int(time.time()) // MINUTE
        requests = await self._count(f"rate:{client}:{minute}", 2 * MINUTE)
        if requests > self._per_minute:
            wait = MINUTE - int(time.time()) % MINUTE
            raise AppError("Too many requests", 429, {"retry_after": wait})

    async def count_login(self, email: str) -> None:
        """Count a login as failed, before its password is checked.

        If it were counted afterwards, any number of simultaneous logins would pass.

        Raises:
            AppError: 429; too many logins of this address have failed.
        """
        key = self._login_key(email)
        if await self._count(key.removeprefix(KEY_PREFIX), self._lockout) > (
            self._attempts
        ):
            wait = max(1, await self._store.ttl(key))
            raise AppError("Too many failed logins", 429, {"retry_after": wait})

    async def reset_logins(self, email: str) -> None:
        """Forget the failed logins of an address."""
        await self._store.delete(self._login_key(email))

    async def _count(self, name: str, seconds: int) -> int:
        key = f"{KEY_PREFIX}{name}"
        async with self._store.pipeline(transaction=True) as pipeline:
            pipeline.incr(key)
            # Only the first count sets the expiry; later counts do not prolong it.
            pipeline.expire(key, seconds, nx=True)
            count, _ = await pipeline.execute()
        return int(count)

    def _login_key(self, email: str) -> str:
        # Hashed, because addresses are personal and can contain any text.
        return f"{KEY_PREFIX}login:{hashlib.sha256(email.encode()).hexdigest()}"
