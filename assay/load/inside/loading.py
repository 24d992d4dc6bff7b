"""A load test of any length: samples leave the process while it runs."""

import gc
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gevent
from gevent.event import Event
from locust.runners import WorkerRunner

from assay.load import arrivals
from assay.load.inside import clocks, opened_locustfile
from assay.load.inside.opened_locustfile import OpenedLocustfile
from assay.load.inside.pool import Pool
from assay.load.inside.ramp import Ramp
from assay.load.inside.runner import LiveStats
from assay.load.inside.timer import Heartbeat, Timer
from assay.load.orders import RunLoad
from assay.load.protocol import Name
from assay.load.recorder import Recorder
from assay.load.ticks import Counts, Tick

TICK_INTERVAL = 1.0  # seconds between two reports
POLL_INTERVAL = 0.1  # seconds between two checks whether to stop
ON_STOP_TIMEOUT = 5.0  # seconds that users have for their on_stop


class Loading:
    """One load test on one pool of users.

    ``planned == done + dropped + unserved`` holds at the end of the test, whatever the
    server does and whatever ends the test.

    Attributes:
        stopped: Whether the test must end early.
        ended_by: `locustfile` if the locustfile ended the test early, or `users` if
            all users had stopped; else empty.
    """

    def __init__(
        self,
        locustfile: OpenedLocustfile,
        pool: Pool,
        recorder: Recorder,
        report: Callable[[Tick], None],
        timer: Timer,
        heartbeat: Heartbeat,
    ) -> None:
        """Prepare the test; nothing runs yet.

        Args:
            locustfile: The locustfile.
            pool: The users.
            recorder: Records their samples.
            report: Receives a tick every second and at the end.
            timer: Waits for arrivals.
            heartbeat: Measures stalls of this process.
        """
        self.stopped, self.ended_by = False, ""
        self._locustfile = locustfile
        self._pool, self._dispatcher = pool, pool.dispatcher
        self._recorder, self._send_tick = recorder, report
        self._timer, self._heartbeat = timer, heartbeat
        self._planned = self._dropped = 0
        # The part of the recorder's samples and counts that is in Locust's statistics.
        self._counted_rows = 0
        self._counted_errors = Counter[Name]()
        self._began = 0.0
        self._notes: list[str] = []
        self._clocks = clocks.read()
        self._stats = locustfile.environment.stats
        if isinstance(self._stats, LiveStats):
            self._stats.clear_all()
            self._stats.refresh_with(self._update_stats)

    def end(self, by: str) -> None:
        """End the test early: no more tasks begin."""
        self.stopped, self.ended_by = True, self.ended_by or by
        self._dispatcher.end_closed_loop()

    def run(self, order: RunLoad) -> None:
        """Run the test until it ends."""
        random.seed(order.seed)
        self._dispatcher.think_time = order.think_time
        gc.disable()
        self._began = time.perf_counter()
        self._clocks = clocks.read()
        over = Event()
        reporting = gevent.spawn(self._report_until, over)
        with self._heartbeat.beating(self._recorder):
            if order.shape is None:
                self._closed_loop(order)
                self._dispatcher.over_at = time.perf_counter()
            else:
                due = arrivals.times(
                    order.shape, order.schedule, order.seed, order.part
                )
                self._open_loop(due, order.iterations)
            loaded = time.perf_counter() - self._began
            self._dispatcher.settle(order.drain)
        over.set()  # killing the greenlet could cut a message in half
        reporting.join()
        unserved = self._pool.abandon()
        for due_at, sent in unserved:
            self._recorder.add_unserved(due_at, sent)
        counts = self._counts(len(unserved))
        if order.final:
            self._stop_users()
        gc.enable()
        self._report(replace(counts, users=self._pool.alive), loaded)

    def _counts(self, unserved: int = 0) -> Counts:
        dispatcher = self._dispatcher
        return Counts(
            planned=self._planned or dispatcher.begun,
            done=dispatcher.done,
            dropped=self._dropped,
            unserved=unserved,
            in_flight=len(dispatcher.busy),
            backlog=dispatcher.waiting,
            users=self._pool.alive,
        )

    def _stop_users(self) -> None:
        """Stop all users; requests of their on_stop are recorded as such."""
        opened_locustfile.fire_test_stopping(self._locustfile)
        self._dispatcher.recorder = self._recorder
        self._pool.close(ON_STOP_TIMEOUT)
        if isinstance(self._locustfile.runner, WorkerRunner):
            # This marks the runner as stopped, so Locust does not fire events again.
            opened_locustfile.fire_test_stop(self._locustfile)

    def _open_loop(self, due: Iterator[float], iterations: int) -> None:
        """Hand out arrivals when they are due."""
        dispatcher, timer = self._dispatcher, self._timer
        dispatcher.growing = True
        for offset in due:
            due_at = self._began + offset
            while due_at - time.perf_counter() > POLL_INTERVAL and not self._over():
                timer.wait_until(time.perf_counter() + POLL_INTERVAL)
            if self._over() or (iterations and self._planned >= iterations):
                return
            timer.wait_until(due_at)
            self._planned += 1
            self._dropped += not dispatcher.arrive(due_at)

    def _over(self) -> bool:
        """Return whether the test must end now."""
        return self.stopped or bool(self._recorder.limit)

    def _closed_loop(self, order: RunLoad) -> None:
        """Let users do task after task until time is up."""
        pool, dispatcher = self._pool, self._dispatcher
        dispatcher.max_arrivals = order.iterations
        dispatcher.closed_until = self._began + order.duration
        ramp = Ramp(pool, self._locustfile.runner, self._over)
        spawning = self._spawn(order, ramp)
        while time.perf_counter() < dispatcher.closed_until and not self._over():
            if order.iterations and dispatcher.begun >= order.iterations:
                break
            complete = spawning is None or spawning.ready()
            if complete and order.shaped:
                break
            # While the number of users rises in stages, more users will come.
            risen = order.user_shape and ramp.wanted >= order.users
            if (complete or risen) and not pool.alive:
                no_user = "" if dispatcher.done else pool.no_user_error()
                self._recorder.limit = no_user
                self.end("users")
            rest = dispatcher.closed_until - time.perf_counter()
            wait = max(0, min(POLL_INTERVAL, rest))
            self._timer.wait_until(time.perf_counter() + wait)
        dispatcher.end_closed_loop()
        if spawning is not None:
            spawning.kill()

    def _spawn(self, order: RunLoad, ramp: Ramp) -> Any:
        """Start and return a greenlet that makes and stops users.

        Without a shape, stages or a spawn rate, all users begin at once and the result
        is None.
        """
        if order.shaped:
            assert self._locustfile.shape is not None
            return gevent.spawn(ramp.follow, self._locustfile.shape)
        if order.user_shape:
            return gevent.spawn(
                ramp.follow_numbers,
                lambda: order.users_at(time.perf_counter() - self._began),
            )
        if order.spawn_rate:
            return gevent.spawn(ramp.ramp_to, order.users, order.spawn_rate)
        for seat in self._dispatcher.enlist(order.users, order.seed):
            self._dispatcher.assign(seat)
        return None

    def _report_until(self, over: Event) -> None:
        due = self._began + TICK_INTERVAL
        while not over.wait(max(0.0, due - time.perf_counter())):
            due += TICK_INTERVAL
            gc.collect()  # quick, because objects from before the test are frozen
            self._report(self._counts())

    def _update_stats(self) -> None:
        """Bring Locust's statistics up to date with the samples."""
        recorder = self._recorder
        if not isinstance(self._stats, LiveStats):
            return
        names = ("name", "start", "end", "failed", "size")
        new = {
            name: recorder.request_columns[name][self._counted_rows :] for name in names
        }
        self._counted_rows = len(recorder.request_columns["end"])
        if len(new["end"]):
            errors = recorder.errors - self._counted_errors
            self._counted_errors = recorder.errors.copy()
            self._stats.count(list(recorder.names), new, errors)

    def _report(self, counts: Counts, loaded: float | None = None) -> None:
        """Report a tick.

        Args:
            counts: The arrivals so far.
            loaded: Seconds of load if this is the last tick; None for all others.
        """
        now = clocks.read()
        used = now.since(self._clocks)
        self._clocks = now
        self._update_stats()
        self._counted_rows = 0
        self._counted_errors = Counter()
        # Once all users have stopped, the pool has no notes, so the earlier ones stay.
        self._notes = self._pool.notes() or self._notes
        recording = self._recorder.flush()
        at = time.perf_counter() - self._began
        self._send_tick(
            Tick(
                at=at,
                began=self._began,
                loaded=at if loaded is None else loaded,
                last=loaded is not None,
                ended_by=self.ended_by,
                counts=counts,
                request_columns=recording.request_columns,
                task_columns=recording.task_columns,
                generator_cpu=used.generator_cpu,
                generator_run_delay=used.generator_run_delay,
                notes=self._notes,
                **recording.totals(),
            )
        )
