"""Measure at the socket when a request was sent and its answer arrived.

A client's own times include building the request and parsing the answer. With
FastHttpUser and a cold cache this takes 0.1 ms and more, which would count as the
target's time. So the times of the first `send` and the last `recv` of each request are
noted on the greenlet that makes the request, whatever client it uses. If a request
opens a connection first, its time begins with `connect`, because a server that does not
accept connections makes its clients wait, too.
"""

import time
from collections.abc import Callable
from typing import Any

import gevent.socket
from gevent import getcurrent


class Stamps:
    """The socket's times of the request that a greenlet is making."""

    __slots__ = ("sent", "received")

    def __init__(self) -> None:
        """Begin before any request."""
        self.sent = self.received = 0.0

    def take(self, start: float, end: float) -> tuple[float, float]:
        """Return the times of a request at the socket, and reset them for the next one.

        Args:
            start: When the client began the request.
            end: When the client had completed it.

        Returns:
            Start and end at the socket. If the socket saw nothing in between, these are
            the client's times: the client has its own kind of socket, or uses TLS.
        """
        sent, received = self.sent, self.received
        self.sent = self.received = 0.0
        if start <= sent <= received <= end:
            return sent, received
        return start, end


def install() -> None:
    """Make gevent's sockets, and so the standard library's, note these times."""
    for name in ("connect", "send", "sendall"):
        _wrap(name, _before_send, None)
    for name in ("recv", "recv_into"):
        _wrap(name, None, _after_receive)


def _before_send(stamps: Stamps) -> None:
    if not stamps.sent:
        stamps.sent = time.perf_counter()


def _after_receive(stamps: Stamps) -> None:
    stamps.received = time.perf_counter()


def _wrap(
    name: str,
    before: Callable[[Stamps], None] | None,
    after: Callable[[Stamps], None] | None,
) -> None:
    original = getattr(gevent.socket.socket, name)

    def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
        stamps = getattr(getcurrent(), "assay_stamps", None)
        if stamps is not None and before is not None:
            before(stamps)
        result = original(self, *args, **kwargs)
        if stamps is not None and after is not None:
            after(stamps)
        return result

    setattr(gevent.socket.socket, name, wrapped)
