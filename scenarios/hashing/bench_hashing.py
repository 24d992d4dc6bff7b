"""Who asks? Told by a password, by a session, and by a signed token."""

import secrets

from pytest_benchmark.fixture import BenchmarkFixture

from target_app.core import security
from target_app.services.tokens import digest

PASSWORD = "Correct-horse-1"
USER = 3


def test_password(benchmark: BenchmarkFixture) -> None:
    """Before: Argon2 for each request, slow on purpose."""
    kept = {USER: security.hashed(PASSWORD)}
    assert benchmark(lambda: security.matches(kept[USER], PASSWORD))


def test_session(benchmark: BenchmarkFixture) -> None:
    """After: a random word needs no slow hash, for nobody can guess it.

    The dictionary stands for the quickest store there is: one process, no network.
    """
    tokens = {user: secrets.token_urlsafe(32) for user in range(1, 10_001)}
    kept = {digest(token): user for user, token in tokens.items()}
    token = tokens[USER]
    assert benchmark(lambda: kept[digest(token)]) == USER


def test_signed_token(benchmark: BenchmarkFixture) -> None:
    """After: a signature is verified, and nothing is looked up."""
    ring = security.KeyRing({"only": secrets.token_hex(32)}, "only")
    token = ring.signed(str(USER), 3600)
    assert benchmark(lambda: int(ring.verified(token)["sub"])) == USER
