"""The messages between Assay and the Locust process, over a socket pair.

A message is two lengths, then a JSON header and a binary body of these lengths. The
body of a slice's answer or of a tick holds its samples: the columns of `COLUMNS`, one
after the other, as the bytes of arrays.
"""

import hashlib
import hmac
import json
import socket
import struct
from collections.abc import Sequence
from typing import Any

VERSION = 7  # a master and its workers must agree on it
MALFORMED = "it sent a malformed message"  # the reason for giving up a worker
TOKEN = "ASSAY_TOKEN"  # the variable with the secret that a master and workers share
ALLOW_HOSTS = "allow_hosts"  # the setting with other machines that may be loaded
SEPARATOR = ","  # separator of several locustfiles, as after `locust -f`
LENGTHS = struct.Struct(">II")
# The kinds of names: a request of the load, of a user's on_start or of its on_stop; and
# a task as a whole.
REQUEST, START, STOP, TASK = KINDS = ("request", "start", "stop", "task")
# Each column with the code of its type, for `array` and for NumPy. Times are seconds of
# `time.perf_counter`:
#   scheduled  when the arrival was due
#   start      when the request was sent; NaN if it never was
#   end        when the answer had arrived; NaN if there was none
#   status     HTTP status of the answer; 0 if the client reported none
#   size       bytes of the answer's body; 0 if the client reported none
#   waited     how long the arrival waited for a user, because all users waited for the
#              target
# Latency is `waited + (end - start)`; the rest of `start - scheduled` is the
# generator's own delay. `name` is an index into the message's `names`, each of which
# is a kind, a method and a name; `user` is the number of the user in its pool.
COLUMNS = (
    ("scheduled", "d"),
    ("start", "d"),
    ("end", "d"),
    ("waited", "d"),
    ("name", "H"),
    ("user", "H"),
    ("failed", "B"),
    ("status", "H"),
    ("size", "I"),
)
MAX_STATUS, MAX_SIZE = 999, 0xFFFF_FFFF  # the largest values of these columns
LATER_COLUMNS = ("status", "size")  # columns that older samples lack

Name = tuple[str, str, str]  # kind, method, name
Message = tuple[dict[str, Any], bytes]  # header, body


def request_label(name: Sequence[str]) -> str:
    """Return the name of a request as people write it: ``GET /item``."""
    return " ".join(filter(None, name[1:]))


def proof(token: str, host: str, pid: int) -> str:
    """Return a proof, as hexadecimal text, that a worker knows the token.

    The token cannot be derived from the proof.

    Args:
        token: The secret that a master and its workers share; it may be empty.
        host: The name of the worker's machine.
        pid: The worker's process.
    """
    joining = f"{host} {pid}".encode("utf-8", "replace")
    return hmac.new(
        token.encode("utf-8", "replace"), joining, hashlib.sha256
    ).hexdigest()


def send(channel: socket.socket, header: dict[str, Any], body: bytes = b"") -> None:
    """Send one message."""
    text = json.dumps(header).encode()
    channel.sendall(LENGTHS.pack(len(text), len(body)) + text + body)


def receive(channel: socket.socket) -> Message:
    """Wait for one message and return its header and body.

    Raises:
        EOFError: The other side has closed the channel.
    """
    text_length, body_length = LENGTHS.unpack(_read_exactly(channel, LENGTHS.size))
    header: dict[str, Any] = json.loads(_read_exactly(channel, text_length))
    return header, _read_exactly(channel, body_length)


def _read_exactly(channel: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        chunk = channel.recv(size - len(received))
        if not chunk:
            raise EOFError("the channel was closed")
        received += chunk
    return bytes(received)
