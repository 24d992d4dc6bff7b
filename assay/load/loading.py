"""A load test of any length: samples leave the process while it runs."""

import gc
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import gevent
from gevent.event import Event

from assay.load import arrivals, clocks
from assay.load.pool import BACKLOG_LIMIT, Pool
from assay.load.recorder import Recorder
from assay.load.shapes import Shape
from assay.load.timer import Heartbeat, Timer

TICK = 1.0  # seconds between two reports
PATIENCE = 0.1  # seconds: how long nobody looks whether to stop


class Loading:
    """One load test on one pool of users.

    ``planned == done + dropped + unserved`` holds at its end, whatever the server
    does and whoever stops it.

    Attributes:
        stopped: Set it to end the test before its time.
    """

    def __init__(
        self,
        pool: Pool,
        recorder: Recorder,
        emit: Callable[[dict[str, Any], bytes], None],
        timer: Timer,
        heartbeat: Heartbeat,
    ) -> None:
        """Prepare; nothing runs yet.

        Args:
            pool: The users.
            recorder: Takes their samples.
            emit: Takes a header and a body, every second and at the end.
            timer: To wait for arrivals.
            heartbeat: To notice when this process stood still.
        """
        self.stopped = False
        self._pool, self._recorder, self._emit = pool, recorder, emit
        self._timer, self._heartbeat = timer, heartbeat
        self._planned = self._dropped = 0
        self._began = 0.0
        self._clocks = clocks.read((), ())

    def run(
        self,
        shape: dict[str, list[float]] | None = None,
        schedule: arrivals.Arrivals = "poisson",
        users: int = 0,
        duration: float = 0.0,
        iterations: int = 0,
        think_time: bool = False,
        seed: int = 0,
        drain: float = 10.0,
        part: dict[str, Any] | None = None,
    ) -> None:
        """Run it to its end.

        Args:
            shape: Times and rates of the open loop; None for a closed loop.
            schedule: How arrivals come.
            users: Of the closed loop.
            duration: Seconds of the closed loop.
            iterations: After so many it ends; 0 for no such limit.
            think_time: Whether users of a closed loop wait as they say themselves.
            seed: Of all random choices.
            drain: Seconds to wait for answers once the last request was sent.
            part: Which of the arrivals, if others send the rest: fields of
                `arrivals.Part`.
        """
        random.seed(seed)
        self._pool.think_time = think_time
        gc.disable()
        self._began = time.perf_counter()
        self._clocks = clocks.read((), ())
        over = Event()
        ticking = gevent.spawn(self._tick, over)
        with self._heartbeat.beating(self._recorder):
            if shape is None:
                self._closed(users, duration, iterations)
            else:
                line = Shape(tuple(shape["times"]), tuple(shape["rates"]))
                own = arrivals.WHOLE
                if part:
                    own = arrivals.Part(tuple(part["places"]), part["of"])
                due = arrivals.moments(line, schedule, seed, own)
                self._open(due, iterations)
            loaded = time.perf_counter() - self._began
            self._pool.settle(drain)
        over.set()  # ended from outside, it could tear a message apart
        ticking.join()
        pool = self._pool
        done, begun = pool.done, pool.begun
        due_still = pool.abandon()
        for scheduled in due_still:
            self._recorder.add_unserved(scheduled)
        gc.enable()
        planned = self._planned if shape is not None else begun
        last = {"last": True, "loaded": loaded, "unserved": len(due_still)}
        self._report(last | {"planned": planned, "done": done, "in_flight": 0})

    def _open(self, due: Iterator[float], iterations: int) -> None:
        """Hand out arrivals when they are due."""
        pool, timer = self._pool, self._timer
        pool.closed_until = 0.0
        for offset in due:
            moment = self._began + offset
            while moment - time.perf_counter() > PATIENCE and not self.stopped:
                timer.wait_until(time.perf_counter() + PATIENCE)
            if self.stopped or (iterations and self._planned >= iterations):
                return
            timer.wait_until(moment)
            self._planned += 1
            if not pool.hand(moment):
                if len(pool.backlog) < BACKLOG_LIMIT:
                    pool.backlog.append(moment)
                else:
                    self._dropped += 1

    def _closed(self, users: int, duration: float, iterations: int) -> None:
        """Let users go round until time is up."""
        pool = self._pool
        pool.most = iterations
        pool.closed_until = self._began + duration
        for _ in range(min(users, len(pool.idle))):
            pool.hand(None)
        while time.perf_counter() < pool.closed_until and not self.stopped:
            if iterations and pool.begun >= iterations:
                break
            left = pool.closed_until - time.perf_counter()
            self._timer.wait_until(time.perf_counter() + min(PATIENCE, left))
        pool.closed_until = 0.0

    def _tick(self, over: Event) -> None:
        due = self._began + TICK
        while not over.wait(max(0.0, due - time.perf_counter())):
            due += TICK
            gc.collect()  # what was frozen before costs nothing
            self._report({})

    def _report(self, more: dict[str, Any]) -> None:
        pool, now = self._pool, clocks.read((), ())
        passed = now.since(self._clocks)
        self._clocks = now
        header, body = self._recorder.flush()
        header |= {
            "at": time.perf_counter() - self._began,
            "began": self._began,
            "planned": self._planned or pool.begun,
            "done": pool.done,
            "dropped": self._dropped,
            "in_flight": len(pool.busy),
            "backlog": len(pool.backlog),
            "generator_cpu": passed["generator_cpu"],
            "generator_run_delay": passed["generator_run_delay"],
            **more,
        }
        self._emit(header, body)
