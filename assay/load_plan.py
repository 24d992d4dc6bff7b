"""The data types of the plan of a load test."""

from pathlib import Path
from typing import Literal

from assay.plan import Data


class Requirement(Data):
    """A limit on one number of the whole test.

    Attributes:
        text: The requirement as it was written: ``latency.p99 <= 50ms``.
        metric: One of `metrics.LOAD_TEST_UNITS`.
        at_most: Whether the limit is an upper limit; otherwise it is a lower one.
        limit: The limit, in the metric's unit.
        name: The request that it applies to; empty for all requests.
    """

    text: str
    metric: str
    at_most: bool
    limit: float
    name: str = ""


class LoadPlan(Data):
    """The plan of a load test.

    Attributes:
        locustfile: The locustfile; the first one, if there are several.
        others: All other locustfiles.
        host: URL that the load goes to; empty for the host of the user classes.
        allow_hosts: Other machines that may be loaded; `*` stands for any text.
        locust: Arguments for the locustfile, as after `locust -f FILE`.
        times: Times, in seconds, at which `rates` are given; empty in a closed loop.
        rates: Arrivals per second of the open loop at these times.
        arrivals: How arrivals are spaced: at random (Poisson), or evenly.
        users: Users of the closed loop, or the most that the open loop may create.
        spawn_rate: Users of the closed loop that start per second; 0 if all start
            at once.
        shaped: Whether the locustfile's LoadTestShape sets the number of users.
        user_times: Times, in seconds, at which `user_counts` are given; empty unless
            the users of a closed loop change by stages.
        user_counts: Users of the closed loop at these times; the number changes evenly
            in between.
        duration: Seconds of load.
        iterations: Number of tasks after which the test ends; 0 for no limit.
        think_time: Whether users of a closed loop wait as their locustfile says.
        drain: Maximum seconds to wait for outstanding answers at the end.
        workers: Processes that share the load.
        bind: Address at which workers of other machines join; empty if all workers are
            started here.
        shape: The shape of the load as it was written, for reports.
        notes: Sentences that say which parts of Locust's configuration have no effect.
        trials: The kind of a test with many trials; empty for a single test.
        command: The command line, for the report.
        title: The title of the report; empty for one that names the host.
        tags: The user's labels of the test, by name: ``{"branch": "main"}``.
    """

    locustfile: Path
    others: tuple[Path, ...] = ()
    host: str
    allow_hosts: tuple[str, ...] = ()
    locust: tuple[str, ...] = ()
    times: tuple[float, ...] = ()
    rates: tuple[float, ...] = ()
    arrivals: Literal["poisson", "even"] = "poisson"
    users: int = 100
    spawn_rate: float = 0.0
    shaped: bool = False
    user_times: tuple[float, ...] = ()
    user_counts: tuple[float, ...] = ()
    duration: float = 60.0
    iterations: int = 0
    think_time: bool = False
    drain: float = 10.0
    seed: int = 0
    workers: int = 1
    bind: str = ""
    shape: str = ""
    requirements: tuple[Requirement, ...] = ()
    notes: tuple[str, ...] = ()
    trials: Literal["", "capacity", "sweep"] = ""
    command: str = ""
    title: str = ""
    tags: dict[str, str] = {}

    @property
    def locustfiles(self) -> str:
        """All locustfiles, as after `locust -f`."""
        return ",".join(map(str, (self.locustfile, *self.others)))

    @property
    def open(self) -> bool:
        """Whether arrivals follow a schedule, however fast the server answers."""
        return bool(self.times)
