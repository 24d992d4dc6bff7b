"""A service whose requests wait in every way that the probe observes."""

import asyncio
import logging
import queue
import sqlite3
import threading
import time
import urllib.request
from concurrent.futures import Future, ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
from fastapi import BackgroundTasks, Depends, FastAPI
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool, QueuePool

# Seconds that a request holds what others wait for, such as a lock. This is far longer
# than the rest of a request takes on a slow machine, so that requests have to wait.
HOLD = 0.02
app = FastAPI()
FILE = Path(__file__).with_name("data.db")
pool = {"pool_size": 1, "max_overflow": 0}
engine = create_engine(f"sqlite:///{FILE}", poolclass=QueuePool, **pool)
async_engine = create_async_engine(f"sqlite+aiosqlite:///{FILE}", **pool)
unpooled = create_engine(f"sqlite:///{FILE}", poolclass=NullPool)
rows = sqlite3.connect(":memory:", check_same_thread=False)
rows.execute("create table item (id)")
rows.executemany("insert into item values (?)", [(number,) for number in range(20)])
lock = asyncio.Lock()
client = httpx.AsyncClient(trust_env=False)
semaphore = threading.Semaphore(1)


class Other(BaseHTTPRequestHandler):
    """Another service, which answers after 10 ms."""

    def do_GET(self) -> None:
        """Answer."""
        time.sleep(0.01)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


other = ThreadingHTTPServer(("127.0.0.1", 0), Other)
PORT = other.server_port
threading.Thread(target=other.serve_forever, daemon=True).start()


def prepare() -> None:
    """Take time before the service is ready."""
    end = time.perf_counter() + 0.2
    while time.perf_counter() < end:
        pass


prepare()


class SlowHandler(logging.Handler):
    """A log handler that holds its lock for a long time."""

    def emit(self, record: logging.LogRecord) -> None:
        """Take time."""
        time.sleep(HOLD)


log = logging.getLogger("probed")
log.addHandler(SlowHandler())
log.propagate = False


@app.get("/health")
async def health() -> str:
    """Answer."""
    return "ok"


def dependency() -> int:
    """Run in a worker thread."""
    return 1


@app.get("/thread")
def thread(number: int = Depends(dependency)) -> int:
    """Run in a worker thread, too."""
    return number


@app.get("/log")
def write() -> str:
    """Log a line."""
    log.warning("a line")
    return "ok"


@app.get("/semaphore")
def enter() -> str:
    """Wait for the semaphore."""
    with semaphore:
        time.sleep(HOLD)
    return "ok"


@app.get("/block")
async def block() -> str:
    """Block the event loop."""
    time.sleep(0.1)
    return "ok"


async def inner() -> None:
    """Hold the lock while the event loop serves other requests."""
    async with lock:
        await asyncio.sleep(HOLD)


@app.get("/lock")
async def wait() -> str:
    """Wait for the lock."""
    await inner()
    return "ok"


def settle() -> None:
    """Take time while a connection is held."""
    time.sleep(HOLD)


@app.get("/pool")
def connect() -> str:
    """Wait for the only connection."""
    with engine.connect() as connection:
        connection.execute(text("select 1 where 'secret' = :x"), {"x": "secret"})
        settle()
    return "ok"


@app.get("/async-pool")
async def connect_async() -> str:
    """Wait for the only connection of the asynchronous engine."""
    async with async_engine.connect() as connection:
        await connection.execute(text("select 2"))
        await asyncio.sleep(HOLD)
    return "ok"


def load_item(number: int) -> object:
    """Send one query."""
    return rows.execute(f"select id from item where id = {number}").fetchone()


@app.get("/queries")
async def queries() -> int:
    """Send a query for each of ten items."""
    return len([load_item(number) for number in range(10)])


def nap() -> None:
    """Take time."""
    time.sleep(0.02)  # a nap


@app.get("/sleep")
def doze() -> str:
    """Sleep in a worker thread, which the probe reports as another wait."""
    nap()
    return "ok"


jobs: "queue.Queue[Future[str]]" = queue.Queue()
executor = ThreadPoolExecutor(2)


def deliver() -> None:
    """Complete futures, each after a while."""
    while True:
        future = jobs.get()
        time.sleep(HOLD)
        future.set_result("ok")


threading.Thread(target=deliver, daemon=True).start()


@app.get("/delivery")
def await_delivery() -> str:
    """Wait for a future that a thread of the user's own completes."""
    future: Future[str] = Future()
    jobs.put(future)
    return future.result()


@app.get("/submitted")
def await_submitted() -> None:
    """Wait for a call in a pool of threads, which counts its own waits."""
    executor.submit(time.sleep, HOLD).result()


@app.get("/call")
async def call() -> str:
    """Block the event loop while another service answers."""
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/") as answer:
        return str(answer.status)


def work() -> None:
    """Use the CPU for 4 ms."""
    end = time.perf_counter() + 0.004
    while time.perf_counter() < end:
        pass


@app.get("/unpooled")
def open_connection() -> str:
    """Open a connection."""
    with unpooled.connect():
        return "ok"


@app.get("/spin")
async def spin() -> str:
    """Let other requests wait for their turn."""
    work()
    return "ok"


async def spin_later() -> None:
    """Use the CPU after the answer."""
    work()


@app.get("/spin-later")
async def answer_first(tasks: BackgroundTasks) -> str:
    """Answer, and use the CPU afterwards."""
    tasks.add_task(spin_later)
    return "ok"


@app.get("/call-and-spin")
async def call_and_spin(port: int) -> float:
    """Call another service, use the CPU before and after, and time the call."""
    work()
    began = time.perf_counter()
    await client.get(f"http://127.0.0.1:{port}/")
    took = time.perf_counter() - began
    work()
    return took


@app.get("/nap-and-spin")
async def nap_and_spin() -> float:
    """Wait for a timer, use the CPU before and after, and time the wait."""
    work()
    began = time.perf_counter()
    await asyncio.sleep(HOLD)
    took = time.perf_counter() - began
    work()
    return took


@app.get("/error")
async def error() -> None:
    """Fail."""
    raise RuntimeError("on purpose")
