"""A Locust process: `python -m assay.load.inside FILE DESCRIPTOR ROLE SETTINGS …`.

Its role is `alone`, `master:HOST:PORT` or `worker:HOST:PORT`. The descriptor is that
of the channel to Assay; a worker has none, since it hears from its master. The
settings are JSON: what listeners and users find among Locust's options. What follows
is for the locustfile.
"""

# Locust patches the standard library, so it is imported before anything else.
import locust  # noqa: F401  isort: skip

import json
import logging
import os
import signal
import socket
import sys
import traceback
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from locust.log import setup_logging

from assay.load import limits, orders, protocol
from assay.load.inside import gate, opened_locustfile, stamps
from assay.load.inside.master import Master, leader
from assay.load.inside.server import Server
from assay.load.inside.worker import Worker, interruptible, joined
from assay.load.orders import Finish, Stop

MOST_RECORDS = 2000  # of the log: a task that always fails would fill the disk


def failure(error: BaseException, path: str) -> dict[str, str]:
    """Describe an error by its message and the line of the locustfile."""
    where = ""
    ours = {os.path.abspath(one) for one in path.split(protocol.SEPARATOR)}
    cause = error.__cause__ if isinstance(error, opened_locustfile.Refused) else None
    for frame in traceback.extract_tb((cause or error).__traceback__):
        if os.path.abspath(frame.filename) in ours:
            where = f"line {frame.lineno}: "
    if isinstance(error, SyntaxError) and error.lineno:
        where = f"line {error.lineno}: "
    if isinstance(error, opened_locustfile.Refused):
        return {"error": f"{where}{error}", "hint": error.hint}
    return {"error": f"{where}{type(error).__name__}: {error}"}


def serve(
    path: str,
    channel: socket.socket,
    arguments: Sequence[str],
    settings: Mapping[str, Any],
) -> None:
    """Load what Assay says, until the channel is closed."""
    try:
        found = opened_locustfile.opened(path, arguments, settings)
        opened_locustfile.begin(found)
        server = Server(found, partial(protocol.send, channel))
    except (Exception, SystemExit) as error:
        protocol.send(channel, failure(error, path))
        return
    ready = {
        "classes": [cls.__name__ for cls in found.classes],
        "shape": type(found.shape).__name__ if found.shape else "",
    }
    protocol.send(channel, ready)
    while True:
        try:
            header, _ = protocol.receive(channel)
        except (EOFError, OSError):
            break
        order = orders.parsed(header)
        if isinstance(order, Stop):  # what it ends tells when it has ended
            server.stop()
            continue
        body = b""
        try:
            answer, body = server.obey(order)
        except Exception as error:
            traceback.print_exc()
            answer = failure(error, path)
        protocol.send(channel, answer, body)
        if isinstance(order, Finish):
            return
    server.finish()


def lead(
    path: str,
    channel: socket.socket,
    address: tuple[str, int],
    arguments: Sequence[str],
    settings: Mapping[str, Any],
) -> None:
    """Be the master of workers, until the channel is closed."""
    try:
        found = opened_locustfile.opened(path, arguments, settings, leader(*address))
        opened_locustfile.prepare(found)
        master = Master(found, channel, partial(failure, path=path))
    except (Exception, SystemExit) as error:
        protocol.send(channel, failure(error, path))
        return
    shape = type(found.shape).__name__ if found.shape else ""
    protocol.send(channel, {"shape": shape, "port": master.port})
    if master.serve():
        code = opened_locustfile.end(found)
        protocol.send(channel, {"event": "finished", "exit_code": code})
    else:
        opened_locustfile.end(found)


def work(path: str, host: str, port: int) -> int:
    """Join a master and do what it says until it says no more; return an exit code."""
    worker = None
    interruptible(True)
    try:
        path, runner_of = joined(path, host, port)
        found = opened_locustfile.opened(path, (), {}, runner_of)
        worker = Worker(found, partial(failure, path=path))
        return worker.serve()
    except ConnectionError:
        told = f"no master answers at {host}:{port}"
    except KeyboardInterrupt:
        told = "stopped"
    except (Exception, SystemExit) as error:
        told = f"{path}: {failure(error, path)['error']}"
    finally:
        interruptible(False)  # leaving takes a moment, and must come to its end
        if worker is not None:
            worker.leave()
    print(f"assay worker: {told}", file=sys.stderr)
    return 4


def _log() -> None:
    """Log as Locust does, but not without end."""
    setup_logging("INFO")
    logged = 0

    def few(record: logging.LogRecord) -> bool:
        nonlocal logged
        logged += 1
        return logged <= MOST_RECORDS

    for name in ("root", "locust"):
        for handler in logging.getLogger(name).handlers:
            handler.addFilter(few)


def main(path: str, descriptor: str, role: str, said: str, *arguments: str) -> int:
    """Play a role; return the exit code."""
    limits.raise_soft_limits()
    _log()
    settings = json.loads(said)
    gate.install()
    stamps.install()
    kind, _, address = role.partition(":")
    host, _, port = address.rpartition(":")
    if kind == "worker":
        return work(path, host, int(port))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Assay ends this process itself
    channel = socket.socket(fileno=int(descriptor))
    if kind == "master":
        lead(path, channel, (host, int(port)), arguments, settings)
    else:
        serve(path, channel, arguments, settings)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
