"""Five calls to another service, by the handlers of the practice `downstream_calls`.

The guide's example opens a client for every call. Under load that takes so much of
the processor that little else could be compared beside it, so one caller asks here.
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

Ask = Callable[[int], Awaitable[list[Square]]]


@pytest.fixture(scope="module")
def downstream() -> Iterator[str]:
    """Start the other service; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    # Not by handing over the socket: its connections would be without TCP_NODELAY,
    # and every answer would wait for an acknowledgement.
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


def calls(
    benchmark: BenchmarkFixture, url: str, practice: Callable[[Resources], Handler]
) -> None:
    """Time one request after the other, each of five calls."""
    resources = Resources(Settings(downstream_url=url))
    squares = cast(Ask, practice(resources))
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        found = benchmark(lambda: loop.run_until_complete(squares(FIRST)))
        loop.run_until_complete(resources.close())
    wanted = range(FIRST, FIRST + downstream_calls.CALLS)
    assert [(one.number, one.square) for one in found] == [(n, n * n) for n in wanted]


def test_sequential(benchmark: BenchmarkFixture, downstream: str) -> None:
    """Before: one after the other, by one client."""
    calls(benchmark, downstream, downstream_calls.sequential)


def test_client_per_call(benchmark: BenchmarkFixture, downstream: str) -> None:
    """After, as the guide writes it: all at once, with a client for each."""
    calls(benchmark, downstream, downstream_calls.client_per_call)


def test_shared_client(benchmark: BenchmarkFixture, downstream: str) -> None:
    """After: all at once, by one client that keeps its connections."""
    calls(benchmark, downstream, downstream_calls.gathered)
