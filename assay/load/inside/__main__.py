"""A Locust process: `python -m assay.load.inside FILE DESCRIPTOR ROLE SETTINGS …`.

ROLE is `alone`, `master:HOST:PORT` or `worker:HOST:PORT`. DESCRIPTOR is the file
descriptor of the channel to Assay; a worker has none, since its orders come from its
master. SETTINGS is a JSON object of Locust options, which the locustfile's listeners
and User classes can read. The other arguments are for the locustfile.
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

from assay.load import limits, orders, protocol, ticks
from assay.load.inside import gate, opened_locustfile, stamps
from assay.load.inside.master import Master, master_runner
from assay.load.inside.options import LocustfileError
from assay.load.inside.pool import StartError
from assay.load.inside.server import Server
from assay.load.inside.worker import WAIT, Worker, join, set_interruptible
from assay.load.orders import Finish, Stop
from assay.load.ticks import Tick
from assay.system import redaction

MAX_LOG_RECORDS = 2000  # a task that always fails would fill the disk


def failure(error: BaseException, path: str) -> dict[str, str]:
    """Return an answer's fields for an error: its message and line, perhaps a hint."""
    line = ""
    files = {os.path.abspath(file) for file in path.split(protocol.SEPARATOR)}
    refused = isinstance(error, LocustfileError)
    cause = error.__cause__ if refused else None
    for frame in traceback.extract_tb((cause or error).__traceback__):
        if os.path.abspath(frame.filename) in files:
            line = f"line {frame.lineno}: "
    if isinstance(error, SyntaxError) and error.lineno:
        line = f"line {error.lineno}: "
    if isinstance(error, LocustfileError):
        return {"error": f"{line}{error}", "hint": error.hint}
    if isinstance(error, StartError):
        return {"error": f"{line}{error}"}
    return {"error": f"{line}{type(error).__name__}: {error}"}


def serve(
    path: str,
    channel: socket.socket,
    arguments: Sequence[str],
    settings: Mapping[str, Any],
) -> None:
    """Carry out Assay's orders until the test is finished or the channel is closed."""

    def report(tick: Tick) -> None:
        protocol.send(channel, *ticks.encode(tick))

    def report_error(error: str) -> None:
        protocol.send(channel, {"error": error})

    try:
        locustfile = opened_locustfile.open_locustfile(path, arguments, settings)
        opened_locustfile.select_tasks(locustfile)
        opened_locustfile.fire_test_start(locustfile)
        server = Server(locustfile, report, report_error)
    except (Exception, SystemExit) as error:
        protocol.send(channel, failure(error, path))
        return
    classes = [cls.__name__ for cls in locustfile.classes]
    protocol.send(channel, {"classes": classes, "shape": locustfile.shape_name})
    while True:
        try:
            header, _ = protocol.receive(channel)
        except (EOFError, OSError):
            break
        order = orders.parse(header)
        # Stop gets no answer: the last tick tells Assay that the test has ended.
        if isinstance(order, Stop):
            server.stop()
            continue
        body = b""
        try:
            answer, body = server.obey(order)
        except Exception as error:
            if not isinstance(error, StartError):
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
    """Act as the master of workers until Assay ends the test or closes the channel."""
    make_runner = master_runner(*address)
    try:
        locustfile = opened_locustfile.open_locustfile(
            path, arguments, settings, make_runner
        )
        opened_locustfile.select_tasks(locustfile)
        master = Master(locustfile, channel, partial(failure, path=path))
    except (Exception, SystemExit) as error:
        protocol.send(channel, failure(error, path))
        return
    protocol.send(channel, {"shape": locustfile.shape_name, "port": master.port})
    if master.serve():
        code = opened_locustfile.fire_end(locustfile)
        protocol.send(channel, {"event": "finished", "exit_code": code})
    else:
        opened_locustfile.fire_end(locustfile)


def work(path: str, host: str, port: int, wait: float) -> int:
    """Join a master and carry out its orders until the end; return an exit code.

    Args:
        path: The locustfile; `worker.FROM_MASTER` for the master's locustfiles.
        host: Host of the master.
        port: Port of the master.
        wait: How long to wait for the master, in seconds.
    """
    worker = None
    set_interruptible(True)
    try:
        path, make_runner = join(path, host, port, wait)
        locustfile = opened_locustfile.open_locustfile(path, (), {}, make_runner)
        worker = Worker(locustfile, partial(failure, path=path))
        return worker.serve()
    except ConnectionError:
        problem = (
            f"no master listens at {host}:{port} after {wait:g} s: start it there with "
            "assay load FILE --master --expect-workers N --bind HOST:PORT, and check "
            "the address and the firewall; --wait 10m waits longer"
        )
    except KeyboardInterrupt:
        problem = "stopped"
    except (Exception, SystemExit) as error:
        problem = f"{path}: {failure(error, path)['error']}"
    finally:
        set_interruptible(False)  # leaving takes a moment, and must be completed
        if worker is not None:
            worker.leave()
    print(f"assay worker: {redaction.text(problem)}", file=sys.stderr)
    return 4


def _set_up_logging() -> None:
    """Log as Locust does, but at most MAX_LOG_RECORDS records."""
    setup_logging("INFO")
    count = 0

    def below_limit(record: logging.LogRecord) -> bool:
        nonlocal count
        count += 1
        return count <= MAX_LOG_RECORDS

    for name in ("root", "locust"):
        for handler in logging.getLogger(name).handlers:
            handler.addFilter(below_limit)


def main(
    path: str, descriptor: str, role: str, settings_json: str, *arguments: str
) -> int:
    """Run this process in its role; return the exit code."""
    limits.raise_soft_limits()
    redaction.learn(os.environ, words=arguments)
    _set_up_logging()
    settings = json.loads(settings_json)
    gate.install()
    stamps.install()
    kind, _, address = role.partition(":")
    host, _, port = address.rpartition(":")
    if kind == "worker":
        return work(path, host, int(port), float(settings.get("wait", WAIT)))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Assay ends this process itself
    channel = socket.socket(fileno=int(descriptor))
    if kind == "master":
        lead(path, channel, (host, int(port)), arguments, settings)
    else:
        serve(path, channel, arguments, settings)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
