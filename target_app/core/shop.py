"""The parts of the shop, made as its features require."""

import secrets
from dataclasses import dataclass

from redis.asyncio import Redis

from target_app.core.cache import Cache, RedisCache
from target_app.core.config import Settings
from target_app.core.database import redis_client
from target_app.core.errors import ConfigurationError
from target_app.core.features import Features, parse_features
from target_app.core.limits import Limits
from target_app.core.mail import Mailer
from target_app.core.security import KeyRing
from target_app.core.work import Database, make_database

MIN_KEY_LENGTH = 32  # the bytes of HMAC-SHA256's output


@dataclass(frozen=True)
class Shop:
    """The parts of the shop that all requests share."""

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
        """Whether related rows are loaded with one query, not with one for each row."""
        return "queries" in self.features

    async def close(self) -> None:
        """Close all connections."""
        await self.database.close()
        await self.redis.aclose()


def make_shop(settings: Settings) -> Shop:
    """Return the shop; it connects when it is first used.

    Raises:
        ConfigurationError: A setting is missing or invalid.
        AppError: DATABASE_URL is not a PostgreSQL URL, or REDIS_URL cannot be read.
    """
    features = parse_features(settings.features)
    if not (settings.database_url and settings.redis_url):
        raise ConfigurationError("the shop needs DATABASE_URL and REDIS_URL")
    redis = redis_client(Redis.from_url, settings)
    cached = "cache" in features
    return Shop(
        settings=settings,
        features=features,
        database=make_database(settings, features),
        redis=redis,
        cache=RedisCache(redis, settings.cache_seconds) if cached else Cache(),
        limits=Limits(
            redis,
            settings.requests_per_minute,
            settings.login_attempts,
            settings.lockout_seconds,
        ),
        mailer=Mailer(settings.mail_seconds, "background" in features),
        keys=_key_ring(settings),
    )


def _key_ring(settings: Settings) -> KeyRing:
    keys = {name: key.get_secret_value() for name, key in settings.secret_keys.items()}
    if not keys:
        # A random key works only in one process, such as a test's; see .env.example.
        return KeyRing({"random": secrets.token_hex(32)}, "random")
    if weak := [name for name, key in keys.items() if len(key) < MIN_KEY_LENGTH]:
        raise ConfigurationError(
            f"SECRET_KEYS: {', '.join(weak)}: fewer than {MIN_KEY_LENGTH} characters"
        )
    try:
        return KeyRing(keys, settings.current_key or next(reversed(keys)))
    except ValueError as error:
        raise ConfigurationError(f"CURRENT_KEY: {error}") from error
