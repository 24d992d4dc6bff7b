"""The orders that Assay gives a Locust process: each is one message."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from assay.load.arrivals import WHOLE, Arrivals, Part
from assay.load.shapes import Shape

DRAIN = 10.0  # seconds to wait for answers, unless an order says otherwise


@dataclass(frozen=True)
class Attach:
    """Give each variant a pool of users, and wait until they are ready.

    Attributes:
        hosts: The base URL of each variant.
        users: Users that each pool has at first.
        max_users: How many users each pool may have later; `users` if that is more.
        timeout: Seconds within which at least one more user must complete its on_start.
        processes: For each variant, the processes whose CPU time is read.
        cores: The cores that these processes are pinned to; empty if they are not.
        strict: Whether a user who does not complete its on_start is an error.
        arguments: The master's arguments for the locustfile; workers use them, too.
        settings: The master's settings of Locust's own options; workers use them, too.
    """

    hosts: Mapping[str, str]
    users: int
    max_users: int
    timeout: float
    processes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    cores: Sequence[int] = ()
    strict: bool = True
    arguments: Sequence[str] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Grow:
    """Make users until every pool has `users`; each new user connects."""

    users: int
    timeout: float


@dataclass(frozen=True)
class Detach:
    """Stop all users."""


@dataclass(frozen=True)
class RunSlice:
    """Load one variant for one slice.

    Attributes:
        mode: The kind of load. With *touch*, every user runs one task, to open its
            connection.
        duration: Seconds of load.
        users: Users of the closed loop.
        rate: Arrivals per second of the open loop.
        seed: Seed of all random choices.
        drain: Seconds to wait for answers at the end of the slice.
        think_time: Whether users of the closed loop wait as the locustfile says.
        shape: How the rate changes; None for a constant rate.
        learns: Whether to note which tasks send which requests. If there are fewer
            users than user classes, the seed says which classes they have, in turn.
        request: If given, only tasks run that send this request, as far as that was
            noted. A user class without such a task runs all its tasks.
    """

    variant: str
    mode: Literal["closed", "open", "touch"]
    duration: float = 0.0
    users: int = 0
    rate: float = 0.0
    seed: int = 0
    drain: float = DRAIN
    think_time: bool = False
    shape: Shape | None = None
    learns: bool = False
    request: str = ""


@dataclass(frozen=True)
class RunLoad:
    """Begin a load test, which reports a tick once a second.

    Attributes:
        variant: The variant whose users work.
        shape: Rate of the open loop; None for a closed loop.
        schedule: How arrivals are spaced.
        users: Users of the closed loop.
        duration: Seconds of the closed loop.
        iterations: Number of tasks after which the test ends; 0 for no limit.
        think_time: Whether users of a closed loop wait as the locustfile says.
        seed: Seed of all random choices.
        drain: Seconds to wait for answers once the last request was sent.
        part: The part of the arrivals that this process sends; other workers send the
            rest.
        spawn_rate: Users per second that join a closed loop; 0 if all begin at once.
        shaped: Whether the locustfile's LoadTestShape sets the number of users.
        user_shape: The number of users of a closed loop over time, of all workers
            together; None if it does not change by stages.
        final: Whether users stop at the end; otherwise another test follows.
    """

    variant: str
    shape: Shape | None = None
    schedule: Arrivals = "poisson"
    users: int = 0
    duration: float = 0.0
    iterations: int = 0
    think_time: bool = False
    seed: int = 0
    drain: float = DRAIN
    part: Part = WHOLE
    spawn_rate: float = 0.0
    shaped: bool = False
    user_shape: Shape | None = None
    final: bool = True

    @property
    def share(self) -> float:
        """The share of all arrivals that this process sends."""
        return len(self.part.places) / self.part.of

    def users_at(self, time: float) -> int:
        """Return how many users of `user_shape` this process has at a time.

        The users of all workers add up to the number of the shape, rounded.

        Args:
            time: Seconds since the test began.
        """
        whole = self.user_shape.rate(time) if self.user_shape else 0.0
        return self.part.count(math.floor(whole + 0.5))


@dataclass(frozen=True)
class Begin:
    """Fire `test_start` in the master, once all workers have joined."""


@dataclass(frozen=True)
class Stop:
    """End a load test early; its last tick shows that it has ended."""


@dataclass(frozen=True)
class Finish:
    """Stop all users, and fire the events of a test's end."""


Order = Attach | Grow | Detach | RunSlice | RunLoad | Begin | Stop | Finish
ORDERS: Mapping[str, type[Order]] = {
    "attach": Attach,
    "grow": Grow,
    "detach": Detach,
    "slice": RunSlice,
    "load": RunLoad,
    "begin": Begin,
    "stop": Stop,
    "finish": Finish,
}
_NAMES = {kind: name for name, kind in ORDERS.items()}


def message(order: Order) -> dict[str, Any]:
    """Return an order as the header of a message."""
    return {"do": _NAMES[type(order)], **asdict(order)}


def parse(header: Mapping[str, Any]) -> Order:
    """Return the order that a header holds.

    Raises:
        ValueError: There is no such order.
        TypeError: A field is missing, or the order has no such field.
    """
    fields = dict(header)
    kind = ORDERS.get(fields.pop("do", ""))
    if kind is None:
        raise ValueError(f"no order {header.get('do')!r}")
    for name in ("shape", "user_shape"):
        if shape := fields.get(name):
            fields[name] = Shape(tuple(shape["times"]), tuple(shape["rates"]))
    if "part" in fields:
        part = fields["part"]
        fields["part"] = Part(tuple(part["places"]), part["of"])
    return kind(**fields)
