"""Hits of an in-memory cache: a key is made from parameters, and looked up.

The cache contains a hundred pages of items. A key is made from the three parameters of
the service's handler.
"""

import hashlib
import json
from collections.abc import Callable
from functools import lru_cache

from pytest_benchmark.fixture import BenchmarkFixture

from target_app.core.database import KEY_PREFIX

LIMIT = 100
CATEGORY = "garden"
AFTER = range(0, 10_000, LIMIT)

Key = Callable[[int, int, str], str]


def by_name(after: int, limit: int, category: str) -> str:
    """Return the key that the service uses."""
    return f"{KEY_PREFIX}items:{after}:{limit}:{category}"


def by_json(after: int, limit: int, category: str) -> str:
    """Return a key that works for any named parameters."""
    parameters = {"after": after, "limit": limit, "category": category}
    text = json.dumps(parameters, sort_keys=True)
    return f"{KEY_PREFIX}items:{hashlib.sha256(text.encode()).hexdigest()}"


@lru_cache(maxsize=len(AFTER))
def page(after: int, limit: int, category: str) -> int:
    """Return the value for these parameters; it is cached."""
    return after


def time_hits(benchmark: BenchmarkFixture, key: Key) -> None:
    """Time a hundred hits with this kind of key."""
    cache = {key(after, LIMIT, CATEGORY): after for after in AFTER}

    def read() -> list[int]:
        return [cache[key(after, LIMIT, CATEGORY)] for after in AFTER]

    assert benchmark(read) == list(AFTER)


def test_name(benchmark: BenchmarkFixture) -> None:
    """The key is an f-string."""
    time_hits(benchmark, by_name)


def test_json(benchmark: BenchmarkFixture) -> None:
    """The key is a hash of JSON."""
    time_hits(benchmark, by_json)


def test_lru_cache(benchmark: BenchmarkFixture) -> None:
    """lru_cache makes the key; a hit runs no Python code."""

    def read() -> list[int]:
        return [page(after, LIMIT, CATEGORY) for after in AFTER]

    assert benchmark(read) == list(AFTER)
    assert page.cache_info().misses == len(AFTER)
