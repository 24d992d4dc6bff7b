"""The delay added to a service's network: real sockets through a real process."""

import contextlib
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.errors import MeasureError
from assay.services.delay import delayed
from tests.repeated import repeated

BIG = bytes(range(256)) * 40_000  # 10 MB


@contextlib.contextmanager
def echoing() -> Iterator[int]:
    """Run a server that sends back what it receives, then `bye`; yield its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=echo, args=(connection,), daemon=True).start()

    def echo(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            while data := connection.recv(65536):
                connection.sendall(data)
            connection.sendall(b"bye")

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.close()


def through(
    port: int, seconds: float, tmp_path: Path
) -> "contextlib.AbstractContextManager[str]":
    return delayed("it", f"redis://me:pw@127.0.0.1:{port}/0", seconds, tmp_path / "log")


def connected(url: str) -> socket.socket:
    port = int(url.rpartition(":")[2].partition("/")[0])
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.settimeout(20)
    return connection


@repeated
def test_an_answer_takes_a_round_trip_and_not_much_more(tmp_path: Path) -> None:
    with echoing() as port, through(port, 0.1, tmp_path) as url:
        assert url.startswith("redis://me:pw@127.0.0.1:") and url.endswith("/0")
        with connected(url) as connection:
            times = []
            for number in range(20):
                began = time.perf_counter()
                connection.sendall(b"%d" % number)
                assert connection.recv(100) == b"%d" % number
                times.append(time.perf_counter() - began)
    assert min(times) >= 0.1
    assert statistics.median(times) < 0.11


def test_bytes_keep_their_order_and_none_is_lost(tmp_path: Path) -> None:
    with echoing() as port, through(port, 0.005, tmp_path) as url:
        with connected(url) as connection:

            def send() -> None:
                connection.sendall(BIG)
                connection.shutdown(socket.SHUT_WR)

            sender = threading.Thread(target=send)
            sender.start()
            came = bytearray()
            while data := connection.recv(65536):
                came += data
            sender.join()
    # What the server sends after the client has stopped sending arrives, too.
    assert bytes(came) == BIG + b"bye"


def test_many_at_once_do_not_wait_for_each_other(tmp_path: Path) -> None:
    with echoing() as port, through(port, 0.1, tmp_path) as url:
        with contextlib.ExitStack() as stack:
            every = [stack.enter_context(connected(url)) for _ in range(50)]
            began = time.perf_counter()
            for number, connection in enumerate(every):
                connection.sendall(b"%d" % number)
            for number, connection in enumerate(every):
                assert connection.recv(10) == b"%d" % number
            took = time.perf_counter() - began
    assert 0.1 <= took < 2.0  # one after the other it would be 5 s


def test_who_goes_away_does_not_disturb_others(tmp_path: Path) -> None:
    with echoing() as port, through(port, 0.01, tmp_path) as url:
        with connected(url) as stays:
            for _ in range(20):
                with connected(url) as goes:
                    goes.sendall(b"x" * 100_000)
            stays.sendall(b"here")
            assert stays.recv(10) == b"here"


def test_nobody_behind_it_is_a_closed_connection(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
    with through(port, 0.01, tmp_path) as url, connected(url) as connection:
        assert connection.recv(10) == b""


def test_a_url_without_a_port_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MeasureError, match="no host and port"):
        with delayed("redis", "unix:///run/redis.sock", 0.01, tmp_path / "log"):
            pass
