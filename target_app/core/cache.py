"""The shop's cache, in Redis, and a cache that does nothing."""

from collections.abc import Awaitable, Callable

from pydantic import BaseModel
from redis.asyncio import Redis

from target_app.core.database import KEY_PREFIX


class Cache:
    """Caches nothing, so that every request queries the database."""

    async def get_or_load[Model: BaseModel](  # noqa: D102 (it has a docstring)
        self, name: str, model: type[Model], load: Callable[[], Awaitable[Model]]
    ) -> Model:
        """Load the value of a name; a subclass may return its cached value."""
        return await load()

    async def invalidate(self, name: str) -> None:
        """Remove the cached value of a name."""


class RedisCache(Cache):
    """Caches answers in Redis, for all processes of the service."""

    def __init__(self, store: Redis, seconds: int) -> None:
        """Set the Redis client and the seconds until values expire."""
        self._store, self._seconds = store, seconds

    async def get_or_load[Model: BaseModel](  # noqa: D102 (it has a docstring)
        self, name: str, model: type[Model], load: Callable[[], Awaitable[Model]]
    ) -> Model:
        """Return the cached value of a name, or load it and cache it."""
        key = f"{KEY_PREFIX}{name}"
        if (cached := await self._store.get(key)) is not None:
            return model.model_validate_json(cached)
        loaded = await load()
        await self._store.set(key, loaded.model_dump_json(), ex=self._seconds)
        return loaded

    async def invalidate(self, name: str) -> None:
        """Remove the cached value of a name."""
        await self._store.delete(f"{KEY_PREFIX}{name}")
