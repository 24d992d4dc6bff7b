"""Carries out Assay's orders: users, slices, and whole load tests."""

import gc
import random
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import gevent
from gevent import getcurrent

from assay.load import arrivals, shapes
from assay.load.answers import OnStartResult, pack
from assay.load.inside import clocks, opened_locustfile
from assay.load.inside.loading import Loading
from assay.load.inside.opened_locustfile import OpenedLocustfile
from assay.load.inside.pool import SPACING, Pool
from assay.load.inside.runner import SteeredRunner
from assay.load.inside.seat import Seat
from assay.load.inside.timer import Heartbeat, Timer
from assay.load.orders import Attach, Detach, Finish, Grow, Order, RunLoad, RunSlice
from assay.load.protocol import REQUEST, START, Message
from assay.load.recorder import NO_USER, Recorder, answer_of, error_text
from assay.load.ticks import Tick

MAX_ERRORS = 20  # different errors that a slice reports
TOUCH_TIMEOUT = 10.0  # seconds
MAX_ANCESTORS = 4  # how many spawning greenlets are searched for a user's greenlet


class Server:
    """Carries out Assay's orders, one slice at a time."""

    def __init__(
        self,
        locustfile: OpenedLocustfile,
        report: Callable[[Tick], None],
        report_error: Callable[[str], None],
    ) -> None:
        """Take the user classes of a locustfile; nothing runs yet.

        Args:
            locustfile: The locustfile.
            report: Receives the ticks of a load test.
            report_error: Receives the reason why a load test cannot go on.
        """
        self.locustfile, self.environment = locustfile, locustfile.environment
        self.report, self.report_error = report, report_error
        self.loading: Loading | None = None
        self.pools: dict[str, Pool] = {}
        self.processes: Mapping[str, Sequence[int]] = {}
        self.cores: Sequence[int] = ()
        self.recorder: Recorder | None = None
        # Whether the pools' recorders still hold the requests of on_start.
        self.fresh = True
        self.timer = Timer()
        self.heartbeat = Heartbeat()
        # This listener comes first, because a listener that raises an exception keeps
        # the event from later listeners.
        self.environment.events.request._handlers.insert(0, self.on_request)
        if isinstance(locustfile.runner, SteeredRunner):
            locustfile.runner.when_ended(self.quit)

    def on_request(
        self,
        name: str,
        response_time: float,
        request_type: str = "",
        response_length: int = 0,
        exception: object = None,
        start_time: float | None = None,
        response: object = None,
        **_: Any,
    ) -> None:
        """Record a request: this method listens to Locust's request event."""
        seconds = (response_time or 0.0) / 1000
        end = time.perf_counter()
        start = end - seconds
        if start_time is not None:
            # With catch_response the event comes only at the end of the `with` block,
            # which can be long after the end of the request. The wall clock shows when
            # the request began.
            began = end - (time.time() - start_time)
            if began < start:
                start, end = began, began + seconds
        greenlet = getcurrent()
        seat = getattr(greenlet, "assay_seat", None) or _inherited_seat(greenlet)
        stamps = getattr(greenlet, "assay_stamps", None)
        if stamps is not None:
            start, end = stamps.take(start, end)
        answer = answer_of(exception, response, response_length)
        if seat is not None:
            seat.record(request_type or "", name, start, end, answer)
            return
        recorder = self.recorder
        if recorder is not None:
            key = REQUEST, request_type or "", name
            recorder.add(key, start, 0.0, start, end, NO_USER, answer)

    def obey(self, order: Order) -> Message:
        """Carry out an order; return the header and the body of the answer."""
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

        The users of all variants run their on_start at the same time.

        Returns:
            For each variant the fields of an `OnStartResult`.
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
                self.locustfile.classes,
                host,
                max(users, order.max_users),
                runner.user_greenlets if steered else None,
            )
            self.pools[name] = pool
            pool.make(users)
        gevent.sleep(0)  # users that wait for the event must have started first
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
            name: asdict(
                _on_start_result(pool.dispatcher.recorder, time.perf_counter() - began)
            )
            for name, pool in self.pools.items()
        }

    def grow(self, order: Grow) -> dict[str, Any]:
        """Make users until every pool has `order.users`; let the new users connect."""
        for pool in self.pools.values():
            before = set(pool.seats)
            pool.make(order.users)
            pool.wait(order.timeout, strict=False)
            self._touch(pool, [seat for seat in pool.seats - before if seat.ready])
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
        return {"exit_code": opened_locustfile.fire_end(self.locustfile)}

    def slice(self, order: RunSlice) -> Message:
        """Load one variant for one slice and return its numbers and samples."""
        pool = self.pools[order.variant]
        dispatcher = pool.dispatcher
        pids = self.processes.get(order.variant, [])
        self._replace_missing(pool, order.users, order.seed, order.drain)
        recorder = self.recorder = Recorder()
        self.fresh = False
        pool.begin(recorder, order.seed)
        dispatcher.think_time = order.think_time
        dispatcher.learns, dispatcher.request = order.learns, order.request
        random.seed(order.seed)  # tasks may draw random numbers, too
        offsets = _offsets(order)
        gc.disable()
        before = clocks.read(pids, self.cores)
        began = time.perf_counter()
        with self.heartbeat.beating(recorder):
            dropped = self._put_load(pool, order, began, offsets)
            dealing = max(0.0, dispatcher.dealt_until - time.perf_counter())
            dispatcher.settle(dealing + order.drain)
            ended = time.perf_counter()
        done, peak = dispatcher.done, dispatcher.peak
        lacked_user = dispatcher.lacked_user
        planned = len(offsets) if order.mode == "open" else dispatcher.begun
        unserved = pool.abandon()
        for scheduled, _ in unserved:
            recorder.add_unserved(scheduled)
        after = clocks.read(pids, self.cores)
        self.recorder = None
        gc.enable()
        recorder.errors = Counter(dict(recorder.errors.most_common(MAX_ERRORS)))
        recording = recorder.flush()
        header = {
            **recording.totals(),
            **asdict(after.since(before)),
            "requests": len(recording.request_columns["end"]),
            "iterations": len(recording.task_columns["end"]),
            "began": began,
            "ended": ended,
            "planned": planned,
            "done": done,
            "dropped": dropped,
            "unserved": len(unserved),
            "short": lacked_user,
            "peak": peak,
        }
        return header, pack(recording.request_columns, recording.task_columns)

    def _put_load(
        self, pool: Pool, order: RunSlice, began: float, offsets: list[float]
    ) -> int:
        """Load a pool for a slice; return how many arrivals were dropped."""
        if order.mode == "closed":
            self._closed_loop(pool, began, order)
        elif order.mode == "touch":
            idle = [seat for role in pool.roles.values() for seat in role.idle]
            self._work_in_turn(pool, idle)
        else:
            return self._open_loop(pool, [began + offset for offset in offsets])
        return 0

    def load(self, order: RunLoad) -> dict[str, Any]:
        """Begin a load test; its ticks are reported while it runs."""
        pool = self.pools[order.variant]
        # The requests of on_start belong to the first test.
        recorder = pool.dispatcher.recorder if self.fresh else Recorder()
        self.recorder, self.fresh = recorder, False
        pool.begin(recorder, order.seed)
        self.loading = Loading(
            self.locustfile, pool, recorder, self.report, self.timer, self.heartbeat
        )
        runner: Any = self.environment.runner
        if getattr(runner, "ended", False):
            self.loading.end("locustfile")
        gevent.spawn(self._run, self.loading, order)
        return {}

    def _run(self, loading: Loading, order: RunLoad) -> None:
        """Run a load test until it ends; report an error that ends it."""
        try:
            loading.run(order)
        except Exception as error:
            traceback.print_exc()
            self.report_error(f"{type(error).__name__}: {error}")

    def stop(self) -> None:
        """End the load test early."""
        if self.loading is not None:
            self.loading.end("")

    def quit(self) -> None:
        """End the load test early, because the locustfile asked for it."""
        if self.loading is not None:
            self.loading.end("locustfile")

    def _replace_missing(
        self, pool: Pool, users: int, seed: int, timeout: float
    ) -> None:
        """Replace users who have stopped, or were ended, before a slice begins."""
        missing = pool.make_missing(users, seed)
        if not pool.alive:
            pool.make(len(pool.roles))
            missing = True
        if missing:
            pool.wait(timeout, strict=False)

    def _touch(self, pool: Pool, seats: list[Seat]) -> None:
        """Let some users run one task that is not counted: it opens connections."""
        pool.begin(Recorder(), 0)
        self._work_in_turn(pool, seats)
        pool.dispatcher.settle(TOUCH_TIMEOUT)

    def _work_in_turn(self, pool: Pool, seats: list[Seat]) -> None:
        """Hand each of some idle users an arrival, one after the other."""
        for seat in seats:
            if seat in seat.role.idle:
                seat.role.idle.remove(seat)
                pool.dispatcher.assign(seat, time.perf_counter())
                self.timer.wait_until(time.perf_counter() + SPACING)

    def _closed_loop(self, pool: Pool, began: float, order: RunSlice) -> None:
        dispatcher = pool.dispatcher
        dispatcher.closed_until = dispatcher.dealt_until = began + order.duration
        if not dispatcher.think_time:
            # A deck that was begun is finished, so that all slices have the same mix;
            # a deck that would take longer than the slice itself is cut short.
            dispatcher.dealt_until += order.duration
        for seat in dispatcher.enlist(order.users, order.seed):
            dispatcher.assign(seat)
        self.timer.wait_until(dispatcher.closed_until)

    def _open_loop(self, pool: Pool, due: list[float]) -> int:
        """Hand out arrivals when they are due; return how many were dropped."""
        dropped = 0
        for due_at in due:
            self.timer.wait_until(due_at)
            dropped += not pool.dispatcher.arrive(due_at)
        return dropped


def _offsets(order: RunSlice) -> list[float]:
    """Return when the arrivals of a slice are due, in seconds since its beginning."""
    if order.mode != "open":
        return []
    shape = order.shape or shapes.constant(order.rate, order.duration)
    return list(arrivals.times(shape, "poisson", order.seed))


def _inherited_seat(greenlet: Any) -> Seat | None:
    """Return the seat of the user whose task spawned a greenlet; None if none did."""
    for _ in range(MAX_ANCESTORS):
        parent = getattr(greenlet, "spawning_greenlet", None)
        greenlet = parent() if parent is not None else None
        seat: Seat | None = getattr(greenlet, "assay_seat", None)
        if seat is not None:
            return seat
    return None


def _on_start_result(recorder: Recorder, seconds: float) -> OnStartResult:
    """Return the result of some users' on_start."""
    starts = [number for name, number in recorder.names.items() if name[0] == START]
    columns = recorder.request_columns
    names, failed = columns["name"], columns["failed"]
    failures = [bool(f) for n, f in zip(names, failed, strict=True) if n in starts]
    return OnStartResult(
        seconds=seconds,
        requests=len(failures),
        failed=sum(failures),
        errors={error_text(*error): count for error, count in recorder.errors.items()},
    )
