"""FastAPI and SQLAlchemy: the pool shrinks to two connections."""

import os
import time

from fastapi import FastAPI
from sqlalchemy import create_engine, text
from sqlalchemy.pool import QueuePool
from stopwatch import note

app = FastAPI()
size = 2 if os.environ["SIDE"] == "b" else 20
engine = create_engine(
    "sqlite:///data.db", poolclass=QueuePool, pool_size=size, max_overflow=0
)


def settle_account() -> None:
    """Work while the connection is held."""
    time.sleep(0.01)


@app.get("/")
def pay() -> str:
    """Use a connection."""
    began = time.perf_counter()
    with engine.connect() as connection:
        note(time.perf_counter() - began)
        connection.execute(text("select 1"))
        settle_account()
    return "paid"
