"""A cache of what is read often: in Redis, or none."""

from collections.abc import Awaitable, Callable

from pydantic import BaseModel
from redis.asyncio import Redis

from target_app.core.database import KEY_PREFIX


class Cache:
    """Keeps nothing: every request asks the database."""

    async def get[Model: BaseModel](  # noqa: D102 (flake8-docstrings cannot see it)
        self, name: str, model: type[Model], load: Callable[[], Awaitable[Model]]
    ) -> Model:
        """Return what is kept under a name, or load it."""
        return await load()

    async def forget(self, name: str) -> None:
        """Keep nothing under a name any more."""


class RedisCache(Cache):
    """Keeps answers in Redis, for all processes of the service."""

    def __init__(self, store: Redis, seconds: int) -> None:
        """Say where, and for how long."""
        self._store, self._seconds = store, seconds

    async def get[Model: BaseModel](  # noqa: D102 (flake8-docstrings cannot see it)
        self, name: str, model: type[Model], load: Callable[[], Awaitable[Model]]
    ) -> Model:
        """Return what is kept under a name, or load it and keep it."""
        key = f"{KEY_PREFIX}{name}"
        if (kept := await self._store.get(key)) is not None:
            return model.model_validate_json(kept)
        loaded = await load()
        await self._store.set(key, loaded.model_dump_json(), ex=self._seconds)
        return loaded

    async def forget(self, name: str) -> None:
        """Keep nothing under a name any more."""
        await self._store.delete(f"{KEY_PREFIX}{name}")
