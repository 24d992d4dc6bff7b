"""The data types of the results of load tests, capacity searches and sweeps."""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self, get_args

from assay.load_curves import Curves, Timeline
from assay.load_former import Former
from assay.plan import Data

LOAD_SCHEMA = 2
Kind = Literal["request", "start", "stop", "task"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# The order in which rows are shown.
KIND_ORDER: tuple[Kind, ...] = ("request", "task", "start", "stop")
KIND_SUFFIXES: dict[Kind, str] = {
    "task": "task",
    "start": "on_start",
    "stop": "on_stop",
}
# Replaces the name of a request without a name: an empty name means all requests.
UNNAMED = "(no name)"


class Name(NamedTuple):
    """The kind, the HTTP method and the name of requests or tasks.

    Attributes:
        kind: A ``request`` of the load itself, a request of a user's on_start
            (``start``) or on_stop (``stop``), or a ``task`` with several requests.
        method: HTTP method, as the client reports it; empty for a task.
        name: Name of the request or task.
    """

    kind: Kind
    method: str
    name: str

    @classmethod
    def from_list(cls, values: object) -> Self:
        """Return the name that a list of kind, method and name stands for.

        Raises:
            ValueError: The value is not such a list.
        """
        if isinstance(values, list) and len(values) == 3:
            kind, method, name = values
            if kind in KINDS and isinstance(method, str) and isinstance(name, str):
                return cls(kind, method, name)
        raise ValueError(f"{values!r} is not a list of kind, method and name")

    @property
    def label(self) -> str:
        """The method and the name: ``GET /orders``."""
        return " ".join(part for part in (self.method, self.name) if part)

    @property
    def title(self) -> str:
        """The label and, except for a request, its kind: ``buy (task)``."""
        suffix = KIND_SUFFIXES.get(self.kind)
        return f"{self.label} ({suffix})" if suffix else self.label or "all requests"


class Spread(Data):
    """How long requests took, in seconds.

    In the percentiles and in `longest`, a request that was given up counts as
    infinitely long. All times are None if no request was measured.

    Attributes:
        count: Number of requests measured: all except requests that failed at once.
        unanswered: How many of them were given up, at a timeout or at the end.
        mean: The mean. A request that was given up counts with the time until then, so
            the mean is a lower bound if `unanswered` is not 0.
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
    """Counts and times of the requests, or tasks, of one name.

    Attributes:
        name: Name of the request or task; empty for all the load's requests together.
        kind: A ``request`` of the load itself, a request of a user's on_start
            (``start``) or on_stop (``stop``), or a ``task`` with several requests.
        method: HTTP method; empty for tasks, and for all the load's requests together.
        requests: Number of requests, or of tasks of this name that ended.
        failed: How many of them failed.
        statuses: Number of answers by HTTP status, the most frequent first; empty if
            the client reports none.
        size_mean: Mean size of an answer's body, in bytes; None if unknown.
        size_max: Size of the largest body, in bytes; None if unknown.
        latency: Time from sent to answered, plus the time that an arrival waited for a
            user because all users waited for the target. The generator's own
            lateness is not part of it.
        service: Time from sent to answered.
        at_most: Upper bounds of the latency percentiles, by percentile; empty unless
            the generator was the limit, so that `latency` contains lower bounds. Each
            bound counts from the time at which the arrival was due. An arrival that is
            sent on time is answered no later than this, because a queue is served in
            order.
    """

    name: str
    kind: Kind = "request"
    method: str = ""
    requests: int
    failed: int
    statuses: dict[str, int] = {}
    size_mean: float | None = None
    size_max: int | None = None
    latency: Spread
    service: Spread
    at_most: dict[str, float | None] = {}

    @property
    def label(self) -> str:
        """The method and the name: ``GET /orders``; empty for all requests."""
        return Name(self.kind, self.method, self.name).label

    @property
    def title(self) -> str:
        """The title of the row: ``GET /orders``, ``buy (task)``."""
        return Name(self.kind, self.method, self.name).title


class Judgement(Data):
    """The verdict on one requirement.

    Attributes:
        value: The measured value; None if there is none.
        bound: Whether `value` is only a lower bound, because requests were given up
            or the generator itself was the limit.
        reason: Why the verdict is *undecided*, or *refuted* in spite of the value;
            otherwise empty.
    """

    text: str
    metric: str
    name: str
    limit: float
    value: float | None
    verdict: Literal["holds", "refuted", "undecided"]
    bound: bool = False
    reason: str = ""


class WorkerCount(Data):
    """One worker's part of a load test.

    Attributes:
        name: Machine and process of the worker.
        share: Its share of the load, which depends on its speed.
        unserved: Arrivals that it did not serve. If it was lost, these include the
            arrivals under way then, and those that it should have begun later.
        lag_p99: How late it began arrivals, in seconds: the 99th percentile in its
            worst second.
        lost: Why contact with it was lost; empty if it was not lost.
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
    """The results of a load test; times in seconds.

    Attributes:
        partial: Whether something is missing: the test ended too early, a worker was
            lost, or some samples are not on disk.
        ended: Whether the generator ended the test itself, as it also does after the
            first Ctrl-C.
        title: The title that the user gave the test; empty if there is none.
        tags: The user's labels of the test, by name.
        planned: Arrivals that were due, or tasks begun in a closed loop.
            ``planned == done + dropped + unserved`` always holds.
        owed: How many of the unserved arrivals have no sample, because a worker was
            lost or the test died.
        loaded: Seconds of load.
        rate: Tasks sent per second.
        lag_p50: Median of how late the generator began arrivals.
        lag_p99: 99th percentile of how late the generator began arrivals.
        own_p50: Median of how long the generator itself took to send a request.
        own_p99: 99th percentile of how long the generator itself took.
        bound: Whether the generator itself was the limit, so that every latency is a
            lower bound.
        stall: The longest delay of the generator's heartbeat.
        generator_cpu: Share of a core that the generator used, in its busiest second.
        reconnects: Connections that were opened again after the server had closed them,
            if the client counts them (LeanHttpUser does).
        workers: The workers that shared the load; empty if one process did everything.
        rows: First a row of all the load's requests together, then a row for each kind,
            method and name.
        curves: Percentile curves of the load's requests; None if there are too few
            requests.
        timeline: The test over time; None without ticks, and in older results.
        former: A former test beside this one; None if none was named.
        errors: How often each error of a request occurred.
        raised: How often each error was raised by a task outside its requests.
        tracebacks: The traceback of the first occurrence of an error in `raised`; some
            errors have none.
        missing: How many samples of ended requests and tasks are not on disk.
        limit: Which limit of the generator's own machine was hit, in a sentence; empty
            if none was.
        incomplete: Why no requirement can be decided; empty if they can be decided.
        locust_exit_code: The ``process_exit_code`` that the locustfile has set.
    """

    schema_: int = LOAD_SCHEMA
    kind: Literal["load"] = "load"
    run: str
    partial: bool
    ended: bool = True
    seed: int
    host: str
    title: str = ""
    tags: dict[str, str] = {}
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
    timeline: Timeline | None = None
    former: Former | None = None
    errors: dict[str, int] = {}
    raised: dict[str, int] = {}
    tracebacks: dict[str, str] = {}
    missing: int = 0
    limit: str = ""
    incomplete: str = ""
    locust_exit_code: int | None = None
    requirements: tuple[Judgement, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def total(self) -> Row | None:
        """The row of all the load's requests together; None without requests."""
        for row in self.rows:
            if row.kind == "request" and not row.name and not row.method:
                return row
        return None


class Probe(Data):
    """One trial of a rate.

    Attributes:
        rate: Arrivals per second.
        held: Whether every part of the objective held.
        reason: The parts of the objective that did not hold or are undecided; empty if
            all held.
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
        title: The title that the user gave the test; empty if there is none.
        tags: The user's labels of the test, by name.
        objective: The objective as it was written.
        low: Highest rate that met the objective in the majority of its trials; None if
            no rate did.
        high: Lowest rate above `low` that missed the objective in the majority of its
            trials; None if no rate did.
        most: Highest rate that the search was allowed to try.
        locust_exit_code: The ``process_exit_code`` that the locustfile has set.
    """

    schema_: int = LOAD_SCHEMA
    kind: Literal["capacity"] = "capacity"
    run: str
    partial: bool
    seed: int
    host: str
    title: str = ""
    tags: dict[str, str] = {}
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
        rate: Requests per second that succeeded.
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
        contention: Serial share of the work, which only one user at a time can do.
        coherency: Work that each user causes for each other user, as a share of the
            work for the user itself.
        misfit: Largest relative deviation of a measured throughput from the law.
    """

    rate: float
    contention: float
    coherency: float
    misfit: float

    def throughput(self, users: float) -> float:
        """Return the requests per second of a number of users."""
        contention = self.contention * (users - 1)
        coherency = self.coherency * users * (users - 1)
        return self.rate * users / (1 + contention + coherency)

    @property
    def best(self) -> float:
        """Number of users with the greatest throughput; infinity if it only grows."""
        if self.coherency <= 0:
            return math.inf
        return math.sqrt(max(0.0, 1 - self.contention) / self.coherency)


class SweepResults(Data):
    """Throughput at several numbers of users.

    Attributes:
        title: The title that the user gave the test; empty if there is none.
        tags: The user's labels of the test, by name.
        points: The trials, fewest users first.
        law: The law fitted to the points; None if there are too few points.
        locust_exit_code: The ``process_exit_code`` that the locustfile has set.
    """

    schema_: int = LOAD_SCHEMA
    kind: Literal["sweep"] = "sweep"
    run: str
    partial: bool
    seed: int
    host: str
    title: str = ""
    tags: dict[str, str] = {}
    points: tuple[SweepPoint, ...]
    law: Law | None
    locust_exit_code: int | None = None
    warnings: tuple[str, ...] = ()
