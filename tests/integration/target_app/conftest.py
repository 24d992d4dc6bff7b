"""Fixtures for tests of the shop."""

import pytest
import redis

from target_app.core.config import Settings
from tests.integration.target_app.shopping import KEYS, run_seed


@pytest.fixture(scope="module")
def store(seeded: Settings) -> Settings:
    """Return settings of a shop whose tables and rows exist."""
    filled = run_seed(seeded)
    assert filled.returncode == 0, filled.stderr
    return Settings.model_validate(
        {
            **seeded.model_dump(),
            "target_variant": "shop",
            "secret_keys": KEYS,
            "current_key": "new",
        }
    )


@pytest.fixture
def forgotten(services: dict[str, str]) -> None:
    """Delete the keys that earlier tests have left in Redis."""
    with redis.Redis.from_url(services["REDIS_URL"]) as memory:
        for key in memory.scan_iter("assay:*"):
            memory.delete(key)
