"""Counts of events while a variant is served, and the guards that check them."""

import asyncio
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

# The relative error that a guard accepts. Threads can lose increments, and a request is
# counted before its events. Both errors are much smaller than the differences between
# variants.
TOLERANCE = 0.05


class Counts:
    """The number of requests and of each event, for one variant."""

    def __init__(self) -> None:
        """Start at zero."""
        self.requests = 0
        self.events: Counter[str] = Counter()

    def count_request(self) -> None:
        """Count a request, and where its handler runs."""
        self.requests += 1
        self.events["handler " + execution_place()] += 1


def execution_place() -> str:
    """Return where the caller runs.

    The answer is "on the event loop", "in AnyIO's pool" or "in another thread".
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        name = threading.current_thread().name
        return "in AnyIO's pool" if name.startswith("AnyIO") else "in another thread"
    return "on the event loop"


@dataclass(frozen=True)
class Guard:
    """What the counts of a variant must be if it does what its name says.

    Attributes:
        exactly: The number per request of each event, within `TOLERANCE`.
        at_least: The smallest number per request of each event.
        at_most: The largest number per request of each event.
    """

    exactly: Mapping[str, float] = field(default_factory=dict)
    at_least: Mapping[str, float] = field(default_factory=dict)
    at_most: Mapping[str, float] = field(default_factory=dict)

    def judge(self, counts: Counts) -> tuple[bool, str]:
        """Return whether the counts are as required, and the counts in words.

        If no request has been served yet, they are not as required.
        """
        if not counts.requests:
            return False, "no request has been served yet"
        ok = True
        details = []
        for event, expected in self.exactly.items():
            per_request = counts.events[event] / counts.requests
            ok &= abs(per_request - expected) <= TOLERANCE * expected
            details.append(
                f"{event}: {per_request:.3g} per request, expected {expected:g}"
            )
        for event, least in self.at_least.items():
            per_request = counts.events[event] / counts.requests
            ok &= per_request >= least
            details.append(
                f"{event}: {per_request:.3g} per request, at least {least:g}"
            )
        for event, most in self.at_most.items():
            per_request = counts.events[event] / counts.requests
            ok &= per_request <= most
            details.append(f"{event}: {per_request:.3g} per request, at most {most:g}")
        return ok, "; ".join(details)
