"""Hits of a cache in the process: a key is made of parameters, and looked up.

A hundred pages of items, by the three parameters that the service's handler has.
"""

import hashlib
import json
from collections.abc import Callable
from functools import lru_cache

from pytest_benchmark.fixture import BenchmarkFixture

from target_app.core.database import KEY_PREFIX

LIMIT, CATEGORY = 100, "garden"
AFTER = range(0, 10_000, LIMIT)

Key = Callable[[int, int, str], str]


def by_name(after: int, limit: int, category: str) -> str:
    """Return a key as the service writes it."""
    return f"{KEY_PREFIX}items:{after}:{limit}:{category}"


def by_json(after: int, limit: int, category: str) -> str:
    """Return a key that can be made of any parameters with a name."""
    parameters = {"after": after, "limit": limit, "category": category}
    text = json.dumps(parameters, sort_keys=True)
    return f"{KEY_PREFIX}items:{hashlib.sha256(text.encode()).hexdigest()}"


@lru_cache(maxsize=len(AFTER))
def page(after: int, limit: int, category: str) -> int:
    """Return what is cached under these parameters."""
    return after


def hits(benchmark: BenchmarkFixture, key: Key) -> None:
    """Time a hundred hits under such keys."""
    kept = {key(after, LIMIT, CATEGORY): after for after in AFTER}

    def read() -> list[int]:
        return [kept[key(after, LIMIT, CATEGORY)] for after in AFTER]

    assert benchmark(read) == list(AFTER)


def test_name(benchmark: BenchmarkFixture) -> None:
    """An f-string."""
    hits(benchmark, by_name)


def test_json(benchmark: BenchmarkFixture) -> None:
    """The hash of JSON."""
    hits(benchmark, by_json)


def test_lru_cache(benchmark: BenchmarkFixture) -> None:
    """No key of ours: what a hit costs at least."""

    def read() -> list[int]:
        return [page(after, LIMIT, CATEGORY) for after in AFTER]

    assert benchmark(read) == list(AFTER)
    assert page.cache_info().misses == len(AFTER)
