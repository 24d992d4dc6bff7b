"""A server that says what a script tells it, byte by byte, and what it was asked."""

import contextlib
import json
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RESET = object()  # break the connection off
CLOSE = object()  # end it in order

# What is sent for a request: bytes, pauses in seconds, RESET or CLOSE.
Step = bytes | float | object
Script = Callable[[int, bytes], Sequence[Step]]


def answer(
    body: bytes = b"ok",
    status: str = "200 OK",
    *headers: str,
    length: bool = True,
) -> bytes:
    """Return an answer as bytes."""
    lines = [f"HTTP/1.1 {status}", *headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass
class Scripted:
    """The server: where it is, and what came.

    Attributes:
        port: It listens on.
        requests: Every request that came, whole, in order.
        connections: How many were accepted.
    """

    script: Script
    context: ssl.SSLContext | None = None
    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http{'s' if self.context else ''}://127.0.0.1:{self.port}"

    def serve(self, listener: socket.socket) -> None:
        """Accept until the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                self.connections += 1
                threading.Thread(
                    target=self._talk, args=(connection,), daemon=True
                ).start()

    def _talk(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), connection:
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            stream = connection.makefile("rb")
            while request := _read(stream):
                self.requests.append(request)
                for step in self.script(len(self.requests), request):
                    if isinstance(step, bytes):
                        connection.sendall(step)
                    elif isinstance(step, float):
                        time.sleep(step)
                    else:
                        if step is RESET:
                            linger = struct.pack("ii", 1, 0)
                            connection.setsockopt(
                                socket.SOL_SOCKET, socket.SO_LINGER, linger
                            )
                        stream.close()
                        connection.close()
                        return


def _read(stream: Any) -> bytes:
    """Read one request; nothing where the connection has ended."""
    head, length = b"", 0
    while line := stream.readline():
        head += line
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
        if line == b"\r\n":
            return bytes(head + stream.read(length))
    return b""


@contextlib.contextmanager
def serving(
    script: Script, context: ssl.SSLContext | None = None
) -> Iterator[Scripted]:
    """Serve by a script on a free port of the loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Scripted(script, context, listener.getsockname()[1])
        thread = threading.Thread(target=server.serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            # Closing it alone would leave it open as long as somebody accepts.
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


# Locust patches the standard library, so its users live in a process of their own.
CLIENT = """\
import json, resource, sys, time
import locust
from locust.env import Environment
from assay.load import LeanHttpUser

events = []


class Visitor(LeanHttpUser):
    host = sys.argv[1]


def heard(name, exception, response_time, response_length, **_):
    events.append(
        {
            "name": name,
            "error": "" if exception is None else str(exception),
            "kind": "" if exception is None else type(exception).__name__,
            "ms": response_time,
            "length": response_length,
        }
    )


for name, value in json.loads(sys.argv[2]).items():
    setattr(Visitor, name, value)
environment = Environment(user_classes=[Visitor], events=locust.events)
environment.events.request.add_listener(heard)
user = Visitor(environment)
client = user.client
found = {}
exec(sys.stdin.read())
found["events"] = events
found["reconnects"] = client.reconnects
found["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps(found, default=str))
"""


def ask(url: str, code: str, **settings: Any) -> dict[str, Any]:
    """Let a `LeanHttpUser` run some code and return the dict `found` that it fills.

    Args:
        url: Its host.
        code: It has `client`, `user` and `found`.
        settings: Of the user's class.
    """
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, url, json.dumps(settings)],
        input=code,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
