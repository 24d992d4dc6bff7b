"""Variants give the same answers, and guards notice a variant that is wrong."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import redis
from sqlalchemy.orm import lazyload

from target_app.core.config import Settings
from target_app.practices import (
    TOPICS,
    all_variants,
    blocking,
    caching,
    load_practice,
    n_plus_one,
    sync_async,
    timeouts,
)
from target_app.services.users import PAGE_SIZE
from tests.integration.target_app.asgi import chosen, with_target

QUERIES = {
    "authentication": [""],
    "background_tasks": ["?number=3"],
    "blocking": [""],
    "cache_leak": ["?number=3", "?number=4", "?number=3"],
    "cache_stampede": ["?month=19", "?month=0"],
    "caching": ["?month=0", "?month=19", "?month=0"],
    "columns": ["?page=0", "?page=399"],
    "connection_pool": ["?user_id=1", "?user_id=40001"],
    "cpu_work": ["?start=7"],
    "downstream_calls": ["?first=3"],
    "filtering": ["?month=0&day=1", "?month=19&day=28"],
    "garbage_collection": ["?number=3"],
    "indexing": ["?order_id=1", "?order_id=100000"],
    "middleware": [""],
    "n_plus_one": ["?page=0", "?page=3999", "?page=4000"],
    "pagination": ["?page=1679", "?page=0"],
    "rate_limit": ["?client=3"],
    "response_models": ["?page=0", "?page=49"],
    "startup": ["?number=3"],
    "sync_async": ["?user_id=1", "?user_id=40000", "?user_id=40001"],
    "timeouts": ["?number=1"],
}
assert set(QUERIES) == set(TOPICS)


async def headers_of(client: httpx.AsyncClient, path: str) -> dict[str, str]:
    """Return the credentials that a path requires, if it requires any."""
    if "authentication" not in path:
        return {}
    answer = await client.get(f"{path}/token?user_id=3")
    return {"authorization": answer.json()["authorization"]}


@pytest.mark.parametrize("topic", TOPICS)
def test_all_variants_of_a_practice_answer_alike(
    topic: str, seeded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a busy machine, even a quick call could exceed the usual deadline.
    monkeypatch.setattr(timeouts, "DEADLINE_SECONDS", 5.0)

    async def story(client: httpx.AsyncClient) -> None:
        for query in QUERIES[topic]:
            answers = {}
            for name in load_practice(topic).variants:
                path = f"/v1/{topic}/{name}"
                headers = await headers_of(client, path)
                response = await client.get(path + query, headers=headers)
                answers[name] = (response.status_code, response.content)
            assert len(set(answers.values())) == 1, answers

    with_target(seeded, story)


def test_answers_are_what_the_rows_say(seeded: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        user = (await client.get("/v1/sync_async/sqlite_sync?user_id=3")).json()
        assert user == {
            "id": 3,
            "email": "user3@example.com",
            "full_name": "User Number 3",
            "is_active": True,
            "created_on": "2024-01-04",
        }
        missing = await client.get("/v1/sync_async/postgres_async?user_id=40001")
        assert missing.status_code == 404
        assert missing.json()["error"]["message"] == "User not found"
        month = (await client.get("/v1/caching/uncached?month=19")).json()
        assert sum(status["orders"] for status in month["sales"]) == 10_000
        page = (await client.get("/v1/n_plus_one/joined?page=1")).json()
        assert [user["id"] for user in page] == list(
            range(PAGE_SIZE + 1, 2 * PAGE_SIZE + 1)
        )
        assert all(len(user["orders"]) == 5 for user in page)
        late = await client.get("/v1/caching/redis?month=20")
        assert late.status_code == 422

    with_target(seeded, story)


def guarded(seeded: Settings, variant: str) -> tuple[bool, str]:
    """Send nine requests to a variant, four at once; return its guard's answer."""
    topic = variant.partition(".")[0]
    path = f"/v1/{topic}{QUERIES[topic][0]}"
    said: list[dict[str, Any]] = []

    async def story(client: httpx.AsyncClient) -> None:
        before = (await client.get("/guard")).json()
        assert before == {"ok": False, "detail": "no request has been served yet"}
        own = await headers_of(client, f"/v1/{topic}")
        assert (await client.get(path, headers=own)).status_code == 200
        for _ in range(2):
            answers = await asyncio.gather(
                *(client.get(path, headers=own) for _ in range(4))
            )
            assert {answer.status_code for answer in answers} == {200}
        said.append((await client.get("/guard")).json())

    with_target(chosen(seeded, variant), story)
    return said[0]["ok"], said[0]["detail"]


# In this process the heavy library is already imported. `test_scenarios` serves this
# variant in a separate process, and checks its guard.
ELSEWHERE = {"startup.lazy"}


@pytest.mark.parametrize("variant", sorted(set(all_variants()) - ELSEWHERE))
def test_every_variant_does_what_its_name_says(variant: str, seeded: Settings) -> None:
    fine, detail = guarded(seeded, variant)
    assert fine, detail


@pytest.mark.parametrize("name", ["selectin", "joined"])
def test_a_guard_sees_that_eager_loading_is_off(
    name: str, seeded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(n_plus_one, f"{name}load", lazyload)
    fine, detail = guarded(seeded, f"n_plus_one.{name}")
    assert not fine
    assert f"psycopg query: {1 + PAGE_SIZE} per request" in detail


def test_a_guard_sees_that_nothing_stays_in_memory(
    seeded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 10_000_000, 10_000))
    late = SimpleNamespace(monotonic=lambda: next(clock))
    monkeypatch.setattr(caching, "time", late)
    fine, detail = guarded(seeded, "caching.memory")
    assert not fine, detail


def test_a_guard_sees_that_nothing_comes_from_redis(
    seeded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis.Redis, "get", lambda *_: None)
    fine, detail = guarded(seeded, "caching.redis")
    assert not fine, detail


def test_a_guard_sees_that_the_uncached_side_is_cached(
    seeded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    swap(monkeypatch, "caching", "uncached", "memory")
    fine, detail = guarded(seeded, "caching.uncached")
    assert not fine, detail


def swap(monkeypatch: pytest.MonkeyPatch, topic: str, name: str, other: str) -> None:
    """Replace what a variant does by what another one does."""
    variants: Any = load_practice(topic).variants
    wrong = replace(variants[name], build=variants[other].build)
    monkeypatch.setitem(variants, name, wrong)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("postgres_sync", "postgres_async"),
        ("postgres_async", "postgres_sync"),
        ("sqlite_sync", "sqlite_async"),
        ("sqlite_async", "postgres_async"),
    ],
)
def test_a_guard_sees_another_driver(
    name: str, other: str, seeded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_practice("sync_async") is sync_async.PRACTICE
    swap(monkeypatch, "sync_async", name, other)
    fine, detail = guarded(seeded, f"sync_async.{name}")
    assert not fine, detail


def test_a_guard_sees_that_the_thread_is_none(
    seeded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def on_the_loop(function: Callable[..., None], *given: object) -> None:
        function(*given)

    fake = SimpleNamespace(to_thread=on_the_loop, sleep=asyncio.sleep)
    monkeypatch.setattr(blocking, "asyncio", fake)
    fine, detail = guarded(seeded, "blocking.to_thread")
    assert not fine, detail


@pytest.mark.parametrize("other", ["blocking", "to_thread"])
def test_a_guard_sees_that_a_plain_function_is_not(
    other: str, seeded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    swap(monkeypatch, "blocking", "sync", other)
    fine, detail = guarded(seeded, "blocking.sync")
    assert not fine, detail


def test_a_value_in_memory_expires(
    seeded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(caching, "time", SimpleNamespace(monotonic=lambda: now[0]))
    settings = chosen(seeded, "caching.memory")
    hits: list[str] = []

    async def story(client: httpx.AsyncClient) -> None:
        for seconds in (0, settings.cache_seconds - 1, settings.cache_seconds + 1):
            now[0] = float(seconds)
            await client.get("/v1/caching?month=2")
            hits.append((await client.get("/guard")).json()["detail"])

    with_target(settings, story)
    shares = [float(hit.split()[3]) for hit in hits]
    assert shares == pytest.approx([0, 0.5, 0.333], abs=0.001)


def test_keys_keep_to_their_prefix_and_expire(
    seeded: Settings, services: dict[str, str]
) -> None:
    with redis.Redis.from_url(services["REDIS_URL"], decode_responses=True) as store:
        before = set(store.scan_iter())

        async def story(client: httpx.AsyncClient) -> None:
            await client.get("/v1/caching/redis?month=7")

        with_target(seeded, story)
        added = set(store.scan_iter()) - before
        assert added <= {"assay:sales:7"}
        assert 0 < store.ttl("assay:sales:7") <= seeded.cache_seconds


def test_no_variant_waits_in_vain_for_a_connection(seeded: Settings) -> None:
    """There are more requests at once than the pool has connections."""
    small = seeded.model_copy(update={"pool_size": 2})

    async def story(client: httpx.AsyncClient) -> None:
        for path in (
            "/v1/sync_async/postgres_sync?user_id=1",
            "/v1/sync_async/postgres_async?user_id=1",
            "/v1/n_plus_one/lazy?page=0",
        ):
            answers = await asyncio.gather(*(client.get(path) for _ in range(50)))
            assert {answer.status_code for answer in answers} == {200}

    # If a request gets no connection, the pool raises, and so does the transport.
    with_target(small, story)
