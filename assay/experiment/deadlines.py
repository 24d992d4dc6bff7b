"""Until when something may take: what a target does not answer is not waited for."""

import math
import time
from dataclasses import dataclass

# Seconds that a slice waits for what is still under way when its own time is over.
LONGEST_DRAIN, SHORTEST_DRAIN = 10.0, 0.1


@dataclass(frozen=True)
class Deadline:
    """A moment after which nothing more begins.

    Attributes:
        at: Seconds of `time.perf_counter`.
    """

    at: float = math.inf

    @property
    def passed(self) -> bool:
        """Whether it is over."""
        return time.perf_counter() >= self.at

    @property
    def drain(self) -> float:
        """Seconds that a slice that begins now may wait for its last answers."""
        left = self.at - time.perf_counter()
        return min(LONGEST_DRAIN, max(SHORTEST_DRAIN, left))


NEVER = Deadline()
