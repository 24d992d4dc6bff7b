"""What profiling observes inside a target: events at places, in rounds."""

from typing import Literal

from assay.plan import Data

Purpose = Literal["load", "follow-up", "start-up"]


class Place(Data):
    """A line of the user's own code; the function may be unknown."""

    function: str
    file: str
    line: int

    def __str__(self) -> str:
        """Return it as a reader looks for it."""
        line = f"{self.file}:{self.line}"
        if self.function in ("", "<module>"):
            return line
        return f"{self.function} ({line})"


class Source(Data):
    """Lines of the user's code around a place.

    Attributes:
        line: Number of the place's own line.
        first: Number of the first line.
        lines: The lines, without their ends.
    """

    line: int
    first: int
    lines: tuple[str, ...]


class Event(Data):
    """What happens again and again: of one kind, at one place.

    Attributes:
        kind: What it is, as the probe's modules name it.
        resource: What was waited for, called or sent.
        place: The user's line that did it; None if there is none.
        holder: The user's line that held the resource meanwhile.
    """

    kind: str
    resource: str = ""
    place: Place | None = None
    holder: Place | None = None


class Amount(Data):
    """How often an event happened, and how long it took.

    Attributes:
        count: How often; per request in a round.
        seconds: How long in all; per request in a round.
        longest: The longest single one, in seconds.
    """

    count: float
    seconds: float
    longest: float = 0.0


class Observation(Data):
    """An event and its amount."""

    event: Event
    amount: Amount


class Round(Data):
    """One stretch of load on one side of a pair while it was profiled.

    The two sides of a pair have a round each, back to back: the unit of inference of
    causes. Every number is per request.

    Attributes:
        number: Number of the round, from 1.
        purpose: `load`: where the time of a request goes. `follow-up`: what costs too
            much to be counted meanwhile (calls, allocations); its times mean nothing.
            `start-up`: one start of the target, which counts as one request.
        rate: Arrivals per second; 0 for a start.
        requests: Requests served.
        latency: Mean latency, in seconds; for a start, the time until it was ready.
        memory: Resident bytes of the target's processes at the end; 0 if unknown.
        cpu: CPU seconds of the target's processes.
        cpu_wait: Seconds that its threads were runnable but not running.
        observations: What the probe counted.
        stacks: CPU seconds by call stack, root first. A frame of the user's own code
            has its line, as in ``load (app/sales.py:31)``; one of a library has none.
        samples: The number of samples that the stacks rest on.
        notes: What a reader must know about this round, in sentences.
    """

    topic: str
    baseline: str
    candidate: str
    number: int
    variant: str
    purpose: Purpose = "load"
    rate: float = 0.0
    requests: int
    latency: float
    cpu: float
    cpu_wait: float
    memory: float = 0.0
    observations: tuple[Observation, ...] = ()
    stacks: tuple[tuple[tuple[str, ...], float], ...] = ()
    samples: int = 0
    notes: tuple[str, ...] = ()
