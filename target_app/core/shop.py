"""What the shop is made of, as its features want it."""

import secrets
from dataclasses import dataclass

from redis.asyncio import Redis

from target_app.core.cache import Cache, RedisCache
from target_app.core.config import Settings
from target_app.core.errors import ConfigurationError
from target_app.core.features import Features, parsed
from target_app.core.limits import Limits
from target_app.core.mail import Mailer
from target_app.core.security import KeyRing
from target_app.core.work import Database, database

SHORTEST_KEY = 32  # as long as what HMAC-SHA256 makes of it


@dataclass(frozen=True)
class Shop:
    """The parts that requests share."""

    settings: Settings
    features: Features
    database: Database
    redis: Redis
    cache: Cache
    limits: Limits
    mailer: Mailer
    keys: KeyRing

    @property
    def eager(self) -> bool:
        """Whether related rows come with the first ones."""
        return "queries" in self.features

    async def close(self) -> None:
        """Close all connections."""
        await self.database.close()
        await self.redis.aclose()


def opened(settings: Settings) -> Shop:
    """Put the shop together; nothing is connected yet.

    Raises:
        ConfigurationError: A setting is missing, or makes no sense.
    """
    features = parsed(settings.features)
    if not (settings.database_url and settings.redis_url):
        raise ConfigurationError("the shop needs DATABASE_URL and REDIS_URL")
    redis = Redis.from_url(settings.redis_url, socket_connect_timeout=5)
    cached = "cache" in features
    return Shop(
        settings=settings,
        features=features,
        database=database(settings, features),
        redis=redis,
        cache=RedisCache(redis, settings.cache_seconds) if cached else Cache(),
        limits=Limits(
            redis,
            settings.requests_per_minute,
            settings.login_attempts,
            settings.lockout_seconds,
        ),
        mailer=Mailer(settings.mail_seconds, "background" in features),
        keys=_keys(settings),
    )


def _keys(settings: Settings) -> KeyRing:
    keys = {n: key.get_secret_value() for n, key in settings.secret_keys.items()}
    if not keys:
        # Good for one process alone, such as a test's; see .env.example.
        return KeyRing({"random": secrets.token_hex(32)}, "random")
    if weak := [name for name, key in keys.items() if len(key) < SHORTEST_KEY]:
        raise ConfigurationError(
            f"SECRET_KEYS: {', '.join(weak)}: fewer than {SHORTEST_KEY} characters"
        )
    try:
        return KeyRing(keys, settings.current_key or next(reversed(keys)))
    except ValueError as error:
        raise ConfigurationError(f"CURRENT_KEY: {error}") from error
