"""A worker: a Locust process with a master, here or on another machine."""

import atexit
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gevent
from locust.argument_parser import download_locustfile_from_master
from locust.env import Environment
from locust.runners import WorkerRunner

from assay.load import orders, protocol, ticks
from assay.load.inside import opened_locustfile
from assay.load.inside.master import MESSAGE
from assay.load.inside.opened_locustfile import OpenedLocustfile
from assay.load.inside.server import Server
from assay.load.orders import Attach, Stop
from assay.load.protocol import SEPARATOR
from assay.load.ticks import Tick

WAIT = 15.0  # seconds to wait for a master, unless the command says otherwise
FROM_MASTER = "-"  # stands for the master's own locustfile, in place of a path
MASTER_TIMEOUT = 10.0  # seconds without a heartbeat until the master counts as gone
LINGER = 500  # milliseconds to send the last messages
SPEED_LOOPS = 200_000  # rounds of a loop, which take about 5 ms
SPEED_TRIALS = 5


_signal_handlers: list[Any] = []


def set_interruptible(interruptible: bool) -> None:
    """Let SIGINT, SIGTERM and SIGHUP end the main greenlet, or ignore them."""
    while _signal_handlers:
        _signal_handlers.pop().cancel()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
        if interruptible:
            main = gevent.getcurrent()
            _signal_handlers.append(
                gevent.signal_handler(number, gevent.kill, main, KeyboardInterrupt)
            )


def join(
    path: str, host: str, port: int, wait: float
) -> tuple[str, Callable[[Environment], WorkerRunner]]:
    """Wait for a master; return a locustfile's path and a maker of a worker's runner.

    Args:
        path: Path of the locustfile, or paths of several, joined by `SEPARATOR`;
            `FROM_MASTER` for the master's locustfiles.
        host: Host of the master.
        port: Port of the master.
        wait: How long to wait for the master, in seconds.

    Raises:
        ConnectionError: No master listens there in time.
        KeyboardInterrupt: The worker was stopped while it waited.
    """

    def make_runner(environment: Environment) -> WorkerRunner:
        try:
            return environment.create_worker_runner(host, port)
        except SystemExit as error:  # Locust's way to say that it was stopped
            raise KeyboardInterrupt from error

    print(f"assay worker: joining {host}:{port}", file=sys.stderr)
    _wait_for_master(host, port, wait)
    return (_download(host, port) if path == FROM_MASTER else path), make_runner


def _wait_for_master(host: str, port: int, wait: float) -> None:
    """Wait until something listens at an address.

    Locust's own attempts to join would go on for five minutes.

    Raises:
        ConnectionError: Nothing listens there in time.
    """
    until = time.monotonic() + wait
    while True:
        left = until - time.monotonic()
        try:
            socket.create_connection((host, port), max(min(left, 5.0), 0.1)).close()
            return
        except OSError as error:
            if left <= 0:
                raise ConnectionError(str(error)) from error
        gevent.sleep(min(0.2, max(left, 0.0)))


def _download(host: str, port: int) -> str:
    """Write the master's locustfiles to a new folder.

    Returns:
        Their paths in the master's order, joined by `SEPARATOR`.
    """
    folder = Path(tempfile.mkdtemp(prefix="assay-worker-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        files: Any = download_locustfile_from_master(host, port)
    except SystemExit as error:
        raise ConnectionError from error
    if not files:
        raise ValueError("the master sends no locustfile; name one: assay worker FILE")
    return SEPARATOR.join(str(_write(file, folder)) for file in files)


def _write(file: Mapping[str, str], folder: Path) -> Path:
    """Write a locustfile of the master; return its path.

    The file gets a folder of its own if an earlier file has the same name.
    """
    # Only the file's name is used: the sender must not choose where it is written.
    path = folder / Path(file["filename"]).name.replace(SEPARATOR, "_")
    if path.exists():
        path = Path(tempfile.mkdtemp(dir=folder), path.name)
    path.write_text(file["contents"], encoding="utf-8")
    return path


class Worker:
    """Carries out a master's orders."""

    def __init__(
        self,
        locustfile: OpenedLocustfile,
        failure: Callable[[BaseException], dict[str, str]],
    ) -> None:
        """Join the master.

        Args:
            locustfile: The locustfile.
            failure: Describes an error in the locustfile.
        """
        self._locustfile, self._failure = locustfile, failure
        runner: Any = locustfile.runner
        self._runner = runner
        self._server = Server(locustfile, self._report, self._report_error)
        self._began = self._left = False
        self._runner.register_message(MESSAGE, self._on_order, concurrent=True)
        host, pid = socket.gethostname(), os.getpid()
        token = os.environ.get(protocol.TOKEN, "")
        self._send(
            {
                "event": "joined",
                "version": protocol.VERSION,
                "host": host,
                "pid": pid,
                "speed": measure_speed(),
                "proof": protocol.proof(token, host, pid),
            }
        )
        print(
            f"assay worker: joined as worker {runner.worker_index + 1}",
            file=sys.stderr,
        )

    def serve(self) -> int:
        """Wait until the master ends the test; return an exit code."""
        while not self._runner.greenlet.join(timeout=1.0):
            heartbeat = self._runner.last_heartbeat_timestamp
            if heartbeat and time.time() - heartbeat > MASTER_TIMEOUT:
                print("assay worker: the master is gone", file=sys.stderr)
                return 4
        print("assay worker: the master has ended the test", file=sys.stderr)
        return 0

    def leave(self) -> None:
        """Stop, and tell the master.

        A running test reports no more ticks: users that are stopped in the middle of a
        task would otherwise look as if they had finished it. Assay counts the
        outstanding arrivals as unserved.
        """
        self._left = True
        self._server.stop()
        self._server.detach()
        if self._began:
            opened_locustfile.fire_end(self._locustfile)  # a listener tells the master
        else:
            self._runner.send_message("quit")
        # The greenlet uses the client, which is closed next.
        self._runner.greenlet.kill(block=True)
        self._runner.client.close(linger=LINGER)

    def _on_order(self, environment: Any, msg: Any) -> None:
        """Carry out an order; a long order does not delay the orders after it."""
        order, body = orders.parse(msg.data), b""
        if isinstance(order, Stop):
            self._server.stop()
            return
        answer: dict[str, Any]
        try:
            if isinstance(order, Attach):
                opened_locustfile.select_tasks(
                    self._locustfile, order.arguments, order.settings
                )
                opened_locustfile.fire_test_start(self._locustfile)
                self._began = True
            answer, body = self._server.obey(order)
        except Exception as error:
            answer = self._failure(error)
        self._send({"event": "answer", **answer}, body)

    def _report(self, tick: Tick) -> None:
        if self._left:
            return
        if tick.last:  # listeners of the master's `quitting` read the statistics
            self._runner._send_stats()
        header, body = ticks.encode(tick)
        self._send({"event": "tick", **header}, body)

    def _report_error(self, error: str) -> None:
        if not self._left:
            self._send({"event": "tick", "error": error})

    def _send(self, header: dict[str, Any], body: bytes = b"") -> None:
        self._runner.send_message(MESSAGE, {"header": header, "body": body})


def measure_speed() -> float:
    """Return how fast this core runs Python, in rounds of a loop per second.

    The speed is measured in CPU time, because workers that begin together may share a
    core for a moment.
    """
    best = 0.0
    for _ in range(SPEED_TRIALS):
        began, total = time.thread_time(), 0
        for number in range(SPEED_LOOPS):
            total += number
        best = max(best, SPEED_LOOPS / (time.thread_time() - began))
    return best
