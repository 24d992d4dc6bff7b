"""Identifying a user by a password, a session, or a signed token."""

import secrets

from pytest_benchmark.fixture import BenchmarkFixture

from target_app.core import security
from target_app.services.tokens import digest

PASSWORD = "Correct-horse-1"
USER = 3


def test_password(benchmark: BenchmarkFixture) -> None:
    """Before: Argon2 for each request, slow on purpose."""
    hashes = {USER: security.hash_password(PASSWORD)}
    assert benchmark(lambda: security.verify_password(hashes[USER], PASSWORD))


def test_session(benchmark: BenchmarkFixture) -> None:
    """After: a random token needs no slow hash, because nobody can guess it.

    The dictionary stands for the fastest possible store, without a network.
    """
    tokens = {user: secrets.token_urlsafe(32) for user in range(1, 10_001)}
    sessions = {digest(token): user for user, token in tokens.items()}
    token = tokens[USER]
    assert benchmark(lambda: sessions[digest(token)]) == USER


def test_signed_token(benchmark: BenchmarkFixture) -> None:
    """After: a signature is verified, without a lookup."""
    ring = security.KeyRing({"only": secrets.token_hex(32)}, "only")
    token = ring.sign(str(USER), 3600)
    assert benchmark(lambda: int(ring.verify(token)["sub"])) == USER
