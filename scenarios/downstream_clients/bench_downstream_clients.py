"""Five calls to another service, with the handlers of the practice `downstream_calls`.

The guide's example opens a client for every call. Under load, this takes so much CPU
time that all variants would have to run at a very low rate. So this benchmark times a
single caller.
"""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import cast

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from target_app.core.config import Settings
from target_app.core.database import Resources
from target_app.practices import Handler, downstream_calls
from target_app.schemas import Square

REPOSITORY = Path(__file__).parents[2]
FIRST = 7

Squares = Callable[[int], Awaitable[list[Square]]]


@pytest.fixture(scope="module")
def downstream() -> Iterator[str]:
    """Start the downstream service; yield its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    # The socket is not passed to the server, because its connections would not have
    # TCP_NODELAY, and every answer would wait for an acknowledgement.
    command = [sys.executable, "-m", "uvicorn", "target_app.downstream:app"]
    with subprocess.Popen(
        [*command, f"--port={port}", "--log-level=warning"], cwd=REPOSITORY
    ) as server:
        try:
            while server.poll() is None:
                with suppress(ConnectionRefusedError):
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                time.sleep(0.02)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def time_requests(
    benchmark: BenchmarkFixture, url: str, build: Callable[[Resources], Handler]
) -> None:
    """Time a variant's requests, one after the other, each with five calls."""
    resources = Resources(Settings(downstream_url=url))
    squares = cast(Squares, build(resources))
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        answer = benchmark(lambda: loop.run_until_complete(squares(FIRST)))
        loop.run_until_complete(resources.close())
    numbers = range(FIRST, FIRST + downstream_calls.CALLS)
    assert [(item.number, item.square) for item in answer] == [
        (number, number**2) for number in numbers
    ]


def test_sequential(benchmark: BenchmarkFixture, downstream: str) -> None:
    """Before: one call after the other, with one client."""
    time_requests(benchmark, downstream, downstream_calls.sequential)


def test_client_per_call(benchmark: BenchmarkFixture, downstream: str) -> None:
    """After, as in the guide: all calls at once, with a client for each."""
    time_requests(benchmark, downstream, downstream_calls.client_per_call)


def test_shared_client(benchmark: BenchmarkFixture, downstream: str) -> None:
    """After: all calls at once, with one client that keeps its connections."""
    time_requests(benchmark, downstream, downstream_calls.gathered)
