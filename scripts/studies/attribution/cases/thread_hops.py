"""FastAPI: four dependencies are plain functions instead of coroutines."""

import os

from fastapi import Depends, FastAPI

app = FastAPI()

if os.environ["SIDE"] == "b":

    def user() -> int:
        """Return the user."""
        return 1

    def tenant() -> int:
        """Return the tenant."""
        return 2

    def locale() -> int:
        """Return the locale."""
        return 3

    def flags() -> int:
        """Return the flags."""
        return 4

else:

    async def user() -> int:
        """Return the user."""
        return 1

    async def tenant() -> int:
        """Return the tenant."""
        return 2

    async def locale() -> int:
        """Return the locale."""
        return 3

    async def flags() -> int:
        """Return the flags."""
        return 4


@app.get("/")
async def root(
    a: int = Depends(user),
    b: int = Depends(tenant),
    c: int = Depends(locale),
    d: int = Depends(flags),
) -> int:
    """Answer."""
    return a + b + c + d
