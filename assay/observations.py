"""The data types of what profiling observes inside a target."""

from typing import Literal

from assay.plan import Data

Purpose = Literal["load", "follow-up", "start-up"]


class Place(Data):
    """A line of the user's own code; the function may be unknown."""

    function: str
    file: str
    line: int

    def __str__(self) -> str:
        """Return ``function (file:line)``, or ``file:line`` without a function."""
        line = f"{self.file}:{self.line}"
        if self.function in ("", "<module>"):
            return line
        return f"{self.function} ({line})"


class Source(Data):
    """Lines of the user's code around a place.

    Attributes:
        line: Number of the place's own line.
        first: Number of the first line in `lines`.
        lines: The lines, without line ends.
    """

    line: int
    first: int
    lines: tuple[str, ...]


class Event(Data):
    """Something that happens repeatedly at one place, such as a query or a wait.

    Attributes:
        kind: The kind of event, as the probe's modules name it.
        resource: What was waited for, called or sent; empty if unknown.
        place: The line of the user's code that caused the event; None if there is none.
        holder: The line of the user's code that held the resource during a wait; None
            if unknown.
    """

    kind: str
    resource: str = ""
    place: Place | None = None
    holder: Place | None = None


class Amount(Data):
    """How often an event happened, and how long it took.

    Attributes:
        count: How often it happened; per request in a `Round`.
        seconds: How long it took in total; per request in a `Round`.
        longest: How long the longest single event took, in seconds.
    """

    count: float
    seconds: float
    longest: float = 0.0


class Observation(Data):
    """An event and its amount."""

    event: Event
    amount: Amount


class Round(Data):
    """What one side of a pair did in one round of profiling.

    In a round, both sides (the baseline and the candidate) are profiled back to back.
    The round is the unit of inference for causes.

    Attributes:
        number: Number of the round, from 1.
        variant: Name of the variant on this side.
        purpose: `load` finds where the time of a request goes. `follow-up` counts calls
            and allocations; the counting slows the target, so the times of these rounds
            mean nothing. `start-up` is one start of the target, which counts as one
            request.
        began: When the load or the start began, in seconds of Unix time.
        ended: When it ended, in seconds of Unix time.
        rate: Arrivals per second; 0 for a start.
        request: The only request that was sent; empty if the whole load was.
        requests: Number of requests served.
        latency: Mean latency, in seconds; for a start, the time until it was ready.
        memory: Resident bytes of the target's processes at the end; 0 if unknown.
        cpu: CPU seconds of the target's processes, per request.
        cpu_wait: Seconds per request in which the target's threads were runnable but
            not running.
        loop_wait: The part of `cpu_wait` of the threads that run event loops.
        observations: What the probe counted, per request.
        stacks: CPU seconds per request by call stack, root first. A frame of the user's
            own code has its line, as in ``load (app/sales.py:31)``. A frame of a
            library has no line.
        samples: The number of samples behind the stacks.
        notes: What a reader must know about this round, in sentences.
    """

    topic: str
    baseline: str
    candidate: str
    number: int
    variant: str
    purpose: Purpose = "load"
    began: float = 0.0
    ended: float = 0.0
    rate: float = 0.0
    request: str = ""
    requests: int
    latency: float
    cpu: float
    cpu_wait: float
    loop_wait: float = 0.0
    memory: float = 0.0
    observations: tuple[Observation, ...] = ()
    stacks: tuple[tuple[tuple[str, ...], float], ...] = ()
    samples: int = 0
    notes: tuple[str, ...] = ()
