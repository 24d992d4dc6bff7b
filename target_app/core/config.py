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
        database_url: URL of PostgreSQL. The practices use its schema `assay`, the shop
            its schema `shop`.
        redis_url: URL of Redis or Valkey. All keys of the service begin with `assay:`.
        downstream_url: URL of `target_app.downstream`, which some variants call.
        sqlite_path: The SQLite file that `python -m target_app.seed` makes.
        target_variant: The one variant to serve, as `topic.variant`, or `shop` for the
            shop alone. If it is empty, everything whose URLs are set is served, each
            variant under its own path.
        pool_size: Connections of each pool, unless a variant sets its own number.
        cache_seconds: Seconds until a cached value expires.
        features: The optimisations of the shop under `/api/v1`: `legacy`, `optimised`,
            or some of `cache,async,pool,queries,background,jwt`.
        secret_keys: Keys that sign the shop's access tokens, by name, each of at least
            32 characters. If there are none, each process makes a random one, and does
            not accept tokens of other processes.
        current_key: The name of the key that signs new tokens; by default the last one.
        access_seconds: Seconds that an access token of the shop is valid.
        refresh_seconds: Seconds that a refresh token is valid.
        login_attempts: Failed logins after which an address is locked out.
        lockout_seconds: Seconds until failed logins are forgotten, counted from the
            first one.
        requests_per_minute: The most requests to the shop that one client may make in
            a minute.
        mail_seconds: Seconds that sending a mail of the shop takes.
        log_level: The lowest level that is logged. `info` and `debug` add a line for
            each request, which costs time.
        telemetry: Whether FastAPI's own tracing, metrics and logs are on. They are off
            by default, so that they do not distort the comparison of variants.
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
