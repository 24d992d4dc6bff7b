from pathlib import Path

import pytest
from pydantic import ValidationError

from target_app.core.config import Settings


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hidden@db/shop")
    monkeypatch.setenv("TARGET_VARIANT", "caching.redis")
    monkeypatch.setenv("SQLITE_PATH", "data/shop.sqlite3")
    settings = Settings()
    assert settings.database_url == "postgresql://me:hidden@db/shop"
    assert settings.target_variant == "caching.redis"
    assert settings.sqlite_path == Path("data/shop.sqlite3")
    assert "hidden" not in repr(settings)


def test_settings_come_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("POOL_SIZE", raising=False)
    (tmp_path / ".env").write_text("POOL_SIZE=3\nSOMETHING_ELSE=1\n")
    assert Settings().pool_size == 3


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("POOL_SIZE", "")
    settings = Settings()
    assert settings.database_url is None
    assert settings.pool_size == 16


def test_the_sqlite_file_is_in_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SQLITE_PATH", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "elsewhere")
    assert Settings().sqlite_path == Path("elsewhere/target_app/shop.sqlite3")


def test_a_pool_of_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="pool_size"):
        Settings(pool_size=0)


def test_settings_read_the_example_file() -> None:
    example = Path(__file__).parents[3] / ".env.example"
    settings = Settings(_env_file=example)
    assert settings.pool_size == 16
    text = example.read_text(encoding="utf-8")
    for name in Settings.model_fields:
        assert f"{name.upper()}=" in text
