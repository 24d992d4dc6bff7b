"""Settings, from the environment or a `.env` file."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def _default_sqlite_path() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(cache) / "target_app" / "shop.sqlite3"


class Settings(BaseSettings):
    """Settings of the service.

    Attributes:
        database_url: PostgreSQL; the practices use only its schema `assay`.
        redis_url: Redis or Valkey; the service uses only keys that begin with `assay:`.
        downstream_url: The service that it calls, `target_app.downstream`.
        sqlite_path: The SQLite file that `python -m target_app.seed` makes.
        target_variant: The one variant to serve, as `topic.variant`. If it is empty,
            all variants are served, each under its own path.
        pool_size: Connections of a pool, the same for every variant.
        cache_seconds: Seconds until a cached value expires.
        features: The optimisations of the shop under `/api/v1`: `legacy`, `optimised`,
            or some of `cache,async,pool,queries,background,jwt`.
        secret_keys: Keys that sign tokens, by name. If there are none, each process
            makes a random one, and does not accept tokens of other processes.
        current_key: The name of the key that signs new tokens.
        access_seconds: Lifetime of an access token.
        refresh_seconds: Lifetime of a refresh token.
        login_attempts: Failed logins after which an address is locked out.
        lockout_seconds: Seconds for which it is locked out.
        requests_per_minute: The most requests that one client may make.
        mail_seconds: How long sending a mail takes.
        log_level: The lowest level that is logged. `info` and `debug` add a line for
            each request, which costs time.
        telemetry: FastAPI's own tracing and metrics. They are off by default, so that
            they do not distort the comparison of variants.
    """

    database_url: str | None = Field(default=None, repr=False)
    redis_url: str | None = Field(default=None, repr=False)
    downstream_url: str | None = None
    sqlite_path: Path = Field(default_factory=_default_sqlite_path)
    target_variant: str = ""
    pool_size: int = Field(default=16, ge=1)
    cache_seconds: int = Field(default=60, ge=1)
    features: str = "optimised"
    secret_keys: dict[str, SecretStr] = {}
    current_key: str = ""
    access_seconds: int = Field(default=900, ge=1)
    refresh_seconds: int = Field(default=14 * 86_400, ge=1)
    login_attempts: int = Field(default=5, ge=1)
    lockout_seconds: int = Field(default=300, ge=1)
    requests_per_minute: int = Field(default=100_000, ge=1)
    mail_seconds: float = Field(default=0.03, ge=0)
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    telemetry: bool = False

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        hide_input_in_errors=True,
    )
