"""FastAPI: a plain function that waits before it answers."""

import os
import time

from fastapi import FastAPI

app = FastAPI()


def settle() -> None:
    """Wait for something else."""
    if os.environ["SIDE"] == "b":
        time.sleep(0.008)


@app.get("/")
def root() -> str:
    """Answer."""
    settle()
    return "ok"
