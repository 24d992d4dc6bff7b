"""A network of some length: a proxy that passes on every byte a while later.

    python -m assay.services.delay PORT HOST:PORT ROUND_TRIP

Half of the round trip passes on the way there, half on the way back; bytes keep their
order and no bandwidth is taken away. On loopback a database is nearer than it ever is
in production, so waiting for it costs nothing; this puts the distance back.

One thread waits with epoll for sockets and for a timerfd, since the timeouts of epoll
itself are rounded to milliseconds.
"""

from __future__ import annotations

import contextlib
import ctypes
import heapq
import itertools
import os
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from assay.errors import MeasureError
from assay.system import ports, processes

CHUNK = 1 << 16
MOST_HELD = 1 << 24  # bytes of one way: whoever takes nothing gets no more
START_SECONDS = 10.0
_CLOCK_MONOTONIC, _TIMER_ABSTIME = 1, 1
_NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC


@contextlib.contextmanager
def delayed(
    name: str, url: str, seconds: float, log: Path, cores: Sequence[int] = ()
) -> Iterator[str]:
    """Put a network of some length before a server.

    Args:
        name: Of the server, for messages.
        url: Where it is; with a host and a port.
        seconds: Round trip.
        log: Takes what the proxy says.
        cores: Cores that it is pinned to; empty leaves it free.

    Yields:
        The same URL by way of the proxy.

    Raises:
        MeasureError: The URL has no host and port, or the proxy does not start.
    """
    parts = urlsplit(url)
    if not parts.hostname or not parts.port:
        raise MeasureError(
            f"round_trip of {name}: its URL has no host and port that a network could "
            "be put before"
        )
    port = ports.free()
    ways = [str(port), f"{parts.hostname}:{parts.port}", str(seconds)]
    child = processes.start(
        f"the network before {name}",
        [sys.executable, "-m", "assay.services.delay", *ways],
        log=log,
        cores=cores,
    )
    try:
        until = time.monotonic() + START_SECONDS
        while not _accepts(port):
            if not child.running() or time.monotonic() > until:
                raise MeasureError(
                    f"{child.name} did not start; its last lines:\n{child.last_lines()}"
                )
            time.sleep(0.01)
        user, at, _ = parts.netloc.rpartition("@")
        yield urlunsplit(parts._replace(netloc=f"{user}{at}127.0.0.1:{port}"))
    finally:
        child.stop()


def _accepts(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        return True
    return False


class _Timer(ctypes.Structure):
    _fields_ = [(name, ctypes.c_long) for name in ("every_s", "every_ns", "s", "ns")]


@dataclass
class _Way:
    """Bytes on their way from one socket to another.

    Attributes:
        ready: What has been on its way for long enough and waits for room.
        held: Bytes that were read and not sent yet.
        ended: Whether its source has no more.
        arrived: Whether that has been on its way for long enough.
        over: Whether that has been passed on.
        heard: What epoll is asked for about its source.
    """

    source: socket.socket
    sink: socket.socket
    ready: deque[bytes] = field(default_factory=deque)
    held: int = 0
    ended: bool = False
    arrived: bool = False
    over: bool = False
    heard: int = 0


class Proxy:
    """Passes on what comes, a while later."""

    def __init__(self, listener: socket.socket, to: tuple[str, int], one_way: float):
        """Prepare; nothing is accepted yet.

        Args:
            listener: Where it listens.
            to: Where it passes everything on.
            one_way: Seconds that each byte is on its way.
        """
        self._listener, self._to, self._one_way = listener, to, one_way
        self._epoll = select.epoll()
        self._ways: dict[int, _Way] = {}  # by the descriptor of their source
        # When, a number that keeps the order, whose, and what: no bytes are the end.
        self._due: list[tuple[float, int, _Way, bytes]] = []
        self._numbers = itertools.count()
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._timer = self._libc.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCK_CLOEXEC)
        if self._timer < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        listener.setblocking(False)
        self._epoll.register(listener, select.EPOLLIN)
        self._epoll.register(self._timer, select.EPOLLIN)

    def serve(self) -> None:
        """Work until the process is ended."""
        while True:
            for descriptor, event in self._epoll.poll():
                if descriptor == self._listener.fileno():
                    self._accept()
                elif descriptor == self._timer:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._timer, 8)
                elif descriptor in self._ways:
                    self._happened(self._ways[descriptor], event)
            self._deliver()

    def _happened(self, way: _Way, event: int) -> None:
        if event & ~select.EPOLLOUT and way.heard & select.EPOLLIN:
            self._read(way)
        if event & ~select.EPOLLIN and way.heard & select.EPOLLOUT:
            self._write(self._ways[way.sink.fileno()])

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            here, _ = self._listener.accept()
            try:
                there = socket.create_connection(self._to, timeout=START_SECONDS)
            except OSError:
                here.close()
                return
            for connection in (here, there):
                connection.setblocking(False)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            there_and_back = _Way(here, there), _Way(there, here)
            for way in there_and_back:
                self._ways[way.source.fileno()] = way
            for way in there_and_back:
                self._listen(way)

    def _read(self, way: _Way) -> None:
        try:
            data = way.source.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        when = time.monotonic() + self._one_way
        entry = (when, next(self._numbers), way, data)
        heapq.heappush(self._due, entry)
        way.held += len(data)
        way.ended = not data
        self._listen(way)
        if self._due[0] is entry:
            self._alarm(when)

    def _deliver(self) -> None:
        """Send whatever has been on its way for long enough."""
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            _, _, way, data = heapq.heappop(self._due)
            if data:
                way.ready.append(data)
            else:
                way.arrived = True
            self._write(way)
        if self._due:
            self._alarm(self._due[0][0])

    def _write(self, way: _Way) -> None:
        """Send what is due, as far as the socket takes it."""
        while way.ready:
            try:
                sent = way.sink.send(way.ready[0])
            except BlockingIOError:
                break
            except OSError:  # nobody is there to take it
                sent = len(way.ready[0])
            way.held -= sent
            if sent < len(way.ready[0]):
                way.ready[0] = way.ready[0][sent:]
                break
            way.ready.popleft()
        if way.arrived and not way.ready and not way.over:
            way.over = True
            with contextlib.suppress(OSError):
                way.sink.shutdown(socket.SHUT_WR)
        back = self._ways[way.sink.fileno()]
        if way.over and back.over:
            for one in (way, back):
                self._ask(one, 0)
                del self._ways[one.source.fileno()]
            for one in (way, back):
                one.source.close()
            return
        self._listen(way)
        self._listen(back)

    def _listen(self, way: _Way) -> None:
        """Wait for bytes from a way's source, and for room in it if that is needed."""
        wanted = 0
        if not way.ended and way.held < MOST_HELD:
            wanted |= select.EPOLLIN
        if self._ways[way.sink.fileno()].ready:
            wanted |= select.EPOLLOUT
        self._ask(way, wanted)

    def _ask(self, way: _Way, wanted: int) -> None:
        """Have epoll tell of a way's source; of a broken one it would tell for ever."""
        if wanted == way.heard:
            return
        if not wanted:
            self._epoll.unregister(way.source)
        elif way.heard:
            self._epoll.modify(way.source, wanted)
        else:
            self._epoll.register(way.source, wanted)
        way.heard = wanted

    def _alarm(self, when: float) -> None:
        seconds = int(when)
        due = _Timer(0, 0, seconds, max(1, int((when - seconds) * 1e9)))
        self._libc.timerfd_settime(self._timer, _TIMER_ABSTIME, ctypes.byref(due), None)


def main(words: Sequence[str], served: Callable[[Proxy], None] = Proxy.serve) -> None:
    """Serve as the command line says: the port, where to, and the round trip."""
    port, to, round_trip = words
    host, _, number = to.rpartition(":")
    listener = socket.create_server(("127.0.0.1", int(port)), backlog=1024)
    served(Proxy(listener, (host, int(number)), float(round_trip) / 2))


if __name__ == "__main__":
    main(sys.argv[1:])
