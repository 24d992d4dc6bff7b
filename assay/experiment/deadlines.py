"""How long measuring may go on, and how long a slice waits for its last answers."""

import math
import time
from dataclasses import dataclass

# Seconds that a slice waits for outstanding answers after its own time is over.
LONGEST_DRAIN = 10.0
SHORTEST_DRAIN = 0.1


@dataclass(frozen=True)
class Deadline:
    """A moment after which no slice begins.

    Attributes:
        at: The moment, in seconds of `time.perf_counter`.
    """

    at: float = math.inf

    @property
    def passed(self) -> bool:
        """Whether the moment is over."""
        return time.perf_counter() >= self.at

    @property
    def left(self) -> float:
        """Seconds until the moment; negative afterwards."""
        return self.at - time.perf_counter()

    @property
    def drain(self) -> float:
        """Seconds that a slice may wait for its last answers if it begins now."""
        left = self.at - time.perf_counter()
        return min(LONGEST_DRAIN, max(SHORTEST_DRAIN, left))


NEVER = Deadline()
