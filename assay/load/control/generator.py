"""One Locust process as Assay sees it: slices, and whole load tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import MeasureError
from assay.load import protocol
from assay.load.control.process import LocustProcess
from assay.load.shapes import Shape
from assay.metrics import Mode

Columns = Mapping[str, NDArray[Any]]

ATTACH_TIMEOUT = 30.0  # seconds in which one user more must come through
ATTACH_LONGEST = 600.0
FINISH_TIMEOUT = 60.0
TICK_TIMEOUT = 60.0
DRAIN = 10.0  # seconds that a slice waits for answers, if nothing else is said


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


class Generator(LocustProcess):
    """One Locust process that loads the variants of one topic."""

    def attach(
        self,
        hosts: Mapping[str, str],
        pids: Mapping[str, Sequence[int]],
        cores: Sequence[int],
        users: int,
        most: int = 0,
        strict: bool = True,
    ) -> dict[str, Beginnings]:
        """Give each variant a pool of users who have come through their on_start.

        Args:
            hosts: Variant to base URL.
            pids: Variant to the processes whose CPU time is read.
            cores: The cores that they are pinned to; empty if they are not.
            users: Users of each pool, for the moment.
            most: How many there may be; `users` if that is more.
            strict: Whether a user who does not come through is an error; otherwise
                there are fewer.

        Returns:
            What the on_start of each variant's users came to.

        Raises:
            MeasureError: A user's `on_start` failed.
        """
        order = {
            "do": "attach",
            "hosts": dict(hosts),
            "processes": {name: list(ids) for name, ids in pids.items()},
            "cores": list(cores),
            "users": users,
            "most": most,
            "timeout": ATTACH_TIMEOUT,
            "strict": strict,
        }
        told, _ = self._ask(order, ATTACH_LONGEST)
        return {name: Beginnings(**told[name]) for name in hosts}

    def grow(self, users: int) -> None:
        """Make users until every pool has so many; the new ones connect.

        Raises:
            MeasureError: The process has ended.
        """
        order = {"do": "grow", "users": users, "timeout": ATTACH_TIMEOUT}
        self._ask(order, ATTACH_LONGEST)

    def finish(self) -> int | None:
        """Stop all users and let listeners know; return the exit code they set.

        Raises:
            MeasureError: The process has ended.
        """
        answer, _ = self._ask({"do": "finish"}, FINISH_TIMEOUT)
        code = answer["exit_code"]
        return None if code is None else int(code)

    def detach(self) -> None:
        """Stop all users."""
        self._ask({"do": "detach"}, 30.0)

    def touch(self, variant: str, drain: float = DRAIN) -> Slice:
        """Let every user of a variant run one task, which opens its connection."""
        order = {"mode": "touch", "duration": 0.0, "drain": drain}
        return self._slice(variant, "open", order)

    def closed(
        self,
        variant: str,
        users: int,
        duration: float,
        seed: int = 0,
        think_time: bool = False,
        drain: float = DRAIN,
    ) -> Slice:
        """Run a closed loop: so many `users` for `duration` seconds.

        The seed decides which tasks the users choose, as far as chance has a say.
        Without think time they ask again as soon as they are answered.
        """
        order = {"mode": "closed", "users": users, "duration": duration, "seed": seed}
        more = {"think_time": think_time, "drain": drain}
        return self._slice(variant, "closed", {**order, **more})

    def open(
        self,
        variant: str,
        rate: float,
        duration: float,
        seed: int,
        shape: Shape | None = None,
        drain: float = DRAIN,
    ) -> Slice:
        """Run an open loop: Poisson arrivals, `rate` a second, for `duration`.

        A shape says how the rate changes meanwhile; for `drain` seconds after the
        last arrival answers are waited for.
        """
        order = {"mode": "open", "rate": rate, "duration": duration, "seed": seed}
        order["drain"] = drain
        if shape:
            rates = {"times": shape.times, "rates": shape.rates}
            return self._slice(variant, "open", {**order, "shape": rates})
        return self._slice(variant, "open", order)

    def load(self, variant: str, order: Mapping[str, Any]) -> None:
        """Begin a load test; `tick` tells of it.

        Args:
            variant: Whose users work.
            order: See `assay.load.inside.loading.Loading.run`.
        """
        self._ask({"do": "load", "variant": variant, **order}, 30.0)

    def tick(self) -> Tick:
        """Wait for the next second of a load test, or its end.

        Raises:
            MeasureError: The process has ended, or says nothing any more.
        """
        header, body = self._answer(TICK_TIMEOUT)
        if "error" in header:
            raise MeasureError(
                f"the load generator failed: {header['error']}; its last lines:\n"
                f"{self.last_lines()}"
            )
        return tick(header, body)

    def stop(self) -> None:
        """End a load test before its time; `tick` tells when it has ended."""
        self._tell({"do": "stop"})

    def pace(self, variant: str, users: int, duration: float) -> float:
        """Return the requests a second of a closed loop, as a first look."""
        found = self.closed(variant, users, duration)
        return found.requests / found.duration

    def _slice(self, variant: str, mode: Mode, order: dict[str, Any]) -> Slice:
        order |= {"do": "slice", "variant": variant}
        answer, body = self._ask(order, 2 * order["duration"] + order["drain"] + 60.0)
        if answer["limit"]:
            raise MeasureError(f"{self.locustfile}: {answer['limit']}")
        columns, offset = _columns(body, answer["requests"], 0)
        answer["iterations"], _ = _columns(body, answer["iterations"], offset)
        return Slice(variant=variant, mode=mode, columns=columns, **answer)


def tick(header: dict[str, Any], body: bytes) -> Tick:
    """Return what a message of a load test says."""
    columns, offset = _columns(body, header["requests"], 0)
    iterations, _ = _columns(body, header["iterations"], offset)
    return Tick({"worker": 0, **header}, columns, iterations)


def _columns(body: bytes, rows: int, offset: int) -> tuple[Columns, int]:
    """Return the columns that begin at an offset, and where they end."""
    columns = {}
    for name, code in protocol.COLUMNS:
        columns[name] = np.frombuffer(body, code, rows, offset)
        offset += columns[name].nbytes
    return columns, offset
