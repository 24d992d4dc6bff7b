"""The Locust process: `python -m assay.load LOCUSTFILE DESCRIPTOR`."""

# Locust patches the standard library, so it is imported before anything else.
import locust  # noqa: F401  isort: skip

import gc
import os
import random
import signal
import socket
import sys
import time
import traceback
from typing import Any

import gevent
import locust.argument_parser
from gevent import getcurrent
from locust.env import Environment
from locust.user.users import User
from locust.util.load_locustfile import load_locustfile

from assay.load import arrivals, clocks, protocol, stamps
from assay.load.pool import Pool, install_gate
from assay.load.recorder import NO_USER, Recorder
from assay.load.timer import Timer

BACKLOG_LIMIT = 10_000
TOUCH_SPACING = 0.001  # a listen backlog must never overflow: connect one by one
HEARTBEAT = 0.005  # seconds; finer would cost more than 1 % of the core


class Server:
    """Carries out what Assay orders, one slice at a time."""

    def __init__(self, environment: Environment, classes: list[type[User]]) -> None:
        """Take the user classes of a locustfile; nothing runs yet."""
        self.environment = environment
        self.classes = classes
        self.pools: dict[str, Pool] = {}
        self.processes: dict[str, list[int]] = {}
        self.cores: list[int] = []
        self.recorder: Recorder | None = None
        self.timer = Timer()
        self.heartbeat = Timer()
        environment.events.request.add_listener(self.on_request)

    def on_request(
        self,
        name: str,
        response_time: float,
        exception: object = None,
        start_time: float | None = None,
        **_: Any,
    ) -> None:
        """Take a sample, for whichever user fired the event."""
        seconds = (response_time or 0.0) / 1000
        end = time.perf_counter()
        start = end - seconds
        if start_time is not None:
            # The event can come later than the end of the request (a `with` block
            # of catch_response goes on); the wall clock says when it began.
            began = end - (time.time() - start_time)
            if began < start:
                start, end = began, began + seconds
        greenlet = getcurrent()
        seat = getattr(greenlet, "assay_seat", None)
        if seat is not None:
            start, end = greenlet.assay_stamps.take(start, end)
        recorder = self.recorder
        if recorder is None or (seat and seat.pool.recorder is not recorder):
            return  # outside a slice, or a user of one that was given up
        scheduled = start
        if seat is not None and seat.scheduled is not None:
            # Only the first request of a task was scheduled; the next ones begin
            # when the one before has ended.
            scheduled, seat.scheduled = seat.scheduled, None
            if not seat.late:
                recorder.lags.append(start - scheduled)
        number = seat.number if seat else NO_USER
        recorder.add(name, scheduled, start, end, number, exception)

    def attach(
        self,
        hosts: dict[str, str],
        processes: dict[str, list[int]],
        cores: list[int],
        users: int,
        timeout: float,
    ) -> dict[str, Any]:
        """Give each variant a pool of users, and wait until all are ready."""
        self.detach()
        self.processes, self.cores = processes, cores
        for name, host in hosts.items():
            pool = Pool(self.environment, self.classes, host, users)
            self.pools[name] = pool
            pool.open(timeout)
        gc.collect()
        gc.freeze()
        return {}

    def detach(self) -> dict[str, Any]:
        """Stop all users."""
        for pool in self.pools.values():
            pool.close()
        self.pools.clear()
        gc.unfreeze()
        return {}

    def slice(
        self,
        variant: str,
        mode: str,
        duration: float,
        users: int = 0,
        rate: float = 0.0,
        seed: int = 0,
        drain: float = 10.0,
    ) -> tuple[dict[str, Any], bytes]:
        """Load one variant for one slice and return its numbers and samples."""
        pool, pids = self.pools[variant], self.processes.get(variant, [])
        recorder = self.recorder = Recorder()
        pool.begin(recorder)
        random.seed(seed)  # users choose their tasks by it
        gc.disable()
        before = clocks.read(pids, self.cores)
        began = time.perf_counter()
        beating = gevent.spawn(self._beat, recorder)
        if mode == "closed":
            planned, dropped = self._closed(pool, began, duration, users)
        elif mode == "open":
            offsets = arrivals.poisson(rate, duration, seed)
            planned, dropped = self._open(pool, [began + x for x in offsets])
        else:
            spaced = [began + TOUCH_SPACING * x for x in range(pool.size)]
            planned, dropped = self._open(pool, spaced)
        pool.settle(drain)
        ended = time.perf_counter()
        done = pool.done
        if mode == "closed":
            planned = pool.begun
        beating.kill(block=False)
        due = pool.abandon()
        for scheduled in due:
            recorder.add_unserved(scheduled)
        after = clocks.read(pids, self.cores)
        self.recorder = None
        gc.enable()
        header = {
            "began": began,
            "ended": ended,
            "planned": planned,
            "done": done,
            "dropped": dropped,
            "unserved": len(due),
            "requests": len(recorder.columns["end"]),
            "names": list(recorder.names),
            "errors": dict(recorder.errors.most_common(20)),
            "lag_p99": _quantile(recorder.lags, 0.99),
            "stall": recorder.stall,
            **after.since(before),
        }
        return header, recorder.body()

    def _beat(self, recorder: Recorder) -> None:
        """Note how late this process gets to run: a stall of the machine shows."""
        due = time.perf_counter()
        while True:
            due = max(due + HEARTBEAT, time.perf_counter())
            self.heartbeat.wait_until(due)
            recorder.stall = max(recorder.stall, time.perf_counter() - due)

    def _closed(
        self, pool: Pool, began: float, duration: float, users: int
    ) -> tuple[int, int]:
        pool.closed_until = began + duration
        for _ in range(min(users, len(pool.idle))):
            pool.hand(None)
        self.timer.wait_until(pool.closed_until)
        return 0, 0

    def _open(self, pool: Pool, moments: list[float]) -> tuple[int, int]:
        """Hand out arrivals when they are due; return how many, and the dropped."""
        pool.closed_until = 0.0
        dropped = 0
        for moment in moments:
            self.timer.wait_until(moment)
            if not pool.hand(moment):
                if len(pool.backlog) < BACKLOG_LIMIT:
                    pool.backlog.append(moment)
                else:
                    dropped += 1
        return len(moments), dropped


def _quantile(values: Any, share: float) -> float:
    ordered = sorted(values)
    return ordered[int(share * (len(ordered) - 1))] if ordered else 0.0


def _environment(path: str) -> tuple[Environment, list[type[User]]]:
    """Load a locustfile the way the `locust` command does.

    Raises:
        ValueError: There is nothing in it that can be run.
    """
    user_classes, shapes = load_locustfile(path)[:2]
    if not user_classes:
        raise ValueError("it has no User class")
    classes = [cls for cls in user_classes.values() if cls.weight > 0]
    for cls in classes:
        if not cls.tasks:
            raise ValueError(f"{cls.__name__} has no task; decorate one with @task")
    options = locust.argument_parser.parse_options(args=[])
    environment = Environment(
        user_classes=classes,
        events=locust.events,
        locustfile=os.path.basename(path),
        parsed_options=options,
    )
    before = list(environment.events.request._handlers)
    runner = environment.create_local_runner()
    # Locust's own statistics cost 8 µs a request and round what they keep.
    environment.events.request._handlers = before
    runner.greenlet.kill(block=False)
    environment.events.init.fire(environment=environment, runner=runner, web_ui=None)
    environment.events.test_start.fire(environment=environment)
    return environment, classes


def _failure(error: BaseException, path: str) -> dict[str, str]:
    """Describe an error by its message and the line of the locustfile."""
    where = ""
    for frame in traceback.extract_tb(error.__traceback__):
        if os.path.abspath(frame.filename) == os.path.abspath(path):
            where = f"line {frame.lineno}: "
    if isinstance(error, SyntaxError) and error.lineno:
        where = f"line {error.lineno}: "
    return {"error": f"{where}{type(error).__name__}: {error}"}


def main(path: str, descriptor: int) -> None:
    """Serve orders until the channel is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Assay ends this process itself
    channel = socket.socket(fileno=descriptor)
    try:
        install_gate()
        stamps.install()
        environment, classes = _environment(path)
        server = Server(environment, classes)
    except (Exception, SystemExit) as error:
        protocol.send(channel, _failure(error, path))
        return
    protocol.send(channel, {"classes": [cls.__name__ for cls in classes]})
    while True:
        try:
            order, _ = protocol.receive(channel)
        except (EOFError, OSError):
            break
        do, body = order.pop("do"), b""
        try:
            if do == "slice":
                answer, body = server.slice(**order)
            else:
                answer = getattr(server, do)(**order)
        except Exception as error:
            traceback.print_exc()
            answer = _failure(error, path)
        protocol.send(channel, answer, body)
    server.detach()
    environment.events.test_stop.fire(environment=environment)
    environment.events.quitting.fire(environment=environment)
    gevent.sleep(0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
