"""FastAPI: four dependencies are plain functions instead of coroutines."""

import os

from fastapi import Depends, FastAPI

app = FastAPI()
PLAIN = os.environ["SIDE"] == "b"


def user() -> int:
    """Return the user."""
    return 1


async def user_of() -> int:
    """Return the user."""
    return 1


def tenant() -> int:
    """Return the tenant."""
    return 2


async def tenant_of() -> int:
    """Return the tenant."""
    return 2


def locale() -> int:
    """Return the locale."""
    return 3


async def locale_of() -> int:
    """Return the locale."""
    return 3


def flags() -> int:
    """Return the flags."""
    return 4


async def flags_of() -> int:
    """Return the flags."""
    return 4


@app.get("/")
async def root(
    a: int = Depends(user if PLAIN else user_of),
    b: int = Depends(tenant if PLAIN else tenant_of),
    c: int = Depends(locale if PLAIN else locale_of),
    d: int = Depends(flags if PLAIN else flags_of),
) -> int:
    """Answer."""
    return a + b + c + d
