"""What several workers say of a load test, brought together second by second.

The clocks of different machines are never compared: each worker counts its own time
from its own beginning, and the first second of one belongs with the first of the
others.
"""

import itertools
import math
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.load import arrivals, protocol
from assay.load.answers import Columns, Tick
from assay.load.orders import RunLoad
from assay.load.recorder import MAX_NAMES, OTHER

Name = tuple[str, str, str]  # kind, method, name

COUNTS = ("planned", "done", "dropped", "unserved", "in_flight", "backlog", "users")
WORST = (
    *("lag_p50", "lag_p99", "own_p50", "own_p99", "stall"),
    *("generator_cpu", "generator_run_delay"),
)
TABLES = ("errors", "tasks", "raised", "lags", "own")  # texts, how often they came
SAID = ("limit", "ended_by")
TIMES = ("scheduled", "start", "end")
ROWS = ("requests", "iterations", "reconnects")
CLOCKED = ("at", "began", *WORST)


@dataclass
class _Worker:
    """What is known of one of them.

    Attributes:
        ticks: Those that the others have not come to yet.
        last: Its latest header that counts.
        lost: Why it is heard no more.
    """

    name: str
    order: RunLoad
    first_user: int
    ticks: deque[Tick] = field(default_factory=deque)
    last: dict[str, Any] = field(default_factory=dict)
    lost: str = ""
    _due: Iterator[float] | None = None
    _next: float = 0.0  # the first that was not due yet
    _scheduled: int = 0

    @property
    def over(self) -> bool:
        """Whether nothing more comes of it."""
        return bool(self.lost or self.last.get("last")) and not self.ticks

    def counts(self) -> dict[str, int]:
        return {name: int(self.last.get(name, 0)) for name in COUNTS}

    def account(self, until: float) -> None:
        """Count what one that was lost should have done, and nobody did.

        What it had under way is unserved, too: nobody knows what became of it.

        Args:
            until: Seconds that the others' schedules came to.
        """
        if not self.lost or self.last.get("last") or self.ticks:
            return
        planned = max(self.counts()["planned"], self._until(until))
        done, dropped = self.counts()["done"], self.counts()["dropped"]
        rest = {"in_flight": 0, "backlog": 0, "unserved": planned - done - dropped}
        self.last |= {"planned": planned, **rest}

    def _until(self, moment: float) -> int:
        """Return how many arrivals it should have had up to a moment, which ascends."""
        if self.order.shape is None:
            return 0  # a closed loop has no schedule
        if self._due is None:
            order = self.order
            self._due = arrivals.moments(
                self.order.shape, order.schedule, order.seed, order.part
            )
            self._next = next(self._due, math.inf)
        while self._next <= moment and self._next < math.inf:
            self._scheduled += 1
            self._next = next(self._due, math.inf)
        limit = self.order.iterations
        return min(self._scheduled, limit) if limit else self._scheduled


def check(tick: Tick) -> None:
    """Make sure that what a worker says can be summed up: it can be any program.

    Raises:
        ValueError: A number or a name makes no sense.
        LookupError: Something is missing.
        TypeError: Something is no number.
        AttributeError: Errors are no table of them.
    """
    header = tick.header
    counts = [header[name] for name in ROWS]
    counts += [header.get(name, 0) for name in COUNTS]
    counts += [number for table in TABLES for _, number in header[table].items()]
    if not all(isinstance(number, int) and number >= 0 for number in counts):
        raise ValueError("a count is none")
    clocked = [header[name] for name in CLOCKED]
    if not all(map(math.isfinite, [*clocked, header.get("loaded", 0.0)])):
        raise ValueError("a time is none")
    names = header["names"]
    if not isinstance(names, list) or not all(map(_is_name, names)):
        raise ValueError("a name is none")
    notes = [header["notes"], *[[header[name]] for name in SAID]]
    if not all(isinstance(text, str) for texts in notes for text in texts):
        raise ValueError("a text is none")
    for columns in (tick.columns, tick.iterations):
        if len(columns["name"]) and columns["name"].max() >= len(names):
            raise ValueError("a name is missing")


def _is_name(name: object) -> bool:
    """Say whether something is a kind, a method and a name."""
    if not isinstance(name, (list, tuple)) or len(name) != 3:
        return False
    return all(isinstance(part, str) for part in name) and name[0] in protocol.KINDS


class Seconds:
    """The seconds of a load test, of all workers together.

    Attributes:
        stopped: Whether the test was ended before its time.
        ended_by: Who ended it, if a locustfile did.
    """

    def __init__(self, orders: Sequence[RunLoad], names: Sequence[str]) -> None:
        """Begin with nothing.

        Args:
            orders: What each worker was told.
            names: What to call them.
        """
        users = itertools.accumulate((order.users for order in orders), initial=0)
        self._workers = [
            _Worker(name, order, first)
            for name, order, first in zip(names, orders, users, strict=False)
        ]
        self.stopped, self.ended_by = False, ""
        self._names: dict[Name, int] = {}
        self._at = 0.0

    def add(self, number: int, tick: Tick) -> None:
        """Take what a worker says, unless it was given up."""
        if not self._workers[number].lost:
            self._workers[number].ticks.append(tick)

    def lose(self, number: int, why: str) -> None:
        """Note that a worker is heard no more; one that had ended is no loss."""
        worker = self._workers[number]
        said = [worker.last, *(tick.header for tick in worker.ticks)]
        if not any(header.get("last") for header in said):
            worker.lost = why

    def ready(self) -> Tick | None:
        """Return the next second, once everybody has told of it.

        Its header is that of one generator, with a list `workers`: the counts of
        each, its part of the load and why it was lost. Its samples count from the
        beginning of their own worker.
        """
        running = [worker for worker in self._workers if not worker.over]
        if any(not worker.ticks for worker in running):
            return None
        ticks = [(worker, worker.ticks.popleft()) for worker in running]
        for worker, tick in ticks:
            worker.last = dict(tick.header)
            self._at = max(self._at, float(tick.header["at"]))
        over = all(worker.over for worker in self._workers)
        loaded = max(
            float(worker.last.get("loaded", worker.last.get("at", 0.0)))
            for worker in self._workers
        )
        # The others end with their last arrival, which is a little before the end.
        until = math.inf if over and not self.stopped else loaded
        for worker in self._workers:
            worker.account(until)
        header = self._header([tick for _, tick in ticks])
        if over:
            header |= {"last": True, "loaded": loaded}
        requests = [self._own(worker, tick, tick.columns) for worker, tick in ticks]
        tasks = [self._own(worker, tick, tick.iterations) for worker, tick in ticks]
        header["names"] = [list(name) for name in self._names]
        return Tick(header, _together(requests), _together(tasks))

    def _header(self, ticks: Sequence[Tick]) -> dict[str, Any]:
        every = Counter[str]()
        for worker in self._workers:
            every.update(worker.counts())
        headers = [tick.header for tick in ticks]
        tables = {name: Counter[str]() for name in TABLES}
        for header in headers:
            for name, table in tables.items():
                table.update(header[name])
        said = {
            name: next((header[name] for header in headers if header[name]), "")
            for name in SAID
        }
        notes = dict.fromkeys(note for header in headers for note in header["notes"])
        return {
            "worker": 0,
            "at": self._at,
            "began": 0.0,
            **{name: every[name] for name in COUNTS},
            **{name: sum(header[name] for header in headers) for name in ROWS},
            **{
                name: max([0.0, *(header[name] for header in headers)])
                for name in WORST
            },
            **{name: dict(table) for name, table in tables.items()},
            **said,
            "ended_by": self.ended_by or said["ended_by"],
            "notes": list(notes),
            "workers": [
                {
                    "name": worker.name,
                    "share": worker.order.share,
                    "lost": worker.lost,
                    "lag_p99": worker.last.get("lag_p99", 0.0),
                    **worker.counts(),
                }
                for worker in self._workers
            ],
        }

    def _own(self, worker: _Worker, tick: Tick, columns: Columns) -> Columns:
        """Return samples in terms that all workers share."""
        numbers = [self._number(tuple(name)) for name in tick.header["names"]]
        known: NDArray[np.uint16] = np.array(numbers, dtype=np.uint16)
        anybody = np.iinfo(np.uint16).max
        users = columns["user"].astype(np.int64)
        return {
            **columns,
            **{name: columns[name] - tick.header["began"] for name in TIMES},
            "name": known[columns["name"]],
            "user": np.where(
                users == anybody, anybody, users + worker.first_user
            ).astype(np.uint16),
        }

    def _number(self, name: Name) -> int:
        """Return the number of a name: of all workers no more than of one."""
        if name not in self._names and len(self._names) >= MAX_NAMES:
            name = name[0], "", OTHER
        return self._names.setdefault(name, len(self._names))


def _together(parts: Sequence[Columns]) -> Columns:
    if not parts:
        return {name: np.empty(0, dtype=code) for name, code in protocol.COLUMNS}
    return {
        name: np.concatenate([part[name] for part in parts])
        for name, _ in protocol.COLUMNS
    }
