"""Ports for servers that take a while to listen."""

import contextlib
import random
import socket
import threading
from pathlib import Path

from assay.errors import MeasureError

FIRST = 15_000  # below it are ports that servers are known by
DYNAMIC = 49_152  # from here on connections get theirs, after RFC 6335
TRIES = 500

_given: set[int] = set()
_choosing = threading.Lock()


def free() -> int:
    """Return a loopback port that is free, and that stays so until it is listened on.

    Until then this process gives it to nobody else. Nor does the kernel give it to a
    connection, where there is room below the range that it takes those ports from.

    Raises:
        MeasureError: There is none.
    """
    end = _first_of_connections()
    everything = range(FIRST, end) if end > FIRST + TRIES else range(end, 2**16)
    with _choosing:
        if 2 * len(_given) > len(everything):
            _given.clear()  # those of long ago are listened on, or free again
        # A generator of its own: what a seed repeats must not depend on ports.
        for port in random.Random().sample(everything, TRIES):
            if port in _given:
                continue
            with contextlib.suppress(OSError), socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
                _given.add(port)
                return port
    raise MeasureError(
        f"no port of 127.0.0.1 between {everything.start} and {everything.stop} could "
        "be had; end the servers that listen there"
    )


def _first_of_connections() -> int:
    """Return the lowest port that the kernel gives to an outgoing connection."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(
            Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0]
        )
    return DYNAMIC
