"""Free ports for servers that take a while to start listening."""

import contextlib
import random
import socket
import threading
from pathlib import Path

from assay.errors import MeasureError

LOWEST_PORT = 15_000  # well-known servers use the ports below it
FIRST_DYNAMIC_PORT = 49_152  # outgoing connections use ports from here on (RFC 6335)
MAX_TRIES = 500

_reserved: set[int] = set()
_lock = threading.Lock()


def free() -> int:
    """Reserve a free loopback port.

    This process does not hand the port out again before a server listens on it. If
    there is room below the kernel's range of ephemeral ports, the port lies there, so
    that no outgoing connection can use it either.

    Raises:
        MeasureError: No port is free.
    """
    ephemeral = _first_ephemeral_port()
    candidates = (
        range(LOWEST_PORT, ephemeral)
        if ephemeral > LOWEST_PORT + MAX_TRIES
        else range(ephemeral, 2**16)
    )
    with _lock:
        if 2 * len(_reserved) > len(candidates):
            _reserved.clear()  # old ports are in use or free again by now
        # A separate random generator: other random numbers must depend on their seeds
        # alone.
        for port in random.Random().sample(candidates, MAX_TRIES):
            if port in _reserved:
                continue
            with contextlib.suppress(OSError), socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
                _reserved.add(port)
                return port
    raise MeasureError(
        f"no port of 127.0.0.1 between {candidates.start} and {candidates.stop} is "
        "free; stop the servers that listen there"
    )


def _first_ephemeral_port() -> int:
    """Return the lowest port that the kernel gives to an outgoing connection."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(
            Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0]
        )
    return FIRST_DYNAMIC_PORT
