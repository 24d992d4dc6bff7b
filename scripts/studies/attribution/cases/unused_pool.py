"""FastAPI: a pool is larger than before, though a quarter of it would do."""

import os
import time

from fastapi import FastAPI
from sqlalchemy import create_engine, text
from sqlalchemy.pool import QueuePool

app = FastAPI()
SIZE = 20 if os.environ["SIDE"] == "a" else 30
engine = create_engine(
    "sqlite://",
    poolclass=QueuePool,
    pool_size=SIZE,
    max_overflow=0,
    connect_args={"check_same_thread": False},
)


@app.get("/")
def root() -> int:
    """Hold a connection for a while."""
    with engine.connect() as connection:
        time.sleep(0.005)
        return int(connection.execute(text("select 1")).scalar_one())
