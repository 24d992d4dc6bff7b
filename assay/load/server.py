"""What the Locust process does for Assay: users, slices, and whole load tests."""

import gc
import random
import time
from collections.abc import Callable
from typing import Any

import gevent
from gevent import getcurrent
from locust.env import Environment
from locust.user.users import User

from assay.load import arrivals, clocks, shapes
from assay.load.loading import Loading
from assay.load.pool import BACKLOG_LIMIT, Pool
from assay.load.recorder import NO_USER, Recorder
from assay.load.timer import Heartbeat, Timer

TOUCH_SPACING = 0.001  # a listen backlog must never overflow: connect one by one
ERRORS_TOLD = 20

Emit = Callable[[dict[str, Any], bytes], None]


class Server:
    """Carries out what Assay orders, one slice at a time."""

    def __init__(
        self, environment: Environment, classes: list[type[User]], emit: Emit
    ) -> None:
        """Take the user classes of a locustfile; nothing runs yet.

        Args:
            environment: Locust's.
            classes: The user classes.
            emit: Takes what a load test says, while it runs.
        """
        self.environment = environment
        self.classes = classes
        self.emit = emit
        self.loading: Loading | None = None
        self.pools: dict[str, Pool] = {}
        self.processes: dict[str, list[int]] = {}
        self.cores: list[int] = []
        self.recorder: Recorder | None = None
        self.timer = Timer()
        self.heartbeat = Heartbeat()
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
        if seat is None:
            recorder.add(name, start, start, end, NO_USER, exception)
        else:
            seat.record(name, start, end, exception)

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
        think_time: bool = False,
        shape: dict[str, list[float]] | None = None,
    ) -> tuple[dict[str, Any], bytes]:
        """Load one variant for one slice and return its numbers and samples."""
        pool, pids = self.pools[variant], self.processes.get(variant, [])
        recorder = self.recorder = Recorder()
        pool.begin(recorder, seed)
        pool.think_time = think_time
        random.seed(seed)  # what tasks themselves draw
        offsets: list[float] = []
        if mode == "open":
            line = shapes.constant(rate, duration)
            if shape:
                line = shapes.Shape(tuple(shape["times"]), tuple(shape["rates"]))
            offsets = list(arrivals.moments(line, "poisson", seed))
        elif mode == "touch":
            offsets = [TOUCH_SPACING * number for number in range(pool.size)]
        gc.disable()
        before = clocks.read(pids, self.cores)
        began = time.perf_counter()
        with self.heartbeat.beating(recorder):
            if mode == "closed":
                planned, dropped = self._closed(pool, began, duration, users)
            else:
                planned, dropped = self._open(pool, [began + x for x in offsets])
            dealing = max(0.0, pool.dealt_until - time.perf_counter())
            pool.settle(dealing + drain)
            ended = time.perf_counter()
        done = pool.done
        if mode == "closed":
            planned = pool.begun
        due = pool.abandon()
        for scheduled in due:
            recorder.add_unserved(scheduled)
        after = clocks.read(pids, self.cores)
        self.recorder = None
        gc.enable()
        errors = dict(recorder.errors.most_common(ERRORS_TOLD))
        header, body = recorder.flush()
        header |= {
            "began": began,
            "ended": ended,
            "planned": planned,
            "done": done,
            "dropped": dropped,
            "unserved": len(due),
            "errors": errors,
            **after.since(before),
        }
        return header, body

    def load(self, variant: str, seed: int = 0, **spec: Any) -> dict[str, Any]:
        """Begin a load test; its samples are emitted as they come.

        Args:
            variant: Whose pool.
            seed: Of all random choices.
            spec: See `Loading.run`.
        """
        recorder = self.recorder = Recorder()
        pool = self.pools[variant]
        pool.begin(recorder, seed)
        self.loading = Loading(pool, recorder, self.emit, self.timer, self.heartbeat)
        gevent.spawn(self.loading.run, seed=seed, **spec)
        return {}

    def stop(self) -> None:
        """End the load test before its time."""
        if self.loading is not None:
            self.loading.stopped = True

    def _closed(
        self, pool: Pool, began: float, duration: float, users: int
    ) -> tuple[int, int]:
        pool.closed_until = pool.dealt_until = began + duration
        if not pool.think_time:
            # A deck that was begun is dealt to its end, so that all slices have the
            # same mix; one that would take longer than the slice itself is cut.
            pool.dealt_until += duration
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
