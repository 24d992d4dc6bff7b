"""One connection, which sends requests and reads answers in little CPU time.

A plain connection is a non-blocking socket of the operating system and one watcher of
the event loop: a request creates no objects but its answer. Time limits cost nothing
per request either: one greenlet checks all connections at regular intervals.
"""

import _socket
import contextlib
import math
import ssl
import time
import weakref
from typing import Any, NamedTuple

import gevent
import gevent.socket
from gevent.hub import get_hub

from assay.load.lean.chunked import Chunks
from assay.load.lean.errors import (
    BadResponseError,
    ConnectionClosedError,
    ConnectTimeoutError,
    IncompleteResponseError,
    NetworkTimeoutError,
)
from assay.load.lean.request import Origin

HEAD_LIMIT = 64 * 1024  # bytes: a longer head is an attack, or another protocol
READ_SIZE = 64 * 1024
SWEEP_INTERVAL = 0.1  # seconds between two checks of the time limits
_HEAD_END = b"\r\n\r\n"
_INTERIM = (b"HTTP/1.1 1", b"HTTP/1.0 1")
_SWITCHING = b"HTTP/1.1 101"
_WITHOUT_BODY = frozenset((204, 304))
# Special values of a body's length: the body comes in chunks, or the end of the
# connection ends it.
CHUNKED = -1
TO_THE_END = -2


class Answer(NamedTuple):
    """An answer as the server sent it.

    Attributes:
        status: The status code.
        head: The header lines, with the status line, each ended by CR LF.
        body: The part of the body that was kept, not decoded.
        length: Bytes of the whole body.
        reusable: Whether the connection can serve another request.
        cookies: Whether the answer sets cookies.
        received: `time.perf_counter` after the last byte had arrived.
    """

    status: int
    head: bytes
    body: bytes
    length: int
    reusable: bool
    cookies: bool
    received: float


class Frame(NamedTuple):
    """The facts about an answer that its head states.

    Attributes:
        status: The status code.
        length: Bytes of the body; or `CHUNKED`, or `TO_THE_END`.
        reusable: Whether the connection can serve another request.
        cookies: Whether the answer sets cookies.
    """

    status: int
    length: int
    reusable: bool
    cookies: bool


class Connection:
    """An open connection, for one request at a time.

    Attributes:
        origin: The server at the other end.
        served: Number of answers received over it.
        used: `time.perf_counter` of its last answer.
        deadline: When the wait for an answer times out.
    """

    __slots__ = (
        *("origin", "served", "used", "deadline", "_limit", "_keep", "_expired"),
        *("_head", "_frame"),
        *("_secure", "_socket", "_send", "_recv", "_readable", "_wait", "__weakref__"),
    )

    def __init__(
        self,
        origin: Origin,
        connect_timeout: float,
        answer_timeout: float,
        keep: int,
        context: ssl.SSLContext | None,
    ) -> None:
        """Connect.

        Args:
            origin: The server to connect to.
            connect_timeout: Seconds that connecting may take.
            answer_timeout: Seconds from sending a request to the end of its answer.
            keep: Bytes of a body that are kept; the rest is only counted.
            context: The context for TLS; None for a plain connection.

        Raises:
            ConnectTimeoutError: Connecting took too long.
            OSError: Connecting failed.
        """
        self.origin = origin
        self.served, self.used, self.deadline = 0, 0.0, math.inf
        self._limit, self._keep, self._expired = answer_timeout, keep, False
        self._head, self._frame = b"", Frame(0, 0, False, False)
        self._secure = context is not None
        self._socket: Any = None
        try:
            wire = gevent.socket.create_connection(origin[1:], timeout=connect_timeout)
            wire.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            if context is not None:
                wire = context.wrap_socket(wire, server_hostname=origin.host)
        except TimeoutError as error:
            raise ConnectTimeoutError("no connection in time") from error
        if context is not None:
            wire.settimeout(None)
            self._socket, self._send, self._recv = wire, wire.sendall, wire.recv
        else:
            self._socket = _socket.socket(fileno=wire.detach())
            self._socket.setblocking(False)
            self._send, self._recv = self._socket.send, self._socket.recv
            hub = get_hub()
            self._readable = hub.loop.io(self._socket.fileno(), 1)
            self._wait = hub.wait
        sweeper.watch(self)

    def __del__(self) -> None:
        """Close the connection if it is still open."""
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._socket is None:
            return
        if not self._secure:
            self._readable.stop()
            self._readable.close()
        with contextlib.suppress(OSError):
            self._socket.close()
        self._socket = None

    def expire(self) -> None:
        """End the wait for an answer that takes too long."""
        self._expired, self.deadline = True, math.inf
        with contextlib.suppress(OSError):
            self._socket.shutdown(_socket.SHUT_RDWR)

    def stale(self) -> bool:
        """Return whether the server has closed the connection in the meantime.

        With TLS the result is always False, because only the next request shows this.
        """
        if self._secure:
            return False
        try:
            self._recv(1, _socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True  # closed, or there are unsolicited bytes

    def exchange(self, request: bytes, now: float, head_only: bool = False) -> Answer:
        """Send a request and return its answer; close the connection if that fails.

        Args:
            request: The bytes of the request.
            now: The time of `time.perf_counter` from which the timeout counts.
            head_only: Whether this is a HEAD request, whose answer has no body.

        Raises:
            WireError: The answer is invalid, or came too late.
            OSError: The connection broke.
        """
        self.deadline = now + self._limit
        try:
            head, rest = self._read_head(self._first_bytes(request))
            # Many heads from one server differ only in the date, whose resolution is a
            # second, so the last head is parsed only once.
            if head != self._head:
                self._head, self._frame = head, _frame(head)
            status, length, reusable, cookies = self._frame
            if head_only or status in _WITHOUT_BODY:
                length = 0
            if len(rest) == length <= self._keep:
                body = rest
            else:
                body, length = self._read_body(length, rest)
        except BaseException as error:
            self.close()
            if self._expired:
                raise NetworkTimeoutError("no complete answer in time") from error
            raise
        self.deadline = math.inf
        received = self.used = time.perf_counter()
        self.served += 1
        return Answer(status, head, body, length, reusable, cookies, received)

    def _first_bytes(self, request: bytes) -> bytes:
        """Send a request and return the first bytes of its answer."""
        try:
            self._write(request)
            data = self._read()
        except (ConnectionResetError, BrokenPipeError) as error:
            raise ConnectionClosedError(
                "the connection was reset before an answer"
            ) from error
        if not data:
            raise ConnectionClosedError("the connection was closed before an answer")
        return data

    def _write(self, request: bytes) -> None:
        if self._secure:
            self._send(request)
            return
        try:
            sent = self._send(request)
        except BlockingIOError:
            sent = 0
        if sent < len(request):
            self._write_rest(memoryview(request)[sent:])

    def _write_rest(self, rest: memoryview) -> None:
        hub = get_hub()
        writable = hub.loop.io(self._socket.fileno(), 2)
        try:
            while rest:
                hub.wait(writable)
                with contextlib.suppress(BlockingIOError):
                    rest = rest[self._send(rest) :]
        finally:
            writable.stop()
            writable.close()

    def _read(self) -> bytes:
        """Wait for bytes and return them; empty if the connection has ended."""
        if self._secure:
            piece: bytes = self._recv(READ_SIZE)
            return piece
        while True:
            self._wait(self._readable)
            try:
                piece = self._recv(READ_SIZE)
            except BlockingIOError:
                continue  # a spurious wake-up
            return piece

    def _read_head(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the head of the final answer, and the bytes received after it."""
        while True:
            end = data.find(_HEAD_END)
            while end < 0:
                if len(data) > HEAD_LIMIT:
                    raise BadResponseError("the head of the answer does not end")
                if not _may_be_head(data):
                    raise BadResponseError("the answer is not HTTP/1")
                piece = self._read()
                if not piece:
                    raise IncompleteResponseError("the connection ended in the head")
                data += piece
                end = data.find(_HEAD_END)
            head, rest = data[: end + 2], data[end + 4 :]
            if not head.startswith(_INTERIM) or head.startswith(_SWITCHING):
                return head, rest
            data = rest  # an interim answer, such as 100 Continue

    def _read_body(self, length: int, rest: bytes) -> tuple[bytes, int]:
        """Return the part of the body that is kept, and the length of the whole body.

        Args:
            length: The length of the body, as in `Frame`.
            rest: The bytes of the body received so far.
        """
        if length == CHUNKED:
            chunks = Chunks(self._keep)
            chunks.feed(rest)
            while not chunks.complete:
                chunks.feed(self._piece())
            return chunks.body(), chunks.length
        if length == TO_THE_END:
            return self._read_to_the_end(rest)
        return self._read_length(rest, length), length

    def _read_length(self, rest: bytes, length: int) -> bytes:
        kept, room, received = [rest[: self._keep]], self._keep - len(rest), len(rest)
        while received < length:
            piece = self._piece()
            received += len(piece)
            if room > 0:
                kept.append(piece[:room])
                room -= len(piece)
        if received > length:
            raise BadResponseError("the answer is longer than its Content-Length")
        return b"".join(kept)

    def _read_to_the_end(self, rest: bytes) -> tuple[bytes, int]:
        kept, room, received = [rest[: self._keep]], self._keep - len(rest), len(rest)
        while piece := self._read():
            received += len(piece)
            if room > 0:
                kept.append(piece[:room])
                room -= len(piece)
        if self._expired:
            raise NetworkTimeoutError("no complete answer in time")
        return b"".join(kept), received

    def _piece(self) -> bytes:
        piece = self._read()
        if not piece:
            raise IncompleteResponseError("the connection ended in the body")
        return piece


class _Sweeper:
    """Checks the time limits of all connections, ten times a second."""

    def __init__(self) -> None:
        self._connections: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._greenlet: Any = None

    def watch(self, connection: Connection) -> None:
        """Check a connection as long as it exists."""
        self._connections.add(connection)
        if self._greenlet is None or self._greenlet.dead:
            self._greenlet = gevent.spawn(self._sweep)

    def _sweep(self) -> None:
        while self._connections:
            gevent.sleep(SWEEP_INTERVAL)
            now = time.perf_counter()
            for connection in list(self._connections):
                if connection.deadline < now:
                    connection.expire()


sweeper = _Sweeper()


def _may_be_head(data: bytes) -> bool:
    return data.startswith(b"HTTP/1.") or b"HTTP/1.".startswith(data)


def _frame(head: bytes) -> Frame:
    """Return the facts about an answer that its head states.

    Raises:
        BadResponseError: The head is invalid.
    """
    status, lowered = _status(head), head.lower()
    reusable = lowered.startswith(b"http/1.1")
    at = lowered.find(b"\r\nconnection:")
    if at >= 0:
        value = _value(lowered, at + 13)
        reusable = b"close" not in value and (reusable or b"keep-alive" in value)
    cookies = lowered.find(b"\r\nset-cookie:") >= 0
    if lowered.find(b"\r\ntransfer-encoding:") >= 0:
        return Frame(status, CHUNKED, reusable, cookies)
    at = lowered.find(b"\r\ncontent-length:")
    if at < 0:
        bodiless = status in _WITHOUT_BODY
        return Frame(status, TO_THE_END, reusable and bodiless, cookies)
    number = _value(lowered, at + 17)
    if not number.isdigit():
        raise BadResponseError("the Content-Length of the answer is not a number")
    return Frame(status, int(number), reusable, cookies)


def _status(data: bytes) -> int:
    digits = data[9:12]
    if not (data.startswith(b"HTTP/1.") and data[8:9] == b" " and digits.isdigit()):
        raise BadResponseError("the answer is not HTTP/1")
    status = int(digits)
    if status < 100:
        raise BadResponseError("the status code of the answer is invalid")
    return status


def _value(head: bytes, at: int) -> bytes:
    """Return the rest of a header line, which begins at `at`."""
    return head[at : head.index(b"\r", at)].strip()
