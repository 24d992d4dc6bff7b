"""What a load test is to do: plain frozen data types."""

from pathlib import Path
from typing import Literal

from assay.plan import Data


class Requirement(Data):
    """A threshold on one number of the whole test.

    Attributes:
        text: As it was written: ``latency.p99 <= 50ms``.
        metric: One of `metrics.LOAD_TEST_UNITS`.
        at_most: Whether the limit is an upper one.
        limit: In the metric's own unit.
        name: The request it is about; empty for all of them.
    """

    text: str
    metric: str
    at_most: bool
    limit: float
    name: str = ""


class LoadPlan(Data):
    """A load test.

    Attributes:
        locustfile: What the users do; the first one, where there are several.
        others: The other locustfiles.
        host: Where; empty for what the user classes say.
        locust: Arguments for the locustfile, as after `locust -f FILE`.
        times: Seconds at which the open loop's rate is given; none in a closed loop.
        rates: Arrivals per second at these times.
        arrivals: How they come.
        users: Of the closed loop, or the most that the open one may make.
        spawn_rate: Users of the closed loop that come a second; 0 if all are there
            when it begins.
        shaped: Whether the locustfile's LoadTestShape says how many users there are.
        duration: Seconds of load.
        iterations: After so many tasks it ends; 0 for no such limit.
        think_time: Whether users of a closed loop wait as their locustfile says.
        drain: Seconds to wait for answers at the end.
        workers: Processes that share the load.
        bind: Where workers from elsewhere join; empty if all are started here.
        shape: The shape as it was written, for people.
        notes: What of the user's own configuration has no effect, in sentences.
        trials: What it is if it is no single test, but one of many trials.
        command: The command line, for the report.
    """

    locustfile: Path
    others: tuple[Path, ...] = ()
    host: str
    locust: tuple[str, ...] = ()
    times: tuple[float, ...] = ()
    rates: tuple[float, ...] = ()
    arrivals: Literal["poisson", "even"] = "poisson"
    users: int = 100
    spawn_rate: float = 0.0
    shaped: bool = False
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

    @property
    def locustfiles(self) -> str:
        """All locustfiles, as after `locust -f`."""
        return ",".join(map(str, (self.locustfile, *self.others)))

    @property
    def open(self) -> bool:
        """Whether arrivals come by a schedule, whatever the server does."""
        return bool(self.times)
