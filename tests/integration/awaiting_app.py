"""A service whose coroutines await things that the probe has no kind for."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
from fastapi import BackgroundTasks, Depends, FastAPI, Request, Response
from fastapi.responses import StreamingResponse

LONG, SHORT = 0.04, 0.01
requests: asyncio.Queue[asyncio.Event] = asyncio.Queue()
lock = asyncio.Lock()
client = httpx.AsyncClient(trust_env=False)


async def answer_later() -> None:
    """Answer each of the queue's requests after a while."""
    while True:
        event = await requests.get()
        await asyncio.sleep(SHORT)
        event.set()


async def close_after_a_while(
    _: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer after a while."""
    await asyncio.sleep(LONG)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    writer.close()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Start what the service needs."""
    worker = asyncio.create_task(answer_later())
    server = await asyncio.start_server(close_after_a_while, "127.0.0.1", 0)
    app.state.port = server.sockets[0].getsockname()[1]
    yield
    worker.cancel()
    server.close()


app = FastAPI(lifespan=lifespan)


@app.middleware("http")
async def around(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    """Run the endpoint in a task of its own."""
    return await call_next(request)


@app.get("/health")
async def health() -> str:
    """Answer."""
    return "ok"


async def nap() -> None:
    """Sleep."""
    await asyncio.sleep(LONG)


@app.get("/sleep")
async def sleep() -> str:
    """Sleep in a function of its own."""
    await nap()
    return "ok"


@app.get("/gather")
async def gather() -> str:
    """Do three things at once."""
    await asyncio.gather(nap(), nap(), asyncio.sleep(SHORT))
    return "ok"


@app.get("/queue")
async def ask() -> str:
    """Wait for an answer of the task that serves all requests."""
    event = asyncio.Event()
    await requests.put(event)
    await event.wait()
    return "ok"


@app.get("/thread")
async def in_thread() -> str:
    """Wait for a worker thread, which waits."""
    await asyncio.to_thread(time.sleep, LONG)
    return "ok"


@app.get("/executor")
async def in_executor() -> str:
    """Wait for a thread of the default executor."""
    loop = asyncio.get_running_loop()
    await asyncio.wait_for(loop.run_in_executor(None, time.sleep, LONG), 5)
    return "ok"


@app.get("/process")
async def run() -> str:
    """Wait for another process."""
    words = (sys.executable, "-I", "-S", "-c", f"import time; time.sleep({LONG})")
    process = await asyncio.create_subprocess_exec(*words)
    await process.wait()
    return "ok"


@app.get("/stream")
async def read(request: Request) -> str:
    """Wait for a line of another service, without a client library."""
    port = request.app.state.port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await reader.readline()
    writer.close()
    return "ok"


async def call(name: str) -> int:
    """Call the other service."""
    answer = await client.get(f"http://127.0.0.1:{app.state.port}/{name}")
    return answer.status_code


@app.get("/one-by-one")
async def one_by_one() -> list[int]:
    """Call twice, one call after the other."""
    return [await call("one"), await call("two")]


@app.get("/at-once")
async def at_once() -> list[int]:
    """Call twice at the same time."""
    return list(await asyncio.gather(call("one"), call("two")))


async def held() -> None:
    """Sleep while the lock is held."""
    async with lock:
        await asyncio.sleep(SHORT)


@app.get("/lock")
async def wait_for_lock() -> str:
    """Wait for the lock."""
    await held()
    return "ok"


async def lines() -> AsyncIterator[str]:
    """Send some lines, slowly."""
    for _ in range(2):
        await asyncio.sleep(LONG / 2)
        yield "line\n"


@app.get("/streaming")
async def streaming() -> StreamingResponse:
    """Answer slowly."""
    return StreamingResponse(lines())


async def session() -> AsyncIterator[int]:
    """Sleep before the endpoint runs."""
    await asyncio.sleep(LONG)
    yield 1


@app.get("/dependency")
async def depending(number: int = Depends(session)) -> int:
    """Use a dependency that is a generator."""
    return number


@app.get("/background")
async def background(tasks: BackgroundTasks) -> str:
    """Go on after the answer."""
    tasks.add_task(nap)
    return "ok"


@app.get("/forgotten")
async def forget() -> str:
    """Go on in a task that nobody waits for."""
    app.state.task = asyncio.create_task(nap())
    return "ok"
