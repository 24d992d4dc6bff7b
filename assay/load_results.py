"""What came of a load test: plain frozen data types."""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self, get_args

from assay.plan import Data

LOAD_SCHEMA = 2
Kind = Literal["request", "start", "stop", "task"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# In which order rows are shown: the load first, then what users did around it.
ORDER: tuple[Kind, ...] = ("request", "task", "start", "stop")
SUFFIX: dict[Kind, str] = {"task": "task", "start": "on_start", "stop": "on_stop"}
UNNAMED = "(no name)"  # a row without any name is that of all requests together


class Name(NamedTuple):
    """One thing that samples are samples of.

    Attributes:
        kind: A ``request`` of the load itself, one of a user's on_start (``start``)
            or on_stop (``stop``), or a ``task`` of several requests.
        method: Of HTTP, as the client says it; empty for a task.
        name: Of the request or task.
    """

    kind: Kind
    method: str
    name: str

    @classmethod
    def of(cls, given: object) -> Self:
        """Return the name that a list of three texts stands for.

        Raises:
            ValueError: It is none.
        """
        if isinstance(given, list) and len(given) == 3:
            kind, method, name = given
            if kind in KINDS and isinstance(method, str) and isinstance(name, str):
                return cls(kind, method, name)
        raise ValueError(f"{given!r} is no kind, method and name")

    @property
    def label(self) -> str:
        """Return the method and the name: ``GET /orders``."""
        return " ".join(part for part in (self.method, self.name) if part)

    @property
    def title(self) -> str:
        """Return the label with what it is, unless it is load: ``buy (task)``."""
        suffix = SUFFIX.get(self.kind)
        return f"{self.label} ({suffix})" if suffix else self.label or "all requests"


class Spread(Data):
    """How long requests took, in seconds; infinite where they were never answered.

    Attributes:
        count: Of what number of requests: all but those that failed at once.
        unanswered: How many of them were given up, by a timeout or at the end.
        mean: Those that were given up count with the time that they were waited for,
            so where there are any it is a lower bound.
    """

    count: int
    unanswered: int = 0
    mean: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    p999: float | None
    longest: float | None


class Row(Data):
    """What one kind of request came to.

    Attributes:
        name: Of the request or task; empty for the load's requests together.
        kind: A ``request`` of the load itself, one of a user's on_start (``start``)
            or on_stop (``stop``), or a ``task`` of several requests.
        method: Of HTTP; empty for tasks, and for the load's requests together.
        requests: How many there were; of a task, how many of its name ended.
        failed: How many of them failed.
        latency: With the time that they waited for a user since all waited for the
            target; what the generator itself was late by is not in it.
        service: From the moment that they were sent.
        at_most: Where latencies are lower bounds, what their percentiles are at most:
            had arrivals come in time, none would have been answered later (a queue
            serves first who comes first), so from the moment that they were due.
    """

    name: str
    kind: Kind = "request"
    method: str = ""
    requests: int
    failed: int
    latency: Spread
    service: Spread
    at_most: dict[str, float | None] = {}

    @property
    def label(self) -> str:
        """Return the method and the name: ``GET /orders``; empty for all together."""
        return Name(self.kind, self.method, self.name).label

    @property
    def title(self) -> str:
        """Return what it is called: ``GET /orders``, ``buy (task)``."""
        return Name(self.kind, self.method, self.name).title


class Judgement(Data):
    """What became of a requirement.

    Attributes:
        value: What was measured; None if nothing was.
        bound: Whether the true value is that or more, since requests were given up,
            or the generator itself was the limit.
        reason: Why it is undecided, or refuted in spite of its value.
    """

    text: str
    metric: str
    name: str
    limit: float
    value: float | None
    verdict: Literal["holds", "refuted", "undecided"]
    bound: bool = False
    reason: str = ""


class Curves(Data):
    """Times of the load's requests at many percentiles, in seconds.

    Attributes:
        shares: The percentiles, as shares, ascending.
        latency: None where a request was never answered, or there is none.
        service: The same, from the moment that they were sent.
    """

    shares: tuple[float, ...]
    latency: tuple[float | None, ...]
    service: tuple[float | None, ...]


class WorkerCount(Data):
    """What a worker did of a load test.

    Attributes:
        name: Its machine and process.
        share: Of the load, by how fast it is.
        unserved: Also what it had under way when it was lost, and what it should have
            done from then on.
        lag_p99: Seconds that arrivals were begun late, in its worst second.
        lost: Why it was heard no more; empty if it did its part.
    """

    name: str
    share: float
    planned: int
    done: int
    dropped: int
    unserved: int
    lag_p99: float
    lost: str = ""


class LoadResults(Data):
    """What a load test came to; times in seconds.

    Attributes:
        partial: Whether something is missing: it ended before its time, or not all
            of it is on disk.
        ended: Whether it came to an end in order, if only by Ctrl-C.
        planned: Arrivals that were due, or tasks begun in a closed loop.
            ``planned == done + dropped + unserved`` always holds.
        owed: Of those unserved, how many have no sample: a lost worker's.
        loaded: Seconds of load.
        rate: Tasks a second that were sent.
        lag_p50: Seconds that arrivals were begun late by the generator: median.
        lag_p99: The same for the latest one in a hundred.
        own_p50: Seconds that the generator itself took to send a request: median.
        own_p99: The same for one in a hundred.
        bound: Whether the generator itself was the limit: then every latency is a
            lower bound.
        generator_cpu: Share of a core that the generator used, in its busiest second.
        reconnects: Connections that the server had closed and that were opened again,
            as far as the client tells (LeanHttpUser does).
        workers: Those that shared the load; none if one process did all.
        rows: The load's requests together, then by kind, method and name.
        curves: Of the load's requests; None where they are too few.
        errors: How often each error of a request came.
        raised: How often tasks raised an error of their own.
        missing: How many samples ended, but are not on disk.
        limit: Which limit of the generator's own machine was hit, in a sentence.
        incomplete: Why no requirement can be decided; empty if nothing is missing.
        locust_exit_code: The ``process_exit_code`` that the locustfile has set.
    """

    schema_: int = LOAD_SCHEMA
    kind: Literal["load"] = "load"
    run: str
    partial: bool
    ended: bool = True
    seed: int
    host: str
    planned: int
    done: int
    dropped: int
    unserved: int
    owed: int = 0
    loaded: float
    rate: float
    lag_p50: float
    lag_p99: float
    own_p50: float = 0.0
    own_p99: float = 0.0
    bound: bool = False
    stall: float
    generator_cpu: float
    reconnects: int = 0
    workers: tuple[WorkerCount, ...] = ()
    rows: tuple[Row, ...]
    curves: Curves | None = None
    errors: dict[str, int] = {}
    raised: dict[str, int] = {}
    missing: int = 0
    limit: str = ""
    incomplete: str = ""
    locust_exit_code: int | None = None
    requirements: tuple[Judgement, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def together(self) -> Row | None:
        """Return the row of the load's requests together; None if there was none."""
        for row in self.rows:
            if row.kind == "request" and not row.name and not row.method:
                return row
        return None


class Probe(Data):
    """One trial of a rate.

    Attributes:
        held: Whether every part of the objective held.
        reason: What did not hold, or why it could not be told.
        late: Whether the generator itself was the limit, so that times are lower
            bounds.
    """

    rate: float
    held: bool
    requests: int
    failed: int
    p50: float | None
    p99: float | None
    reason: str = ""
    late: bool = False


class CapacityResults(Data):
    """The highest rate that meets an objective; rates in arrivals per second.

    Attributes:
        objective: As it was written.
        low: Highest rate that met it in most of its trials; None if none did.
        high: Lowest rate above it that did not; None if all did.
        most: The rate that was not exceeded.
        locust_exit_code: The ``process_exit_code`` that the locustfile has set.
    """

    schema_: int = LOAD_SCHEMA
    kind: Literal["capacity"] = "capacity"
    run: str
    partial: bool
    seed: int
    host: str
    objective: str
    low: float | None
    high: float | None
    most: float
    probes: tuple[Probe, ...]
    locust_exit_code: int | None = None
    warnings: tuple[str, ...] = ()


class SweepPoint(Data):
    """One trial of a number of users.

    Attributes:
        rate: Requests a second that were answered well.
        generator: Share of a core that the generator used, in its busiest second.
        bound: Whether the generator itself was the limit, so that times are lower
            bounds.
    """

    users: int
    rate: float
    requests: int
    failed: int
    p50: float | None
    p99: float | None
    generator: float
    bound: bool = False


@dataclass(frozen=True)
class Law:
    """Throughput of N users: rate N / (1 + contention (N-1) + coherency N (N-1)).

    After Gunther, Guerrilla Capacity Planning, 2007, chapter 4.

    Attributes:
        rate: Requests per second of one user.
        contention: Share of the work that must wait for its turn.
        coherency: Share of the work that users cause each other.
        misfit: Greatest relative distance of a measured throughput from the law.
    """

    rate: float
    contention: float
    coherency: float
    misfit: float

    def throughput(self, users: float) -> float:
        """Return the requests per second of so many users."""
        queue = self.contention * (users - 1)
        return self.rate * users / (1 + queue + self.coherency * users * (users - 1))

    @property
    def best(self) -> float:
        """Number of users with the greatest throughput; infinity if it only grows."""
        if self.coherency <= 0:
            return math.inf
        return math.sqrt(max(0.0, 1 - self.contention) / self.coherency)


class SweepResults(Data):
    """Throughput at several numbers of users.

    Attributes:
        points: The trials, fewest users first.
        law: Fitted to them; None if they are too few.
        locust_exit_code: The ``process_exit_code`` that the locustfile has set.
    """

    schema_: int = LOAD_SCHEMA
    kind: Literal["sweep"] = "sweep"
    run: str
    partial: bool
    seed: int
    host: str
    points: tuple[SweepPoint, ...]
    law: Law | None
    locust_exit_code: int | None = None
    warnings: tuple[str, ...] = ()
