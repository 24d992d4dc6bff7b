"""A load test of any length: samples leave the process while it runs."""

import gc
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import gevent
from gevent.event import Event
from locust.runners import WorkerRunner

from assay.load import arrivals
from assay.load.inside import clocks, opened_locustfile
from assay.load.inside.opened_locustfile import Opened
from assay.load.inside.pool import Pool
from assay.load.inside.ramp import Ramp
from assay.load.inside.runner import LiveStats
from assay.load.inside.timer import Heartbeat, Timer
from assay.load.orders import RunLoad
from assay.load.recorder import Name, Recorder

TICK = 1.0  # seconds between two reports
PATIENCE = 0.1  # seconds: how long nobody looks whether to stop
PARTING = 5.0  # seconds that users have for their on_stop


class Loading:
    """One load test on one pool of users.

    ``planned == done + dropped + unserved`` holds at its end, whatever the server
    does and whoever stops it.

    Attributes:
        stopped: Whether it is to end before its time.
        ended_by: Who says so: the locustfile, or its users, who have all stopped.
    """

    def __init__(
        self,
        found: Opened,
        pool: Pool,
        recorder: Recorder,
        emit: Callable[[dict[str, Any], bytes], None],
        timer: Timer,
        heartbeat: Heartbeat,
    ) -> None:
        """Prepare; nothing runs yet.

        Args:
            found: The locustfile.
            pool: The users.
            recorder: Takes their samples.
            emit: Takes a header and a body, every second and at the end.
            timer: To wait for arrivals.
            heartbeat: To notice when this process stood still.
        """
        self.stopped, self.ended_by = False, ""
        self._found = found
        self._pool, self._recorder, self._emit = pool, recorder, emit
        self._timer, self._heartbeat = timer, heartbeat
        self._planned = self._dropped = 0
        # What of the recorder Locust's statistics have: rows, and errors.
        self._counted, self._told = 0, (Counter[Name](), Counter[Name]())
        self._began = 0.0
        self._notes: list[str] = []
        self._clocks = clocks.read((), ())
        self._stats = found.environment.stats
        if isinstance(self._stats, LiveStats):
            self._stats.clear_all()
            self._stats.source(self._count)

    def end(self, by: str) -> None:
        """End the test before its time: nothing begins any more."""
        self.stopped, self.ended_by = True, self.ended_by or by
        self._pool.closed_until = self._pool.dealt_until = 0.0

    def run(self, order: RunLoad) -> None:
        """Run it to its end."""
        random.seed(order.seed)
        self._pool.think_time = order.think_time
        gc.disable()
        self._began = time.perf_counter()
        self._clocks = clocks.read((), ())
        over = Event()
        ticking = gevent.spawn(self._tick, over)
        with self._heartbeat.beating(self._recorder):
            if order.shape is None:
                self._closed(order)
                self._pool.over_at = time.perf_counter()
            else:
                due = arrivals.moments(
                    order.shape, order.schedule, order.seed, order.part
                )
                self._open(due, order.iterations)
            loaded = time.perf_counter() - self._began
            self._pool.settle(order.drain)
        over.set()  # ended from outside, it could tear a message apart
        ticking.join()
        last = self._account(order.shape is not None) | {"last": True, "loaded": loaded}
        if order.final:
            self._part()
        gc.enable()
        self._report(last)

    def _account(self, scheduled: bool) -> dict[str, Any]:
        """Say what became of all arrivals; whoever still works is given up."""
        pool = self._pool
        begun, due_still = pool.begun, pool.abandon()
        done = pool.done
        for moment in due_still:
            self._recorder.add_unserved(moment)
        return {
            "planned": self._planned if scheduled else begun,
            "done": done,
            "unserved": len(due_still),
            "in_flight": 0,
            "backlog": 0,
        }

    def _part(self) -> None:
        """Have all users stop; what they ask for in their on_stop counts as such."""
        opened_locustfile.stopping(self._found)
        self._pool.recorder = self._recorder
        self._pool.close(PARTING)
        if isinstance(self._found.runner, WorkerRunner):
            opened_locustfile.stopped(self._found)  # Locust would fire both once more

    def _open(self, due: Iterator[float], iterations: int) -> None:
        """Hand out arrivals when they are due."""
        pool, timer = self._pool, self._timer
        pool.growing = True
        for offset in due:
            moment = self._began + offset
            while moment - time.perf_counter() > PATIENCE and not self._over():
                timer.wait_until(time.perf_counter() + PATIENCE)
            if self._over() or (iterations and self._planned >= iterations):
                return
            timer.wait_until(moment)
            self._planned += 1
            self._dropped += not pool.arrive(moment)

    def _over(self) -> bool:
        """Say whether the test is to end now."""
        return self.stopped or bool(self._recorder.limit)

    def _closed(self, order: RunLoad) -> None:
        """Let users go round until time is up."""
        users, iterations, shaped = order.users, order.iterations, order.shaped
        pool = self._pool
        pool.most = iterations
        pool.closed_until = self._began + order.duration
        coming = None
        if order.spawn_rate or shaped:
            ramp = Ramp(pool, self._found.runner, self._over)
            if shaped:
                assert self._found.shape is not None
                coming = gevent.spawn(ramp.follow, self._found.shape)
            else:
                coming = gevent.spawn(ramp.to, users, order.spawn_rate)
        else:
            for seat in pool.enlist(users, order.seed):
                pool.work(seat)
        while time.perf_counter() < pool.closed_until and not self._over():
            if iterations and pool.begun >= iterations:
                break
            if coming is None or coming.ready():
                if shaped:
                    break
                if not pool.alive:
                    self._recorder.limit = "" if pool.done else pool.nobody()
                    self.end("users")
            left = pool.closed_until - time.perf_counter()
            self._timer.wait_until(time.perf_counter() + max(0, min(PATIENCE, left)))
        pool.closed_until = 0.0
        if coming is not None:
            coming.kill()

    def _tick(self, over: Event) -> None:
        due = self._began + TICK
        while not over.wait(max(0.0, due - time.perf_counter())):
            due += TICK
            gc.collect()  # what was frozen before costs nothing
            self._report({})

    def _count(self) -> None:
        """Bring Locust's statistics up to date with the samples."""
        recorder = self._recorder
        if not isinstance(self._stats, LiveStats):
            return
        names = ("name", "start", "end", "failed")
        new = {name: recorder.columns[name][self._counted :] for name in names}
        self._counted = len(recorder.columns["end"])
        if len(new["end"]):
            errors, lengths = (
                now - told for now, told in zip(self._texts(), self._told, strict=True)
            )
            told, sizes = self._texts()
            self._told = told.copy(), sizes.copy()
            self._stats.count(list(recorder.names), new, errors, lengths)

    def _texts(self) -> tuple[Counter[Name], Counter[Name]]:
        """Return what is counted by text, and is not in the columns."""
        return self._recorder.errors, self._recorder.lengths

    def _report(self, more: dict[str, Any]) -> None:
        pool, now = self._pool, clocks.read((), ())
        passed = now.since(self._clocks)
        self._clocks = now
        self._count()
        self._counted, self._told = 0, (Counter(), Counter())
        self._notes = pool.notes() or self._notes  # at the end nobody is left
        header, body = self._recorder.flush()
        header |= {
            "at": time.perf_counter() - self._began,
            "began": self._began,
            "planned": self._planned or pool.begun,
            "done": pool.done,
            "dropped": self._dropped,
            "in_flight": len(pool.busy),
            "backlog": pool.waiting,
            "users": pool.alive,
            "notes": self._notes,
            "ended_by": self.ended_by,
            "generator_cpu": passed["generator_cpu"],
            "generator_run_delay": passed["generator_run_delay"],
            **more,
        }
        self._emit(header, body)
