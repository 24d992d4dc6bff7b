"""Counts of what really happened, and the guards that judge them."""

import asyncio
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

# A thread can lose an increment to another, and requests in flight are counted
# before what they do is; neither comes near the difference between variants.
TOLERANCE = 0.05


class Counts:
    """How often each event happened while one variant was served."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.requests = 0
        self.events: Counter[str] = Counter()

    def request(self) -> None:
        """Count a request, and where its handler runs."""
        self.requests += 1
        self.events["handler " + place()] += 1


def place() -> str:
    """Say where the caller runs, as an adverbial: on the event loop, or where."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        name = threading.current_thread().name
        return "in AnyIO's pool" if name.startswith("AnyIO") else "in another thread"
    return "on the event loop"


@dataclass(frozen=True)
class Guard:
    """What must be true of a variant's counts if it does what its name says.

    Attributes:
        exactly: Events per request, within `TOLERANCE`.
        at_least: Least share of requests in which an event must happen.
        at_most: Greatest share of requests in which it may.
    """

    exactly: Mapping[str, float] = field(default_factory=dict)
    at_least: Mapping[str, float] = field(default_factory=dict)
    at_most: Mapping[str, float] = field(default_factory=dict)

    def judge(self, counts: Counts) -> tuple[bool, str]:
        """Return whether the counts are as they must be, and what they are."""
        if not counts.requests:
            return False, "no request has been served yet"
        fine = True
        seen = []
        for event, expected in self.exactly.items():
            found = counts.events[event] / counts.requests
            fine &= abs(found - expected) <= TOLERANCE * expected
            seen.append(f"{event}: {found:.3g} per request, expected {expected:g}")
        for event, least in self.at_least.items():
            found = counts.events[event] / counts.requests
            fine &= found >= least
            seen.append(f"{event}: {found:.3g} per request, at least {least:g}")
        for event, most in self.at_most.items():
            found = counts.events[event] / counts.requests
            fine &= found <= most
            seen.append(f"{event}: {found:.3g} per request, at most {most:g}")
        return fine, "; ".join(seen)
