"""A server whose answers a script gives byte by byte, and a client to test with it."""

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

RESET = object()  # reset the connection
CLOSE = object()  # close the connection normally

# A script gets the number of a request, from 1, and its bytes. It returns the steps of
# the answer: bytes to send, pauses in seconds (as floats), RESET or CLOSE.
Step = bytes | float | object
Script = Callable[[int, bytes], Sequence[Step]]


def answer(
    body: bytes = b"ok",
    status: str = "200 OK",
    *headers: str,
    length: bool = True,
) -> bytes:
    """Return an answer as bytes, with Content-Length if `length` is true."""
    lines = [f"HTTP/1.1 {status}", *headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass
class Scripted:
    """The server, and the requests that it has received.

    Attributes:
        script: Gives the steps of each answer.
        context: The TLS context; None for plain HTTP.
        port: The port that the server listens on.
        requests: All requests with their bodies, in the order in which they came.
        connections: How many connections were accepted.
    """

    script: Script
    context: ssl.SSLContext | None = None
    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        """The URL of the server."""
        return f"http{'s' if self.context else ''}://127.0.0.1:{self.port}"

    def serve(self, listener: socket.socket) -> None:
        """Accept connections until the listener is shut down."""
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
    """Read one request; return no bytes if the connection has ended."""
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
    """Run a server with a script on a free local port, and yield it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Scripted(script, context, listener.getsockname()[1])
        thread = threading.Thread(target=server.serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            # Closing the listener alone would not end `accept` in the thread.
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


# Locust patches the standard library, so the client runs in a process of its own.
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
    """Run code with a `LeanHttpUser` in a new process.

    Args:
        url: The host of the user.
        code: Python code that can use `client`, `user` and `found`.
        settings: Attributes of the user's class.

    Returns:
        The dict `found` with what the code has put into it, and with the keys `events`
        (the requests), `reconnects` and `peak` (memory in bytes).
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
