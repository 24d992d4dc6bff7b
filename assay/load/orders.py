"""What Assay orders of a Locust process: each order is one message."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from assay.load.arrivals import WHOLE, Arrivals, Part
from assay.load.shapes import Shape

DRAIN = 10.0  # seconds that are waited for answers, if nothing else is said


@dataclass(frozen=True)
class Attach:
    """Give each variant a pool of users, and wait until they are ready.

    Attributes:
        hosts: Variant to base URL.
        users: Users of each pool, for the moment.
        most: How many there may be; `users` if that is more.
        timeout: Seconds in which one user more must come through its on_start.
        processes: Variant to the processes whose CPU time is read.
        cores: The cores that these are pinned to; empty if they are not.
        strict: Whether a user who does not come through is an error.
        arguments: For the locustfile of a worker, which the master has.
        settings: The same of Locust's own options.
    """

    hosts: Mapping[str, str]
    users: int
    most: int
    timeout: float
    processes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    cores: Sequence[int] = ()
    strict: bool = True
    arguments: Sequence[str] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Grow:
    """Make users until every pool has so many; the new ones connect."""

    users: int
    timeout: float


@dataclass(frozen=True)
class Detach:
    """Stop all users."""


@dataclass(frozen=True)
class RunSlice:
    """Load one variant for one slice.

    Attributes:
        mode: The load; *touch* lets every user run one task, which connects it.
        duration: Seconds of load.
        users: Of the closed loop.
        rate: Arrivals per second of the open loop.
        seed: Of all random choices.
        drain: Seconds to wait for answers at its end.
        think_time: Whether users of the closed loop wait as the locustfile says.
        shape: How the rate changes; None for one rate all the time.
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


@dataclass(frozen=True)
class RunLoad:
    """Begin a load test, which tells of itself second by second.

    Attributes:
        variant: Whose users work.
        shape: Rate of the open loop; None for a closed loop.
        schedule: How arrivals come.
        users: Of the closed loop.
        duration: Seconds of the closed loop.
        iterations: After so many tasks it ends; 0 for no such limit.
        think_time: Whether users of a closed loop wait as they say themselves.
        seed: Of all random choices.
        drain: Seconds to wait for answers once the last request was sent.
        part: Which of the arrivals, if others send the rest.
        spawn_rate: Users of a closed loop that come a second; 0 if all are there.
        shaped: Whether the locustfile's LoadTestShape says how many there are.
        final: Whether users stop at its end; otherwise another test follows.
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
    final: bool = True

    @property
    def share(self) -> float:
        """The part of the arrivals, as a share."""
        return len(self.part.places) / self.part.of


@dataclass(frozen=True)
class Begin:
    """Fire `test_start` in a master, whose workers are there."""


@dataclass(frozen=True)
class Stop:
    """End a load test before its time; it tells itself when it has ended."""


@dataclass(frozen=True)
class Finish:
    """Stop all users, and let listeners know that all is over."""


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


def parsed(header: Mapping[str, Any]) -> Order:
    """Return the order that a header holds.

    Raises:
        ValueError: There is no such order.
        TypeError: It has other fields.
    """
    fields = dict(header)
    kind = ORDERS.get(fields.pop("do", ""))
    if kind is None:
        raise ValueError(f"no order {header.get('do')!r}")
    if shape := fields.get("shape"):
        fields["shape"] = Shape(tuple(shape["times"]), tuple(shape["rates"]))
    if "part" in fields:
        part = fields["part"]
        fields["part"] = Part(tuple(part["places"]), part["of"])
    return kind(**fields)
