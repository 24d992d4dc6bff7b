"""A worker: a Locust process that hears from a master, here or on another machine."""

import atexit
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
from locust.argument_parser import download_locustfile_from_master
from locust.env import Environment
from locust.runners import WorkerRunner

from assay.load import orders, protocol
from assay.load.inside import opened_locustfile
from assay.load.inside.master import MESSAGE
from assay.load.inside.opened_locustfile import Opened
from assay.load.inside.server import Server
from assay.load.orders import Attach, Stop

FETCH = "-"  # instead of a path: the master's own locustfile
SILENCE = 10.0  # seconds without a word, after which the master is gone
LINGER = 500  # milliseconds for the last words to get out
SPIN, SPINS = 200_000, 5  # rounds of a loop, some 5 ms, and how often


_signals: list[Any] = []


def interruptible(on: bool) -> None:
    """Have SIGINT, SIGTERM and SIGHUP end the main greenlet, or nothing at all."""
    while _signals:
        _signals.pop().cancel()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
        if on:
            main = gevent.getcurrent()
            _signals.append(
                gevent.signal_handler(number, gevent.kill, main, KeyboardInterrupt)
            )


def joined(
    path: str, host: str, port: int
) -> tuple[str, Callable[[Environment], WorkerRunner]]:
    """Return the path of a locustfile, and what makes the runner of a worker.

    Args:
        path: Of the locustfile; `FETCH` for the master's.
        host: Of the master.
        port: Where it listens.

    Raises:
        ConnectionError: Nobody answers there.
        KeyboardInterrupt: It was stopped while it waited.
    """

    def runner(environment: Environment) -> WorkerRunner:
        try:
            return environment.create_worker_runner(host, port)
        except SystemExit as error:  # how Locust says that it was stopped meanwhile
            raise KeyboardInterrupt from error

    print(f"assay worker: joining {host}:{port}", file=sys.stderr)
    return (_fetched(host, port) if path == FETCH else path), runner


def _fetched(host: str, port: int) -> str:
    """Write the master's locustfile to a folder of its own; return its path."""
    folder = Path(tempfile.mkdtemp(prefix="assay-worker-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    paths = []
    try:
        files: Any = download_locustfile_from_master(host, port)
    except SystemExit as error:
        raise ConnectionError from error
    for sent in files:
        # Only the name: whoever answers must not choose where files are written.
        path = folder / Path(sent["filename"]).name
        path.write_text(sent["contents"], encoding="utf-8")
        paths.append(path)
    if not paths:
        raise ValueError("the master has no locustfile to send; name one: assay worker")
    return str(paths[0])


class Worker:
    """Does what a master says."""

    def __init__(
        self, found: Opened, failure: Callable[[BaseException], dict[str, str]]
    ) -> None:
        """Say hello.

        Args:
            found: The locustfile.
            failure: Describes an error in it.
        """
        self._found, self._failure = found, failure
        runner: Any = found.runner
        self._runner = runner
        self._server = Server(found, self._tick)
        self._began = self._left = False
        self._runner.register_message(MESSAGE, self._heard, concurrent=True)
        self._say(
            {
                "event": "joined",
                "version": protocol.VERSION,
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "speed": speed(),
            }
        )
        print(
            f"assay worker: joined as worker {runner.worker_index + 1}",
            file=sys.stderr,
        )

    def serve(self) -> int:
        """Wait until the master says that all is over; return an exit code."""
        while not self._runner.greenlet.join(timeout=1.0):
            heard = self._runner.last_heartbeat_timestamp
            if heard and time.time() - heard > SILENCE:
                print("assay worker: the master is gone", file=sys.stderr)
                return 4
        print("assay worker: the master says that all is over", file=sys.stderr)
        return 0

    def leave(self) -> None:
        """Stop, and tell the master.

        Of a test that is under way nothing more is told: users that are stopped in
        the middle of their work have not done it, and the master counts what is owed.
        """
        self._left = True
        self._server.stop()
        self._server.detach()
        if self._began:
            opened_locustfile.end(self._found)  # its listeners tell the master
        else:
            self._runner.send_message("quit")
        self._runner.greenlet.kill(block=True)  # nobody may use what is closed now
        self._runner.client.close(linger=LINGER)

    def _heard(self, environment: Any, msg: Any) -> None:
        """Carry out an order; one that takes long does not keep others waiting."""
        order, body = orders.parsed(msg.data), b""
        if isinstance(order, Stop):
            self._server.stop()
            return
        answer: dict[str, Any]
        try:
            if isinstance(order, Attach):
                opened_locustfile.begin(self._found, order.arguments, order.settings)
                self._began = True
            answer, body = self._server.obey(order)
        except Exception as error:
            answer = self._failure(error)
        self._say({"event": "answer", **answer}, body)

    def _tick(self, header: dict[str, Any], body: bytes) -> None:
        if self._left:
            return
        if header.get("last"):  # a gate of the master's looks at its statistics
            self._runner._send_stats()
        self._say({"event": "tick", **header}, body)

    def _say(self, header: dict[str, Any], body: bytes = b"") -> None:
        self._runner.send_message(MESSAGE, {"header": header, "body": body})


def speed() -> float:
    """Return how fast this core is at what users do: rounds of Python a second.

    By CPU time, since workers that begin together may share a core for a moment.
    """
    best = 0.0
    for _ in range(SPINS):
        began, total = time.thread_time(), 0
        for number in range(SPIN):
            total += number
        best = max(best, SPIN / (time.thread_time() - began))
    return best
