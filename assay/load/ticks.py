"""The ticks of a load test: the Locust process sends one report every second.

A tick travels as one message. Only this module knows the keys of its header.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from assay.load.answers import Columns, pack, unpack
from assay.load.protocol import KINDS, MALFORMED, Message, Name


@dataclass(frozen=True)
class Counts:
    """The arrivals of a load test so far, and its state now.

    Attributes:
        planned: Arrivals that were due; in a closed loop, tasks begun.
        done: Arrivals that were served.
        dropped: Arrivals that were given up at once: too many others were waiting.
        unserved: Arrivals that were never served; known once the test has ended.
        in_flight: Arrivals that a user works on.
        backlog: Arrivals that wait for a user.
        users: The number of users.
    """

    planned: int = 0
    done: int = 0
    dropped: int = 0
    unserved: int = 0
    in_flight: int = 0
    backlog: int = 0
    users: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        """Return the sum of both counts, field by field."""
        return Counts(
            planned=self.planned + other.planned,
            done=self.done + other.done,
            dropped=self.dropped + other.dropped,
            unserved=self.unserved + other.unserved,
            in_flight=self.in_flight + other.in_flight,
            backlog=self.backlog + other.backlog,
            users=self.users + other.users,
        )


@dataclass(frozen=True)
class WorkerTick:
    """One worker's part in a tick of all workers.

    Attributes:
        name: Its machine and process.
        share: Its share of the load.
        lost: Why it was lost; empty if it was not.
        lag_p99: How late it began arrivals, 99th percentile in seconds.
        counts: Its arrivals so far.
    """

    name: str
    share: float
    lost: str
    lag_p99: float
    counts: Counts


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A load test's report on one second.

    Attributes:
        at: Seconds since the beginning of the test.
        began: The generator's `time.perf_counter` at the beginning of the test.
        loaded: Seconds of load so far, without the wait for the last answers.
        last: Whether the test has ended.
        ended_by: `locustfile` or `users` if one of these ended the test early; else
            empty.
        counts: The arrivals so far.
        request_columns: The requests that ended in this second.
        task_columns: The tasks that ended in this second and are recorded as a whole.
        names: The kind, method and name that each number in the column `name` stands
            for.
        errors: How often each error occurred.
        tasks: How many tasks of each name ended.
        raised: How often each exception of a task occurred, not counting tasks that had
            a failed request.
        tracebacks: The traceback of each of these exceptions when it first occurred.
        lags: How late arrivals began, in bins of `assay.load.lateness`.
        own: The generator's own delay of each arrival, in the same bins; see
            `assay.load.recorder.Recorder.generator_delays`.
        lag_p50: Median of `lags`, in seconds.
        lag_p99: 99th percentile of `lags`, in seconds.
        own_p50: Median of `own`, in seconds.
        own_p99: 99th percentile of `own`, in seconds.
        stall: The longest delay of the generator's heartbeat, in seconds.
        reconnects: How often a connection that the server had closed was opened again.
        generator_cpu: CPU seconds of the generator.
        generator_run_delay: Seconds that the generator was runnable but not running.
        limit: Which limit of the generator's machine was hit; empty if none was.
        notes: Sentences about the users, for a reader of the results.
        workers: The part of each worker; empty for a single process.
    """

    at: float
    began: float
    loaded: float
    last: bool
    ended_by: str
    counts: Counts
    request_columns: Columns = field(repr=False)
    task_columns: Columns = field(repr=False)
    names: Sequence[Name]
    errors: Mapping[str, int]
    tasks: Mapping[str, int]
    raised: Mapping[str, int]
    tracebacks: Mapping[str, str] = field(default_factory=dict)
    lags: Mapping[str, int]
    own: Mapping[str, int]
    lag_p50: float
    lag_p99: float
    own_p50: float
    own_p99: float
    stall: float
    reconnects: int
    generator_cpu: float
    generator_run_delay: float
    limit: str
    notes: Sequence[str]
    workers: Sequence[WorkerTick] = ()

    @property
    def requests(self) -> int:
        """The number of requests that ended."""
        return len(self.request_columns["end"])

    def row(self) -> dict[str, Any]:
        """Return the tick as a flat dictionary: its samples are only counted."""
        row = {name: getattr(self, name) for name in _PLAIN}
        row |= asdict(self.counts)
        row |= {"requests": self.requests, "iterations": len(self.task_columns["end"])}
        if self.workers:
            row["workers"] = [_flat(worker) for worker in self.workers]
        return row


_NESTED = ("counts", "request_columns", "task_columns", "names", "workers")
_PLAIN = tuple(item.name for item in fields(Tick) if item.name not in _NESTED)
_COUNTS = tuple(item.name for item in fields(Counts))


def encode(tick: Tick) -> Message:
    """Return the message of a tick."""
    header = {**tick.row(), "names": list(tick.names)}
    return header, pack(tick.request_columns, tick.task_columns)


def decode(header: Mapping[str, Any], body: bytes) -> Tick:
    """Return the tick of a message.

    Everything is checked: any program can connect to a master and send messages.

    Raises:
        ValueError: The message is malformed.
    """
    try:
        requests, offset = unpack(body, _count(header["requests"]))
        tasks, _ = unpack(body, _count(header["iterations"]), offset)
        tick = from_header(header, requests, tasks)
        _check(tick)
    except (LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"{MALFORMED}: {error!r}") from error
    return tick


def from_header(
    header: Mapping[str, Any], request_columns: Columns, task_columns: Columns
) -> Tick:
    """Return the tick of a header and its samples, unchecked.

    Raises:
        LookupError: A field is missing.
        TypeError: A field has the wrong type.
    """
    return Tick(
        counts=Counts(**{name: header[name] for name in _COUNTS}),
        request_columns=request_columns,
        task_columns=task_columns,
        names=[tuple(name) for name in header["names"]],
        **{name: header[name] for name in _PLAIN},
    )


def _check(tick: Tick) -> None:
    """Check the values of a tick that another program may have sent.

    Raises:
        ValueError: A value makes no sense.
        TypeError: A time is not a number.
        AttributeError: A table of counts is not a mapping.
    """
    tables = (tick.errors, tick.tasks, tick.raised, tick.lags, tick.own)
    for table in tables:
        for number in table.values():
            _count(number)
    for number in (*asdict(tick.counts).values(), tick.reconnects):
        _count(number)
    times = (
        *(tick.at, tick.began, tick.loaded, tick.stall),
        *(tick.lag_p50, tick.lag_p99, tick.own_p50, tick.own_p99),
        *(tick.generator_cpu, tick.generator_run_delay),
    )
    if not all(map(math.isfinite, times)):
        raise ValueError("a time is not finite")
    traces = (*tick.tracebacks.keys(), *tick.tracebacks.values())
    texts = (tick.limit, tick.ended_by, *tick.notes, *traces)
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("a text is not a string")
    if not all(map(_is_name, tick.names)):
        raise ValueError("a name is not a kind, a method and a name")
    for columns in (tick.request_columns, tick.task_columns):
        if len(columns["name"]) and columns["name"].max() >= len(tick.names):
            raise ValueError("a sample has a number without a name")


def _count(value: object) -> int:
    """Return a value that must be a count, an integer of at least 0.

    Raises:
        ValueError: The value is not a count.
    """
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is not a count")
    return value


def _is_name(name: Sequence[object]) -> bool:
    """Return whether a sequence consists of a kind, a method and a name."""
    return (
        len(name) == 3
        and all(isinstance(part, str) for part in name)
        and name[0] in KINDS
    )


def _flat(worker: WorkerTick) -> dict[str, Any]:
    row = asdict(worker)
    counts = row.pop("counts")
    return {**row, **counts}
