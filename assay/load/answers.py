"""The answers of a Locust process: the results of on_start, and those of a slice."""

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
    """The result of the on_start of a variant's users.

    Attributes:
        seconds: Seconds until all users had completed it.
        requests: How many requests the users made in it.
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
        began: `time.perf_counter` when it began; on Linux all processes of a machine
            share this clock.
        ended: When the last request had ended or was given up.
        planned: Arrivals of the schedule; in a closed loop, tasks begun.
            ``planned == done + dropped + unserved`` always holds.
        requests: Number of request samples; it exceeds `done` if a task makes several
            requests.
        cpu: CPU seconds of the target's processes.
        run_delay: Seconds that the target's threads were runnable but not running.
        foreign: Seconds that the target's cores worked for others; NaN if unknown.
        lag_p50: Median of `lags`, in seconds.
        lag_p99: 99th percentile of `lags`, in seconds.
        own_p50: Median of `own`, in seconds.
        own_p99: 99th percentile of `own`, in seconds.
        lags: How late the generator began tasks, in bins of `assay.load.lateness`.
        own: The generator's own delay, in the same bins: the time from when an arrival
            could have begun until its first request was sent, including the work of the
            client.
        tasks: How many tasks of each name ended.
        raised: Exceptions of tasks none of whose requests had failed.
        tracebacks: The traceback of the first of each of these exceptions.
        limit: Which limit of the generator's machine was hit; empty if none was.
        reconnects: Connections that the server had closed and that were opened again.
        short: Arrivals that found no idle user though more users were allowed.
        peak: Most arrivals that were in flight or waiting at once.
        stall: The longest delay of the generator's heartbeat, in seconds.
        request_columns: One array for each column of `protocol.COLUMNS`, of the
            requests.
        task_columns: The same, of the tasks that are recorded as a whole.
        names: The kind, method and name of each number in the column `name`.
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
        """Seconds from its beginning to the end of its last request."""
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
    """Return the columns that begin at an offset of a body, and where they end.

    Raises:
        ValueError: The body is too short.
    """
    columns = {}
    for name, code in protocol.COLUMNS:
        columns[name] = np.frombuffer(body, code, rows, offset)
        offset += columns[name].nbytes
    return columns, offset
