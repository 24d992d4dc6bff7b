"""A Locust process: `python -m assay.load LOCUSTFILE DESCRIPTOR ROLE HOST ARGUMENTS`.

Its role is `alone`, `master:HOST:PORT` or `worker:HOST:PORT`. The descriptor is that
of the channel to Assay; a worker has none, since it hears from its master. The host
is where the load goes; empty if the locustfile says so, or there are several.
"""

# Locust patches the standard library, so it is imported before anything else.
import locust  # noqa: F401  isort: skip

import os
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from functools import partial

from assay.load import gate, locustfile, protocol, stamps
from assay.load.master import Master, leader
from assay.load.server import Server
from assay.load.worker import Worker, interruptible, joined


def failure(error: BaseException, path: str) -> dict[str, str]:
    """Describe an error by its message and the line of the locustfile."""
    where = ""
    cause = error.__cause__ if isinstance(error, locustfile.Refused) else None
    for frame in traceback.extract_tb((cause or error).__traceback__):
        if os.path.abspath(frame.filename) == os.path.abspath(path):
            where = f"line {frame.lineno}: "
    if isinstance(error, SyntaxError) and error.lineno:
        where = f"line {error.lineno}: "
    if isinstance(error, locustfile.Refused):
        return {"error": f"{where}{error}", "hint": error.hint}
    return {"error": f"{where}{type(error).__name__}: {error}"}


def serve(
    path: str, channel: socket.socket, arguments: Sequence[str], target: str
) -> None:
    """Load what Assay says, until the channel is closed."""
    try:
        found = locustfile.opened(path, arguments, target)
        locustfile.begin(found)
        emit = partial(protocol.send, channel)
        server = Server(found.environment, found.classes, emit)
    except (Exception, SystemExit) as error:
        protocol.send(channel, failure(error, path))
        return
    ready = {
        "classes": [cls.__name__ for cls in found.classes],
        "warnings": found.warnings,
    }
    protocol.send(channel, ready)
    while True:
        try:
            order, _ = protocol.receive(channel)
        except (EOFError, OSError):
            break
        do, body = order.pop("do"), b""
        try:
            if do == "stop":  # what it ends tells when it has ended
                server.stop()
                continue
            if do == "slice":
                answer, body = server.slice(**order)
            else:
                answer = getattr(server, do)(**order)
        except Exception as error:
            traceback.print_exc()
            answer = failure(error, path)
        protocol.send(channel, answer, body)
    server.detach()
    locustfile.end(found)


def lead(
    path: str,
    channel: socket.socket,
    address: tuple[str, int],
    arguments: Sequence[str],
    target: str,
) -> None:
    """Be the master of workers, until the channel is closed."""
    try:
        found = locustfile.opened(path, arguments, target, leader(*address))
        locustfile.begin(found)
        master = Master(found.runner, channel)
    except (Exception, SystemExit) as error:
        protocol.send(channel, failure(error, path))
        return
    protocol.send(channel, {"warnings": found.warnings, "port": master.port})
    master.serve()
    locustfile.end(found)


def work(path: str, host: str, port: int) -> int:
    """Join a master and do what it says until it says no more; return an exit code."""
    worker = None
    interruptible(True)
    try:
        path, runner_of = joined(path, host, port)
        found = locustfile.opened(path, (), "", runner_of)
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


def main(path: str, descriptor: str, role: str, target: str, *arguments: str) -> int:
    """Play a role; return the exit code."""
    gate.install()
    stamps.install()
    kind, _, address = role.partition(":")
    host, _, port = address.rpartition(":")
    if kind == "worker":
        return work(path, host, int(port))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Assay ends this process itself
    channel = socket.socket(fileno=int(descriptor))
    if kind == "master":
        lead(path, channel, (host, int(port)), arguments, target)
    else:
        serve(path, channel, arguments, target)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
