"""What the probe counts of real databases, caches and other services."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.profilers.probe import Probe
from tests.integration.test_probe import Served, one, start

APP = Path(__file__).with_name("probed_databases.py")


@pytest.fixture(scope="module")
def served(
    services: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("databases")
    child, url = start(folder, "asyncio", app=APP, env={**os.environ, **services})
    try:
        yield Served(url, Probe(folder / "probe"))
    finally:
        child.stop()


@pytest.mark.parametrize(
    ("path", "kind", "function", "text"),
    [
        ("/psycopg", "query", "read_psycopg", "select ? where ? = ?"),
        ("/psycopg-async", "query", "read_psycopg_async", "select ? where ? = ?"),
        ("/asyncpg", "query", "read_asyncpg", "select ?, pg_sleep(?)"),
        ("/redis", "cache command", "read_redis", "GET"),
        ("/redis-async", "cache command", "read_redis_async", "GET"),
        ("/requests", "other service", "read_requests", "/stock/{}"),
        ("/httpx", "other service", "read_httpx", "/stock/{}"),
    ],
)
def test_what_is_sent_is_counted_at_the_line_that_sends_it(
    served: Served, path: str, kind: str, function: str, text: str
) -> None:
    seen = served.observe(path)
    fitting = [item for item in seen if item.event.resource.endswith(text)]
    sent = one(fitting, kind, function)
    assert sent.amount.count == pytest.approx(1)
    assert sent.amount.seconds > 0
    assert all("secret" not in item.event.resource for item in seen)


@pytest.mark.parametrize(
    ("path", "function"),
    [
        ("/psycopg", "read_psycopg"),
        ("/psycopg-async", "read_psycopg_async"),
        ("/asyncpg-connect", "connect_asyncpg"),
        ("/sqlalchemy", "read_sqlalchemy"),
        ("/sqlalchemy-async", "read_sqlalchemy_async"),
        ("/creator", "create_connection"),
    ],
)
def test_a_new_connection_counts_as_a_query(
    served: Served, path: str, function: str
) -> None:
    opened = [
        item
        for item in served.observe(path)
        if item.event.kind == "query" and item.event.resource == "CONNECT"
    ]
    (item,) = opened
    assert item.event.place is not None and item.event.place.function == function
    assert item.amount.count == pytest.approx(1)
    assert item.amount.seconds > 0


@pytest.mark.parametrize(
    ("path", "function"),
    [
        ("/reads", "read_only"),
        ("/reads-async", "read_only_async"),
        ("/rolls-back", "roll_back"),
    ],
)
def test_the_end_of_a_transaction_that_only_read_takes_time(
    served: Served, path: str, function: str
) -> None:
    (item,) = [
        item
        for item in served.observe(path)
        if item.event.resource == "ROLLBACK" and item.event.kind == "query"
    ]
    assert item.event.place is not None and item.event.place.function == function
    assert item.amount.count == pytest.approx(1) and item.amount.seconds > 0


def test_no_client_waits_for_a_query_after_its_answer(served: Served) -> None:
    (query,) = [
        item
        for item in served.observe("/later")
        if item.event.resource == "select ?, pg_sleep(?)"
    ]
    assert query.event.place is not None
    assert query.event.place.function == "read_later"
    # Some queries belong to requests that were answered before the first question.
    assert query.amount.count == pytest.approx(1, rel=0.3)
    assert query.amount.seconds == 0


def test_a_connection_that_a_pool_opens_is_a_wait_for_the_pool(served: Served) -> None:
    for path, function in (("/asyncpg", ""), ("/new-pool", "read_new_pool")):
        seen = served.observe(path)
        assert all(item.event.resource != "CONNECT" for item in seen)
        if function:
            opened = one(seen, "connection pool", function)
            assert opened.amount.count == pytest.approx(1)


def test_a_wait_for_the_only_connection_of_a_pool_is_one(served: Served) -> None:
    wait = one(served.observe("/asyncpg"), "connection pool", "read_asyncpg")
    # Three other requests are served first, and each holds it for at least 20 ms.
    assert wait.amount.seconds > 0.012
