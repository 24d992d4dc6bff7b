"""The answers of a Locust process: the results of on_start, or of a slice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.load import protocol
from assay.metrics import Mode

Columns = Mapping[str, NDArray[Any]]  # one array for each of `protocol.COLUMNS`


@dataclass(frozen=True)
class OnStartResult:
    """What the `on_start` methods of a variant's users did.

    Attributes:
        seconds: Seconds until all users had completed their on_start.
        requests: How many requests the users made in their on_start.
        failed: How many of these requests failed.
        errors: How often each error occurred.
    """

    seconds: float
    requests: int
    failed: int
    errors: Mapping[str, int]


@dataclass(frozen=True)
class Slice:
    """The measurements of one slice.

    Attributes:
        began: `time.perf_counter` when the slice began; on Linux all processes of a
            machine share this clock.
        ended: When the last request had ended or was given up.
        planned: Arrivals of the schedule; in a closed loop, tasks begun.
            ``planned == done + dropped + unserved`` always holds.
        requests: Number of request samples; it exceeds `done` if a task makes several
            requests.
        cpu: CPU seconds of the target's processes.
        run_delay: Seconds that the target's threads were runnable but not running.
        foreign: Seconds that the target's cores worked for other processes; NaN if
            unknown.
        lag_p50: Median of `lags`, in seconds.
        lag_p99: 99th percentile of `lags`, in seconds.
        own_p50: Median of `own`, in seconds.
        own_p99: 99th percentile of `own`, in seconds.
        lags: How late the generator began tasks, in bins of `assay.load.lateness`.
        own: Seconds from when an arrival could have begun until its first request was
            sent, in the same bins: the lag, plus the work of the task and of the client
            before that request.
        tasks: How many tasks of each name ended.
        raised: How often each exception of a task occurred, not counting tasks that had
            a failed request.
        tracebacks: The traceback of each of these exceptions when it first occurred.
        limit: Which limit of the generator's machine was hit; empty if none was.
        reconnects: How often a connection that the server had closed was opened again.
        short: Arrivals that found no idle user though more users were allowed.
        peak: Most arrivals that were in flight or waiting at once.
        stall: The longest delay of the generator's heartbeat, in seconds.
        request_columns: The samples of requests: one array for each column of
            `protocol.COLUMNS`.
        task_columns: The samples of the tasks that are recorded as a whole, in the same
            columns.
        names: The kind, method and name that each number in the column `name` stands
            for.
        errors: How often each error occurred, for at most 20 errors.
    """

    variant: str
    mode: Mode
    began: float
    ended: float
    planned: int
    done: int
    dropped: int
    unserved: int
    requests: int
    lag_p99: float
    stall: float
    cpu: float
    run_delay: float
    generator_cpu: float
    generator_run_delay: float
    foreign: float
    request_columns: Columns = field(repr=False)
    names: Sequence[Sequence[str]]
    errors: Mapping[str, int]
    task_columns: Columns = field(default_factory=dict, repr=False)
    lag_p50: float = 0.0
    own_p50: float = 0.0
    own_p99: float = 0.0
    reconnects: int = 0
    short: int = 0
    peak: int = 0
    lags: Mapping[str, int] = field(default_factory=dict)
    own: Mapping[str, int] = field(default_factory=dict)
    tasks: Mapping[str, int] = field(default_factory=dict)
    raised: Mapping[str, int] = field(default_factory=dict)
    tracebacks: Mapping[str, str] = field(default_factory=dict)
    limit: str = ""

    @property
    def duration(self) -> float:
        """Seconds from the slice's beginning to the end of its last request."""
        return self.ended - self.began

    @property
    def failed(self) -> int:
        """The number of requests that failed or were never answered."""
        return int(np.count_nonzero(self.request_columns["failed"]))


def pack(*tables: Columns) -> bytes:
    """Return the columns of some tables, one after the other, as a message's body."""
    return b"".join(
        columns[name].tobytes() for columns in tables for name, _ in protocol.COLUMNS
    )


def unpack(body: bytes, rows: int, offset: int = 0) -> tuple[Columns, int]:
    """Return the columns that begin at an offset of a body, and the offset after them.

    Raises:
        ValueError: The body is too short.
    """
    columns = {}
    for name, code in protocol.COLUMNS:
        columns[name] = np.frombuffer(body, code, rows, offset)
        offset += columns[name].nbytes
    return columns, offset
