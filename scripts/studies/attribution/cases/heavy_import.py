"""FastAPI: a large library is imported at the start, or never."""

import os
import time

from fastapi import FastAPI
from stopwatch import note

app = FastAPI()


def prepare() -> None:
    """Import what reports need."""
    if os.environ["SIDE"] == "b":
        import pandas  # noqa: F401


began = time.perf_counter()
prepare()
note(time.perf_counter() - began)


@app.get("/")
async def root() -> str:
    """Answer."""
    return "ok"
