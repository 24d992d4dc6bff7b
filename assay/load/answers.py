"""What a Locust process answers: the beginnings of users, slices, and seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.load import protocol
from assay.metrics import Mode

Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Beginnings:
    """What the on_start of a variant's users came to.

    Attributes:
        seconds: Until all had come through.
        requests: How many they made.
        failed: How many of those failed.
        errors: How often each error came.
    """

    seconds: float
    requests: int
    failed: int
    errors: Mapping[str, int]


@dataclass(frozen=True)
class Slice:
    """What one slice measured.

    Attributes:
        began: `time.perf_counter` when it began, which is one clock for all
            processes of a machine on Linux.
        ended: When the last request had ended, or was given up.
        planned: Arrivals of the schedule; in a closed loop, tasks begun.
            ``planned == done + dropped + unserved`` always holds.
        requests: Samples; more than `done` where a task makes several requests.
        cpu: CPU seconds of the target's processes.
        run_delay: Seconds that its threads were runnable but not running.
        foreign: Seconds that its cores worked for others; NaN if unknown.
        lag_p50: Seconds that tasks began late by the generator itself: median.
        lag_p99: The same for the latest one in a hundred.
        own_p50: Seconds from when arrivals could have begun to when they were sent,
            the client's own work included: median.
        own_p99: The same for the latest one in a hundred.
        lags: All of these, in the bins of `assay.load.lateness`.
        own: The same of the generator's own part.
        tasks: How many tasks of each name ended.
        raised: What tasks raised though none of their requests had failed.
        limit: Which limit of the generator's machine was hit; empty if none was.
        reconnects: Connections that had been closed meanwhile and were opened again.
        short: Arrivals that found no idle user though more were allowed.
        peak: Most arrivals that were under way or waited at once.
        stall: Seconds that the generator was late for its own heartbeat, at worst.
        columns: One array for each column of `protocol.COLUMNS`, of the requests.
        iterations: The same of the tasks that made several requests.
        names: What the column `name` numbers: kind, method and name.
        errors: How often each error came, at most 20 of them.
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
    columns: Columns = field(repr=False)
    names: Sequence[Sequence[str]]
    errors: Mapping[str, int]
    iterations: Columns = field(default_factory=dict, repr=False)
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
    limit: str = ""

    @property
    def duration(self) -> float:
        """Seconds from its beginning to the end of its last request."""
        return self.ended - self.began

    @property
    def failed(self) -> int:
        """How many of its samples failed or were never answered."""
        return int(np.count_nonzero(self.columns["failed"]))


@dataclass(frozen=True)
class Tick:
    """What a load test says of a second.

    Attributes:
        header: Counts so far, and what the second was like: see `Loading`; `worker`
            is the index of who says it, and `lost` why that one is heard no more.
        columns: The requests that ended in it.
        iterations: The tasks of several requests that ended in it.
    """

    header: dict[str, Any]
    columns: Columns = field(repr=False)
    iterations: Columns = field(repr=False)


def tick(header: dict[str, Any], body: bytes) -> Tick:
    """Return what a message of a load test says."""
    columns, offset = columns_of(body, header["requests"], 0)
    iterations, _ = columns_of(body, header["iterations"], offset)
    return Tick({"worker": 0, **header}, columns, iterations)


def columns_of(body: bytes, rows: int, offset: int) -> tuple[Columns, int]:
    """Return the columns that begin at an offset, and where they end."""
    columns = {}
    for name, code in protocol.COLUMNS:
        columns[name] = np.frombuffer(body, code, rows, offset)
        offset += columns[name].nbytes
    return columns, offset
