"""FastAPI: a plain function that waits before it answers."""

import os
import time

from fastapi import FastAPI
from stopwatch import note

app = FastAPI()


def settle() -> None:
    """Wait for something else."""
    if os.environ["SIDE"] == "b":
        time.sleep(0.008)


@app.get("/")
def root() -> str:
    """Answer."""
    began = time.perf_counter()
    settle()
    note(time.perf_counter() - began)
    return "ok"
