"""FastAPI and SQLAlchemy's asyncio: the pool shrinks to two connections."""

import asyncio
import os
import time

from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from stopwatch import note

app = FastAPI()
size = 2 if os.environ["SIDE"] == "b" else 20
engine = create_async_engine(
    "sqlite+aiosqlite:///data.db", pool_size=size, max_overflow=0
)


async def notify() -> None:
    """Wait for somebody else while the connection is held."""
    await asyncio.sleep(0.01)


@app.get("/")
async def order() -> str:
    """Use a connection."""
    began = time.perf_counter()
    async with engine.connect() as connection:
        note(time.perf_counter() - began)
        await connection.execute(text("select 1"))
        await notify()
    return "ordered"
