"""Settings, from the environment or a `.env` file."""

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def _default_sqlite_path() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(cache) / "target_app" / "shop.sqlite3"


class Settings(BaseSettings):
    """What the service is started with.

    Attributes:
        database_url: PostgreSQL; the service keeps to its schema `assay`.
        redis_url: Redis or Valkey; the service keeps to keys under `assay:`.
        sqlite_path: The SQLite file that `python -m target_app.seed` makes.
        target_variant: The one variant to serve, as `topic.variant`; where it
            is empty, all are served, each under a path of its own.
        pool_size: Connections of a pool, the same for every variant.
        cache_seconds: How long a cached value is used.
        telemetry: FastAPI's own tracing and metrics, off unless asked for, so
            that no variant pays for what another does not.
    """

    database_url: str | None = Field(default=None, repr=False)
    redis_url: str | None = Field(default=None, repr=False)
    sqlite_path: Path = Field(default_factory=_default_sqlite_path)
    target_variant: str = ""
    pool_size: int = Field(default=16, ge=1)
    cache_seconds: int = Field(default=60, ge=1)
    telemetry: bool = False

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        hide_input_in_errors=True,
    )
