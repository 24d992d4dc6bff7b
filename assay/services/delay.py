"""A network delay: a proxy that forwards all bytes after a fixed time.

    python -m assay.services.delay PORT HOST:PORT ROUND_TRIP

Half of the round trip is added on the way there, half on the way back. Bytes keep
their order, and the bandwidth is not limited. On loopback a database is nearer than it
ever is in production, so waiting for it costs almost nothing; the proxy adds the
missing distance.

One thread waits with epoll for sockets and for a timerfd. The timerfd is needed because
epoll rounds its own timeouts to milliseconds.
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

CHUNK_BYTES = 1 << 16
MAX_BUFFERED = 1 << 24  # bytes in one direction; above it the proxy stops reading
START_SECONDS = 10.0
_CLOCK_MONOTONIC = 1
_TIMER_ABSTIME = 1
_NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC


@contextlib.contextmanager
def delayed(
    name: str, url: str, seconds: float, log: Path, cores: Sequence[int] = ()
) -> Iterator[str]:
    """Put a network delay in front of a server.

    Args:
        name: Name of the server, for messages.
        url: URL of the server; it must have a host and a port.
        seconds: Round trip time.
        log: The file for the output of the proxy.
        cores: Cores to pin the proxy to; empty for no pinning.

    Yields:
        The URL of the server through the proxy.

    Raises:
        MeasureError: The URL has no host and port, or the proxy does not start.
    """
    parts = urlsplit(url)
    if not parts.hostname or not parts.port:
        raise MeasureError(
            f"round_trip of {name}: its URL has no host and port, so no network delay "
            "can be put in front of it"
        )
    port = ports.free()
    arguments = [str(port), f"{parts.hostname}:{parts.port}", str(seconds)]
    child = processes.start(
        f"the network delay of {name}",
        [sys.executable, "-m", "assay.services.delay", *arguments],
        log=log,
        cores=cores,
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _accepts(port):
            if not child.running() or time.monotonic() > deadline:
                raise MeasureError(
                    f"{child.name} did not start; its last lines:\n{child.last_lines()}"
                )
            time.sleep(0.01)
        credentials, at_sign, _ = parts.netloc.rpartition("@")
        yield urlunsplit(
            parts._replace(netloc=f"{credentials}{at_sign}127.0.0.1:{port}")
        )
    finally:
        child.stop()


def _accepts(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        return True
    return False


class _Timer(ctypes.Structure):
    """The C structure itimerspec: an interval and the time of the first expiry."""

    _fields_ = [
        (name, ctypes.c_long)
        for name in ("interval_s", "interval_ns", "value_s", "value_ns")
    ]


@dataclass
class _Direction:
    """One direction of a connection: from one socket to the other.

    Attributes:
        ready: Data whose delay is over and that waits for room in the sink.
        buffered: Number of bytes that were read but not sent yet.
        source_ended: Whether the source has no more data.
        end_due: Whether the delay of the source's end is over.
        end_forwarded: Whether the sink was told of the source's end.
        watched_events: The events of the source that epoll watches.
    """

    source: socket.socket
    sink: socket.socket
    ready: deque[bytes] = field(default_factory=deque)
    buffered: int = 0
    source_ended: bool = False
    end_due: bool = False
    end_forwarded: bool = False
    watched_events: int = 0


class Proxy:
    """Forwards data in both directions after a delay."""

    def __init__(self, listener: socket.socket, to: tuple[str, int], one_way: float):
        """Prepare the proxy without accepting connections yet.

        Args:
            listener: The socket that the proxy listens on.
            to: Host and port that it forwards to.
            one_way: Delay of each byte, in seconds.
        """
        self._listener = listener
        self._to = to
        self._one_way = one_way
        self._epoll = select.epoll()
        # The key is the file descriptor of the source.
        self._directions: dict[int, _Direction] = {}
        # Heap of due time, sequence number, direction and data. Empty data stands for
        # the end of the source.
        self._delayed: list[tuple[float, int, _Direction, bytes]] = []
        self._sequence = itertools.count()
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._timer = self._libc.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCK_CLOEXEC)
        if self._timer < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        listener.setblocking(False)
        self._epoll.register(listener, select.EPOLLIN)
        self._epoll.register(self._timer, select.EPOLLIN)

    def serve(self) -> None:
        """Forward until the process ends."""
        while True:
            for descriptor, event in self._epoll.poll():
                if descriptor == self._listener.fileno():
                    self._accept()
                elif descriptor == self._timer:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._timer, 8)
                elif descriptor in self._directions:
                    self._handle(self._directions[descriptor], event)
            self._deliver()

    def _handle(self, direction: _Direction, event: int) -> None:
        if event & ~select.EPOLLOUT and direction.watched_events & select.EPOLLIN:
            self._read(direction)
        if event & ~select.EPOLLIN and direction.watched_events & select.EPOLLOUT:
            self._write(self._directions[direction.sink.fileno()])

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            client, _ = self._listener.accept()
            try:
                server = socket.create_connection(self._to, timeout=START_SECONDS)
            except OSError:
                client.close()
                return
            for connection in (client, server):
                connection.setblocking(False)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            both = (_Direction(client, server), _Direction(server, client))
            for direction in both:
                self._directions[direction.source.fileno()] = direction
            for direction in both:
                self._update_events(direction)

    def _read(self, direction: _Direction) -> None:
        try:
            data = direction.source.recv(CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        due = time.monotonic() + self._one_way
        entry = (due, next(self._sequence), direction, data)
        heapq.heappush(self._delayed, entry)
        direction.buffered += len(data)
        direction.source_ended = not data
        self._update_events(direction)
        if self._delayed[0] is entry:
            self._set_timer(due)

    def _deliver(self) -> None:
        """Send all data whose delay is over."""
        now = time.monotonic()
        while self._delayed and self._delayed[0][0] <= now:
            _, _, direction, data = heapq.heappop(self._delayed)
            if data:
                direction.ready.append(data)
            else:
                direction.end_due = True
            self._write(direction)
        if self._delayed:
            self._set_timer(self._delayed[0][0])

    def _write(self, direction: _Direction) -> None:
        """Send the data that is due, as far as the socket accepts it."""
        while direction.ready:
            try:
                sent = direction.sink.send(direction.ready[0])
            except BlockingIOError:
                break
            except OSError:  # the receiver is gone
                sent = len(direction.ready[0])
            direction.buffered -= sent
            if sent < len(direction.ready[0]):
                direction.ready[0] = direction.ready[0][sent:]
                break
            direction.ready.popleft()
        if direction.end_due and not direction.ready and not direction.end_forwarded:
            direction.end_forwarded = True
            with contextlib.suppress(OSError):
                direction.sink.shutdown(socket.SHUT_WR)
        opposite = self._directions[direction.sink.fileno()]
        if direction.end_forwarded and opposite.end_forwarded:
            for ended in (direction, opposite):
                self._watch(ended, 0)
                del self._directions[ended.source.fileno()]
            for ended in (direction, opposite):
                ended.source.close()
            return
        self._update_events(direction)
        self._update_events(opposite)

    def _update_events(self, direction: _Direction) -> None:
        """Watch a source for data to read, and for room if data must be sent to it."""
        events = 0
        if not direction.source_ended and direction.buffered < MAX_BUFFERED:
            events |= select.EPOLLIN
        if self._directions[direction.sink.fileno()].ready:
            events |= select.EPOLLOUT
        self._watch(direction, events)

    def _watch(self, direction: _Direction, events: int) -> None:
        """Let epoll watch the source for events.

        Without events the source is unregistered, since epoll would report a broken
        connection again and again.
        """
        if events == direction.watched_events:
            return
        if not events:
            self._epoll.unregister(direction.source)
        elif direction.watched_events:
            self._epoll.modify(direction.source, events)
        else:
            self._epoll.register(direction.source, events)
        direction.watched_events = events

    def _set_timer(self, due: float) -> None:
        seconds = int(due)
        spec = _Timer(0, 0, seconds, max(1, int((due - seconds) * 1e9)))
        self._libc.timerfd_settime(
            self._timer, _TIMER_ABSTIME, ctypes.byref(spec), None
        )


def main(arguments: Sequence[str], run: Callable[[Proxy], None] = Proxy.serve) -> None:
    """Run the proxy; the arguments are the port, the destination and the round trip."""
    port, destination, round_trip = arguments
    host, _, destination_port = destination.rpartition(":")
    listener = socket.create_server(("127.0.0.1", int(port)), backlog=1024)
    run(Proxy(listener, (host, int(destination_port)), float(round_trip) / 2))


if __name__ == "__main__":
    main(sys.argv[1:])
