"""Tokens of a hundred users, verified with one key or with a key ring.

The topic `authentication` measures, under load, whether threads should verify tokens.
"""

import secrets

import jwt
from jwt.types import Options
from pytest_benchmark.fixture import BenchmarkFixture

from target_app.core.security import ALGORITHM, KeyRing

USERS = range(1, 101)
KEYS = {"old": secrets.token_hex(32), "new": secrets.token_hex(32)}
RING = KeyRing(KEYS, "new")
TOKENS = [RING.sign(str(user), 3600) for user in USERS]


def test_one_key(benchmark: BenchmarkFixture) -> None:
    """Before: one fixed key, like the guide's SECRET_KEY."""
    key = KEYS["new"]
    options: Options = {"require": ["sub", "iat", "exp", "jti"]}

    def verify_all() -> list[str]:
        return [
            jwt.decode(token, key, algorithms=[ALGORITHM], options=options)["sub"]
            for token in TOKENS
        ]

    assert benchmark(verify_all) == [str(user) for user in USERS]


def test_key_ring(benchmark: BenchmarkFixture) -> None:
    """After: a token names the key that it was signed with."""

    def verify_all() -> list[str]:
        return [RING.verify(token)["sub"] for token in TOKENS]

    assert benchmark(verify_all) == [str(user) for user in USERS]
