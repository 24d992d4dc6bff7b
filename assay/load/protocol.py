"""What Assay and the Locust process say to each other, over a socket pair.

A message is a JSON header and a binary body, each preceded by its length. The
body of a slice's answer holds its samples: the columns of `COLUMNS`, one after
the other, as the bytes of arrays.
"""

import json
import socket
import struct
from typing import Any

VERSION = 2  # a master and its workers must agree on it
NONSENSE = "it says what makes no sense"  # why a worker is given up
LENGTHS = struct.Struct(">II")
# Column and its `array` type code, which is also NumPy's name of the type.
# `user` is the number of the user in the pool; `end` is NaN if there was none.
COLUMNS = (
    ("scheduled", "d"),
    ("start", "d"),
    ("end", "d"),
    ("name", "H"),
    ("user", "H"),
    ("failed", "B"),
)


def send(channel: socket.socket, header: dict[str, Any], body: bytes = b"") -> None:
    """Send one message."""
    text = json.dumps(header).encode()
    channel.sendall(LENGTHS.pack(len(text), len(body)) + text + body)


def receive(channel: socket.socket) -> tuple[dict[str, Any], bytes]:
    """Wait for one message and return its header and body.

    Raises:
        EOFError: The other side has closed the channel.
    """
    text_length, body_length = LENGTHS.unpack(_exactly(channel, LENGTHS.size))
    header: dict[str, Any] = json.loads(_exactly(channel, text_length))
    return header, _exactly(channel, body_length)


def _exactly(channel: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        chunk = channel.recv(size - len(received))
        if not chunk:
            raise EOFError("the channel was closed")
        received += chunk
    return bytes(received)
