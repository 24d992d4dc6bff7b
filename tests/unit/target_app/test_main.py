import subprocess
import sys

import pytest

from target_app.core.config import Settings
from target_app.core.errors import ConfigurationError
from target_app.main import create_app
from target_app.practices import TOPICS, all_variants, load_practice


def settings(variant: str = "", **services: str) -> Settings:
    no_services: dict[str, str | None] = {
        "database_url": None,
        "redis_url": None,
        "downstream_url": None,
    }
    return Settings.model_validate(
        {**no_services, "target_variant": variant, **services}
    )


ALL_SERVICES = {
    "database_url": "postgresql://host/db",
    "redis_url": "redis://host/0",
    "downstream_url": "http://host",
}


def paths(app_settings: Settings) -> set[str]:
    return set(create_app(app_settings).openapi()["paths"])


@pytest.mark.parametrize("name", ["caching.nothing", "nothing.redis", "caching", "."])
def test_the_error_for_an_unknown_variant_names_all_variants(name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        create_app(settings(name))
    assert repr(name) in str(caught.value)
    for variant in all_variants():
        assert variant in str(caught.value)


def test_a_variant_without_its_service_does_not_start() -> None:
    with pytest.raises(ConfigurationError, match="needs REDIS_URL"):
        create_app(settings("caching.redis", database_url="postgresql://host/db"))


@pytest.mark.parametrize("url", ["mysql://host/db", "nonsense"])
def test_an_invalid_database_url_does_not_start(url: str) -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_URL"):
        create_app(settings("n_plus_one.lazy", database_url=url))


@pytest.mark.parametrize("variant", ["caching.redis", "rate_limit.redis", "shop", ""])
@pytest.mark.parametrize("url", ["foo", "redis://:hidden/x@host/0"])
def test_an_invalid_redis_url_does_not_start(variant: str, url: str) -> None:
    with pytest.raises(ConfigurationError, match="REDIS_URL cannot be read") as caught:
        create_app(settings(variant, **{**ALL_SERVICES, "redis_url": url}))
    assert "hidden" not in str(caught.value)


def test_an_invalid_downstream_url_does_not_start() -> None:
    services = {**ALL_SERVICES, "downstream_url": "http://host:port"}
    with pytest.raises(ConfigurationError, match="DOWNSTREAM_URL cannot be read"):
        create_app(settings(**services))


def test_one_variant_is_always_at_the_same_path() -> None:
    for name in ("blocking.blocking", "blocking.native"):
        assert paths(settings(name)) == {
            "/health",
            "/health/db",
            "/ready",
            "/v1/blocking",
            "/guard",
        }


def test_by_default_every_variant_that_can_be_served_is() -> None:
    without_services = {p for p in paths(settings()) if p.startswith("/v1/")}
    assert "/v1/blocking/native" in without_services
    assert "/v1/caching/redis" not in without_services
    served = paths(settings(**ALL_SERVICES))
    for name in all_variants():
        assert f"/v1/{name.replace('.', '/')}" in served


def test_handlers_of_a_practice_share_their_name_and_answer() -> None:
    for topic in TOPICS:
        operations = []
        for name in load_practice(topic).variants:
            app = create_app(settings(f"{topic}.{name}", **ALL_SERVICES))
            operations.append(app.openapi()["paths"][f"/v1/{topic}"]["get"])
        for operation in operations:
            assert operation["summary"] == operations[0]["summary"]
            assert operation["responses"] == operations[0]["responses"]
            assert operation.get("parameters") == operations[0].get("parameters")


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("TARGET_VARIANT", "caching.nothing", "there is no such variant"),
        ("POOL_SIZE", "many", "POOL_SIZE: "),
    ],
)
def test_a_failed_start_prints_a_sentence_and_no_traceback(
    variable: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    ended = subprocess.run(
        [sys.executable, "-m", "uvicorn", "target_app.main:app", "--port", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_variant_imports_only_what_it_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TARGET_VARIANT", "blocking.native")
    program = (
        "import sys, target_app.main\n"
        "print([name for name in ('psycopg', 'asyncpg', 'aiosqlite', 'redis',\n"
        "    'target_app.practices.caching') if name in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "[]"
