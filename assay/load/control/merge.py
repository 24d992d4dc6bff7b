"""The ticks of several workers, merged second by second into ticks of all workers.

The clocks of different machines are never compared. Each worker counts time from its
own start, and the first seconds of all workers are merged, then the second seconds, and
so on.
"""

import itertools
import math
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from assay.load import arrivals, protocol, tracebacks
from assay.load.answers import Columns
from assay.load.orders import RunLoad
from assay.load.protocol import Name
from assay.load.recorder import MAX_NAMES, NO_USER, OTHER
from assay.load.ticks import Counts, Tick, WorkerTick

TIMES = ("scheduled", "start", "end")


@dataclass
class _Worker:
    """The state of one worker.

    Attributes:
        name: Its machine and process.
        order: Its part of the load test.
        first_user: Number of its first user among the users of all workers.
        ticks: Its ticks that wait for the other workers' ticks of the same second.
        counts: Its arrivals, as of its latest merged tick.
        lag_p99: How late it began arrivals in its latest merged tick, 99th percentile
            in seconds.
        loaded: Seconds of load up to its latest merged tick.
        ended: Whether its latest merged tick was its last.
        lost: Why it was lost; empty if it was not.
    """

    name: str
    order: RunLoad
    first_user: int
    ticks: deque[Tick] = field(default_factory=deque)
    counts: Counts = Counts()
    lag_p99: float = 0.0
    loaded: float = 0.0
    ended: bool = False
    lost: str = ""
    _due: Iterator[float] | None = None
    _next_due: float = 0.0  # when the next arrival is due
    _scheduled: int = 0

    @property
    def over(self) -> bool:
        """Whether no more ticks of this worker will be merged."""
        return (self.ended or bool(self.lost)) and not self.ticks

    def update(self, tick: Tick) -> None:
        """Copy the worker's state from a tick that is merged now."""
        self.counts, self.lag_p99 = tick.counts, tick.lag_p99
        self.loaded, self.ended = tick.loaded, tick.last

    def count_unserved(self, until: float) -> None:
        """Count the outstanding arrivals of a lost worker as unserved.

        These are the arrivals that were in flight when the worker was lost, because
        their outcome is unknown, and the later arrivals of the worker's schedule.

        Args:
            until: The time up to which arrivals count as due, in seconds of load; may
                be infinite.
        """
        if not self.lost or self.ended or self.ticks:
            return
        counts = self.counts
        planned = max(counts.planned, self._due_until(until))
        self.counts = replace(
            counts,
            planned=planned,
            unserved=planned - counts.done - counts.dropped,
            in_flight=0,
            backlog=0,
        )

    def _due_until(self, time: float) -> int:
        """Return how many of its arrivals were due up to a time.

        From call to call, the time must not decrease.
        """
        order = self.order
        if order.shape is None:
            return 0  # a closed loop has no schedule
        if self._due is None:
            self._due = arrivals.times(
                order.shape, order.schedule, order.seed, order.part
            )
            self._next_due = next(self._due, math.inf)
        while self._next_due <= time and self._next_due < math.inf:
            self._scheduled += 1
            self._next_due = next(self._due, math.inf)
        limit = order.iterations
        return min(self._scheduled, limit) if limit else self._scheduled


class TickMerger:
    """Merges the ticks of all workers of a load test.

    Attributes:
        stopped: Whether the test was stopped early.
        ended_by: `locustfile` or `users` if one of these ended the test early; else
            empty.
    """

    def __init__(self, orders: Sequence[RunLoad], names: Sequence[str]) -> None:
        """Begin with no ticks.

        Args:
            orders: The order that each worker was given.
            names: The machine and process of each worker.
        """
        users = itertools.accumulate((order.users for order in orders), initial=0)
        self._workers = [
            _Worker(name, order, first_user)
            for name, order, first_user in zip(names, orders, users, strict=False)
        ]
        self.stopped, self.ended_by = False, ""
        self._names: dict[Name, int] = {}
        self._at = 0.0

    def add(self, number: int, tick: Tick) -> None:
        """Add the tick of a worker, unless the worker was lost."""
        if not self._workers[number].lost:
            self._workers[number].ticks.append(tick)

    def mark_lost(self, number: int, why: str) -> None:
        """Note that a worker was lost, unless it had ended its part of the test."""
        worker = self._workers[number]
        if not worker.ended and not any(tick.last for tick in worker.ticks):
            worker.lost = why

    def next_tick(self) -> Tick | None:
        """Return the next merged tick; None while the tick of a worker is missing.

        A merged tick is like the tick of a single process, plus `workers`. Its
        percentiles, stall and CPU time are those of the worst worker. Sample times
        count from the start of the worker that recorded them.
        """
        running = [worker for worker in self._workers if not worker.over]
        if any(not worker.ticks for worker in running):
            return None
        parts = [(worker, worker.ticks.popleft()) for worker in running]
        for worker, tick in parts:
            worker.update(tick)
            self._at = max(self._at, tick.at)
        over = all(worker.over for worker in self._workers)
        loaded = max(worker.loaded for worker in self._workers)
        # A worker's last arrival is a little before the planned end. So once all
        # workers have ended, the whole schedule counts as due.
        until = math.inf if over and not self.stopped else loaded
        for worker in self._workers:
            worker.count_unserved(until)
        requests = [
            self._renumbered(worker, tick, tick.request_columns)
            for worker, tick in parts
        ]
        tasks = [
            self._renumbered(worker, tick, tick.task_columns) for worker, tick in parts
        ]
        return self._merged(
            [tick for _, tick in parts],
            _concatenated(requests),
            _concatenated(tasks),
            loaded,
            over,
        )

    def _merged(
        self,
        ticks: Sequence[Tick],
        request_columns: Columns,
        task_columns: Columns,
        loaded: float,
        over: bool,
    ) -> Tick:
        ended_by = self.ended_by or _first(tick.ended_by for tick in ticks)
        return Tick(
            at=self._at,
            began=0.0,
            loaded=loaded,
            last=over,
            ended_by=ended_by,
            counts=sum((worker.counts for worker in self._workers), Counts()),
            request_columns=request_columns,
            task_columns=task_columns,
            names=list(self._names),
            errors=_added(tick.errors for tick in ticks),
            tasks=_added(tick.tasks for tick in ticks),
            raised=_added(tick.raised for tick in ticks),
            tracebacks=tracebacks.merged(*(tick.tracebacks for tick in ticks)),
            lags=_added(tick.lags for tick in ticks),
            own=_added(tick.own for tick in ticks),
            lag_p50=_worst(tick.lag_p50 for tick in ticks),
            lag_p99=_worst(tick.lag_p99 for tick in ticks),
            own_p50=_worst(tick.own_p50 for tick in ticks),
            own_p99=_worst(tick.own_p99 for tick in ticks),
            stall=_worst(tick.stall for tick in ticks),
            reconnects=sum(tick.reconnects for tick in ticks),
            generator_cpu=_worst(tick.generator_cpu for tick in ticks),
            generator_run_delay=_worst(tick.generator_run_delay for tick in ticks),
            limit=_first(tick.limit for tick in ticks),
            notes=list(dict.fromkeys(note for tick in ticks for note in tick.notes)),
            workers=[
                WorkerTick(
                    name=worker.name,
                    share=worker.order.share,
                    lost=worker.lost,
                    lag_p99=worker.lag_p99,
                    counts=worker.counts,
                )
                for worker in self._workers
            ],
        )

    def _renumbered(self, worker: _Worker, tick: Tick, columns: Columns) -> Columns:
        """Return a worker's samples with the times, names and users of the merged tick.

        Times count from the worker's start; the numbers of names and users are unique
        among all workers.
        """
        numbers: NDArray[np.uint16] = np.array(
            [self._number(name) for name in tick.names], dtype=np.uint16
        )
        users = columns["user"].astype(np.int64)
        return {
            **columns,
            **{name: columns[name] - tick.began for name in TIMES},
            "name": numbers[columns["name"]],
            "user": np.where(
                users == NO_USER, NO_USER, users + worker.first_user
            ).astype(np.uint16),
        }

    def _number(self, name: Name) -> int:
        """Return the number of a name.

        All workers together may have at most MAX_NAMES names, the limit of one worker.
        """
        if name not in self._names and len(self._names) >= MAX_NAMES:
            name = name[0], "", OTHER
        return self._names.setdefault(name, len(self._names))


def _added(tables: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the sum of some tables of counts."""
    total = Counter[str]()
    for table in tables:
        total.update(table)
    return dict(total)


def _worst(values: Iterable[float]) -> float:
    return max([0.0, *values])


def _first(texts: Iterable[str]) -> str:
    """Return the first text that is not empty, if there is one."""
    return next(filter(None, texts), "")


def _concatenated(parts: Sequence[Columns]) -> Columns:
    if not parts:
        return {name: np.empty(0, dtype=code) for name, code in protocol.COLUMNS}
    return {
        name: np.concatenate([part[name] for part in parts])
        for name, _ in protocol.COLUMNS
    }
