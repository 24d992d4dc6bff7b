"""A service that uses database drivers without an ORM, and calls another service."""

import os
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import asyncpg
import httpx
import psycopg
import redis
import redis.asyncio
import requests
from fastapi import BackgroundTasks, FastAPI
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

DATABASE, REDIS = os.environ["DATABASE_URL"], os.environ["REDIS_URL"]


class Other(BaseHTTPRequestHandler):
    """Another service."""

    def do_GET(self) -> None:
        """Answer after 3 ms."""
        time.sleep(0.003)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


other = ThreadingHTTPServer(("127.0.0.1", 0), Other)
threading.Thread(target=other.serve_forever, daemon=True).start()
OTHER = f"http://127.0.0.1:{other.server_port}"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the pool."""
    app.state.pool = await asyncpg.create_pool(DATABASE, min_size=1, max_size=1)
    yield
    await app.state.pool.close()


app = FastAPI(lifespan=lifespan)
cache = redis.Redis.from_url(REDIS)
async_cache = redis.asyncio.Redis.from_url(REDIS)


@app.get("/health")
async def health() -> str:
    """Answer."""
    return "ok"


@app.get("/psycopg")
def read_psycopg() -> str:
    """Send a query."""
    with psycopg.connect(DATABASE) as connection:
        connection.execute("select 1 where 'secret' = %s", ("secret",))
    return "ok"


@app.get("/psycopg-async")
async def read_psycopg_async() -> str:
    """Send a query."""
    async with await psycopg.AsyncConnection.connect(DATABASE) as connection:
        await connection.execute("select 2 where 'secret' = %s", ("secret",))
    return "ok"


@app.get("/asyncpg")
async def read_asyncpg() -> str:
    """Send a query over the only connection of a pool."""
    async with app.state.pool.acquire() as connection:
        await connection.fetchval("select 3, pg_sleep(0.02)")
    return "ok"


@app.get("/asyncpg-connect")
async def connect_asyncpg() -> str:
    """Open a connection."""
    connection = await asyncpg.connect(DATABASE)
    await connection.close()
    return "ok"


def of_driver(driver: str) -> str:
    """Return SQLAlchemy's URL of the database."""
    return DATABASE.replace("postgresql://", f"postgresql+{driver}://", 1)


unpooled = create_engine(of_driver("psycopg"), poolclass=NullPool)


def create_connection() -> psycopg.Connection:
    """Open a connection for SQLAlchemy."""
    return psycopg.connect(DATABASE)


by_creator = create_engine(
    "postgresql+psycopg://", creator=create_connection, poolclass=NullPool
)
async_unpooled = create_async_engine(of_driver("asyncpg"), poolclass=NullPool)


@app.get("/sqlalchemy")
def read_sqlalchemy() -> str:
    """Open a connection."""
    with unpooled.connect():
        return "ok"


@app.get("/reads")
def read_only() -> str:
    """Read in a transaction that nothing commits."""
    with unpooled.connect() as connection:
        connection.execute(text("select 5"))
    return "ok"


@app.get("/reads-async")
async def read_only_async() -> str:
    """Read in a transaction that nothing commits."""
    async with async_unpooled.connect() as connection:
        await connection.execute(text("select 6"))
    return "ok"


@app.get("/rolls-back")
def roll_back() -> str:
    """Read in a transaction of psycopg, and roll it back."""
    connection = psycopg.connect(DATABASE)
    connection.execute("select 7")
    connection.rollback()
    connection.close()
    return "ok"


def read_later() -> None:
    """Send a query that takes 20 ms."""
    with psycopg.connect(DATABASE, autocommit=True) as connection:
        connection.execute("select 8, pg_sleep(0.02)")


@app.get("/later")
def answer_first(background: BackgroundTasks) -> str:
    """Send a query after the answer, in a worker thread."""
    background.add_task(read_later)
    return "ok"


@app.get("/creator")
def read_by_creator() -> str:
    """Open a connection by a function of the user's own."""
    with by_creator.connect():
        return "ok"


@app.get("/new-pool")
async def read_new_pool() -> str:
    """Let a pool open a connection while a request waits for one."""
    async with asyncpg.create_pool(DATABASE, min_size=0, max_size=1) as pool:
        async with pool.acquire() as connection:
            await connection.fetchval("select 4")
    return "ok"


@app.get("/sqlalchemy-async")
async def read_sqlalchemy_async() -> str:
    """Open a connection."""
    async with async_unpooled.connect():
        return "ok"


@app.get("/redis")
def read_redis() -> str:
    """Send a command."""
    return str(cache.get("secret:7"))


@app.get("/redis-async")
async def read_redis_async() -> str:
    """Send a command."""
    return str(await async_cache.get("secret:7"))


@app.get("/requests")
def read_requests() -> str:
    """Call the other service."""
    return str(requests.get(f"{OTHER}/stock/7?secret=1", timeout=9).status_code)


@app.get("/httpx")
async def read_httpx() -> str:
    """Call the other service."""
    async with httpx.AsyncClient(trust_env=False) as client:
        return str((await client.get(f"{OTHER}/stock/7?secret=1")).status_code)
