"""FastAPI: a large library is imported at the start, or never."""

import os

from fastapi import FastAPI

app = FastAPI()


def prepare() -> None:
    """Import what reports need."""
    if os.environ["SIDE"] == "b":
        import pandas  # noqa: F401


prepare()


@app.get("/")
async def root() -> str:
    """Answer."""
    return "ok"
