"""Helpers that prepare the shop and send requests to it."""

import itertools
import os
import subprocess
import sys
import time
from typing import Any

import httpx

from target_app import shop_seed
from target_app.core.config import Settings

KEYS = {"old": "o" * 64, "new": "n" * 64}
PASSWORD = "Analytical-1"
_count = itertools.count()


def run_seed(settings: Settings) -> "subprocess.CompletedProcess[str]":
    """Run the command that creates the shop's tables and rows."""
    return subprocess.run(
        [sys.executable, "-m", "target_app.shop_seed"],
        env={**os.environ, "DATABASE_URL": str(settings.database_url)},
        capture_output=True,
        text=True,
    )


def alembic(settings: Settings, *words: str) -> str:
    """Run a command of Alembic, and return its output."""
    done = subprocess.run(
        [sys.executable, "-m", "alembic", *words],
        env={**os.environ, "DATABASE_URL": str(settings.database_url)},
        cwd=shop_seed.INI.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def signed_up(client: httpx.AsyncClient) -> str:
    """Create an account, and return its address."""
    email = f"ada{time.time_ns()}-{next(_count)}@example.com"
    form = {"email": email, "full_name": "Ada Lovelace", "password": PASSWORD}
    answer = await client.post("/api/v1/users", json=form)
    assert answer.status_code == 201, answer.text
    assert "password" not in answer.text and answer.json()["email"] == email
    return email


async def logged_in(client: httpx.AsyncClient, email: str) -> dict[str, Any]:
    """Log in, and return the answer with the pair of tokens."""
    form = {"email": email, "password": PASSWORD}
    answer = await client.post("/api/v1/auth/login", json=form)
    assert answer.status_code == 200, answer.text
    pair: dict[str, Any] = answer.json()
    return pair


async def somebody(client: httpx.AsyncClient) -> dict[str, str]:
    """Return the headers of a new account that has logged in."""
    return bearer((await logged_in(client, await signed_up(client)))["access_token"])


def bearer(token: str) -> dict[str, str]:
    """Return the header with a token."""
    return {"authorization": f"Bearer {token}"}


async def me(client: httpx.AsyncClient, token: str) -> httpx.Response:
    """Request the account that a token belongs to."""
    return await client.get("/api/v1/users/me", headers=bearer(token))


async def renewed(client: httpx.AsyncClient, token: str) -> httpx.Response:
    """Request a new pair of tokens."""
    return await client.post("/api/v1/auth/refresh", json={"refresh_token": token})
