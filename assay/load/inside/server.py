"""What the Locust process does for Assay: users, slices, and whole load tests."""

import gc
import random
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gevent
from gevent import getcurrent

from assay.load import arrivals, shapes
from assay.load.inside import clocks, opened_locustfile
from assay.load.inside.loading import Loading
from assay.load.inside.opened_locustfile import Opened
from assay.load.inside.pool import SPACING, Pool
from assay.load.inside.runner import SteeredRunner
from assay.load.inside.seat import Seat
from assay.load.inside.timer import Heartbeat, Timer
from assay.load.orders import Attach, Detach, Finish, Grow, Order, RunLoad, RunSlice
from assay.load.protocol import START
from assay.load.recorder import NO_USER, Recorder, told

ERRORS_TOLD = 20
TOUCH_TIMEOUT = 10.0  # seconds

Emit = Callable[[dict[str, Any], bytes], None]


class Server:
    """Carries out what Assay orders, one slice at a time."""

    def __init__(self, found: Opened, emit: Emit) -> None:
        """Take the user classes of a locustfile; nothing runs yet.

        Args:
            found: The locustfile.
            emit: Takes what a load test says, while it runs.
        """
        self.found, self.environment = found, found.environment
        self.emit = emit
        self.loading: Loading | None = None
        self.pools: dict[str, Pool] = {}
        self.processes: Mapping[str, Sequence[int]] = {}
        self.cores: Sequence[int] = ()
        self.recorder: Recorder | None = None
        self.fresh = True  # whether the pools hold what their users did in on_start
        self.timer = Timer()
        self.heartbeat = Heartbeat()
        # Before anybody else's: one that raises keeps the others from hearing of it.
        self.environment.events.request._handlers.insert(0, self.on_request)
        if isinstance(found.runner, SteeredRunner):
            found.runner.steer(self.quit)

    def on_request(
        self,
        name: str,
        response_time: float,
        request_type: str = "",
        response_length: int = 0,
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
        seat = getattr(greenlet, "assay_seat", None) or _inherited(greenlet)
        stamps = getattr(greenlet, "assay_stamps", None)
        if stamps is not None:
            start, end = stamps.take(start, end)
        if seat is not None:
            method = request_type or ""
            seat.record(method, name, start, end, exception, response_length or 0)
            return
        recorder = self.recorder
        if recorder is not None:
            key = "request", request_type or "", name
            recorder.add(key, start, 0.0, start, end, NO_USER, exception)
            recorder.lengths[key] += response_length or 0

    def obey(self, order: Order) -> tuple[dict[str, Any], bytes]:
        """Carry out an order; return header and body of the answer."""
        match order:
            case Attach():
                return self.attach(order), b""
            case Grow():
                return self.grow(order), b""
            case Detach():
                return self.detach(), b""
            case RunSlice():
                return self.slice(order)
            case RunLoad():
                return self.load(order), b""
            case Finish():
                return self.finish(), b""
            case _:
                raise ValueError(f"{order} is for a master, or has no answer")

    def attach(self, order: Attach) -> dict[str, Any]:
        """Give each variant a pool of users, and wait until all are ready.

        Users of all variants come through their on_start side by side.

        Returns:
            For each variant what its users' on_start came to.
        """
        users = order.users
        self.detach()
        self.processes, self.cores = order.processes, order.cores
        began = time.perf_counter()
        runner: Any = self.environment.runner
        steered = isinstance(runner, SteeredRunner)
        if steered:
            runner.spawning(users)
        for name, host in order.hosts.items():
            pool = Pool(
                self.environment,
                self.found.classes,
                host,
                max(users, order.most),
                runner.user_greenlets if steered else None,
            )
            self.pools[name] = pool
            pool.make(users)
        gevent.sleep(0)  # whoever listens to the event may have to be there first
        if steered and users:
            runner.spawned()
        elif users:
            self.environment.events.spawning_complete.fire(user_count=users)
        for pool in self.pools.values():
            pool.wait(order.timeout, order.strict)
        gc.collect()
        gc.freeze()
        self.fresh = True
        return {
            name: _beginnings(pool.recorder, time.perf_counter() - began)
            for name, pool in self.pools.items()
        }

    def grow(self, order: Grow) -> dict[str, Any]:
        """Make users until every pool has so many, and let the new ones connect."""
        for pool in self.pools.values():
            before = set(pool._seats)
            pool.make(order.users)
            pool.wait(order.timeout, strict=False)
            self._touch(pool, [s for s in pool._seats - before if s.ready])
        return {"users": {name: pool.users for name, pool in self.pools.items()}}

    def detach(self) -> dict[str, Any]:
        """Stop all users."""
        for pool in self.pools.values():
            pool.close()
        self.pools.clear()
        gc.unfreeze()
        return {}

    def finish(self) -> dict[str, Any]:
        """Stop all users and fire the events of a test's end."""
        self.detach()
        return {"exit_code": opened_locustfile.end(self.found)}

    def slice(self, order: RunSlice) -> tuple[dict[str, Any], bytes]:
        """Load one variant for one slice and return its numbers and samples."""
        pool = self.pools[order.variant]
        pids = self.processes.get(order.variant, [])
        self._complete(pool, order.users, order.seed, order.drain)
        recorder = self.recorder = Recorder()
        self.fresh = False
        pool.begin(recorder, order.seed)
        pool.think_time = order.think_time
        random.seed(order.seed)  # what tasks themselves draw
        offsets = _offsets(order)
        gc.disable()
        before = clocks.read(pids, self.cores)
        began = time.perf_counter()
        with self.heartbeat.beating(recorder):
            dropped = self._put_load(pool, order, began, offsets)
            dealing = max(0.0, pool.dealt_until - time.perf_counter())
            pool.settle(dealing + order.drain)
            ended = time.perf_counter()
        done, short, peak = pool.done, pool.short, pool.peak
        planned = len(offsets) if order.mode == "open" else pool.begun
        due = pool.abandon()
        for scheduled in due:
            recorder.add_unserved(scheduled)
        after = clocks.read(pids, self.cores)
        self.recorder = None
        gc.enable()
        recorder.errors = Counter(dict(recorder.errors.most_common(ERRORS_TOLD)))
        header, body = recorder.flush()
        header |= {
            "began": began,
            "ended": ended,
            "planned": planned,
            "done": done,
            "dropped": dropped,
            "unserved": len(due),
            "short": short,
            "peak": peak,
            **after.since(before),
        }
        return header, body

    def _put_load(
        self, pool: Pool, order: RunSlice, began: float, offsets: list[float]
    ) -> int:
        """Load a pool for a slice; return how many arrivals were dropped."""
        if order.mode == "closed":
            self._closed(pool, began, order)
        elif order.mode == "touch":
            self._call(pool, [s for role in pool.roles.values() for s in role.idle])
        else:
            return self._open(pool, [began + offset for offset in offsets])
        return 0

    def load(self, order: RunLoad) -> dict[str, Any]:
        """Begin a load test; its samples are emitted as they come."""
        pool = self.pools[order.variant]
        # What users did in their on_start belongs to the test that they were made for.
        recorder = self.recorder = pool.recorder if self.fresh else Recorder()
        self.fresh = False
        pool.begin(recorder, order.seed)
        self.loading = Loading(
            self.found, pool, recorder, self.emit, self.timer, self.heartbeat
        )
        runner: Any = self.environment.runner
        if getattr(runner, "ended", False):
            self.loading.end("locustfile")
        gevent.spawn(self._run, self.loading, order)
        return {}

    def _run(self, loading: Loading, order: RunLoad) -> None:
        """Run a load test to its end; whoever waits for it hears if it cannot."""
        try:
            loading.run(order)
        except Exception as error:
            traceback.print_exc()
            self.emit({"error": f"{type(error).__name__}: {error}"}, b"")

    def stop(self) -> None:
        """End the load test before its time."""
        if self.loading is not None:
            self.loading.end("")

    def quit(self) -> None:
        """End the load test, since the locustfile says so."""
        if self.loading is not None:
            self.loading.end("locustfile")

    def _complete(self, pool: Pool, users: int, seed: int, timeout: float) -> None:
        """Make anew who has stopped, or was ended, before a slice begins."""
        lacks = pool.lacking(users, seed) if users else False
        if not pool.alive:
            pool.make(len(pool.roles))
            lacks = True
        if lacks:
            pool.wait(timeout, strict=False)

    def _touch(self, pool: Pool, seats: list[Seat]) -> None:
        """Let some users run one task that nobody counts: it opens connections."""
        pool.begin(Recorder(), 0)
        self._call(pool, seats)
        pool.settle(TOUCH_TIMEOUT)

    def _call(self, pool: Pool, seats: list[Seat]) -> None:
        """Hand each of some idle users an arrival, one after the other."""
        for seat in seats:
            if seat in seat.role.idle:
                seat.role.idle.remove(seat)
                pool.work(seat, time.perf_counter())
                self.timer.wait_until(time.perf_counter() + SPACING)

    def _closed(self, pool: Pool, began: float, order: RunSlice) -> None:
        pool.closed_until = pool.dealt_until = began + order.duration
        if not pool.think_time:
            # A deck that was begun is dealt to its end, so that all slices have the
            # same mix; one that would take longer than the slice itself is cut.
            pool.dealt_until += order.duration
        for seat in pool.enlist(order.users, order.seed):
            pool.work(seat)
        self.timer.wait_until(pool.closed_until)

    def _open(self, pool: Pool, moments: list[float]) -> int:
        """Hand out arrivals when they are due; return how many were dropped."""
        dropped = 0
        for moment in moments:
            self.timer.wait_until(moment)
            dropped += not pool.arrive(moment)
        return dropped


def _offsets(order: RunSlice) -> list[float]:
    """Return when the arrivals of a slice are due, in seconds since its beginning."""
    if order.mode != "open":
        return []
    line = order.shape or shapes.constant(order.rate, order.duration)
    return list(arrivals.moments(line, "poisson", order.seed))


def _inherited(greenlet: Any) -> Seat | None:
    """Return the place of the user whose task has spawned a greenlet, if one has."""
    for _ in range(4):
        parent = getattr(greenlet, "spawning_greenlet", None)
        greenlet = parent() if parent is not None else None
        seat: Seat | None = getattr(greenlet, "assay_seat", None)
        if seat is not None:
            return seat
    return None


def _beginnings(recorder: Recorder, seconds: float) -> dict[str, Any]:
    """Return what the on_start of some users came to."""
    started = [number for name, number in recorder.names.items() if name[0] == START]
    names, failed = recorder.columns["name"], recorder.columns["failed"]
    own = [bool(f) for n, f in zip(names, failed, strict=True) if n in started]
    return {
        "seconds": seconds,
        "requests": len(own),
        "failed": sum(own),
        "errors": {told(*error): count for error, count in recorder.errors.items()},
    }
