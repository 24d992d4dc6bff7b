"""How the launches of one topic are measured: of a service, or of benchmarks."""

import time
from collections.abc import Sequence
from typing import Protocol

from assay.analysis import measurements
from assay.experiment.deadlines import NEVER, Deadline
from assay.plan import Preset
from assay.results import Profile

# Every so many launches the baseline is started twice: an A/A arm.
CONTROL_EVERY = 5


class Session(Protocol):
    """One topic's way to measure a launch.

    Attributes:
        cut: Whether the last launch was cut short by its deadline.
    """

    cut: bool

    def launch(self, number: int, deadline: Deadline = NEVER) -> bool:
        """Measure and keep one launch; say whether it counts.

        Args:
            number: Of the launch, from 1.
            deadline: After which no slice begins any more.
        """

    def profile(self) -> None:
        """Take the profiles that the topic's claims ask for."""

    def profile_variant(
        self, name: str, presets: Sequence[Preset], rate: float | None
    ) -> Sequence[Profile]:
        """Take some profiles of one variant, and return what came of them."""


class Clock:
    """Tells what the time of a launch went to, one thing after the other."""

    def __init__(self) -> None:
        """Begin."""
        self._began = self._last = time.perf_counter()
        self.seconds = dict.fromkeys(measurements.PARTS, 0.0)

    def went_to(self, part: str) -> None:
        """Note that what passed since the last note went to a part."""
        now = time.perf_counter()
        self.seconds[part] += now - self._last
        self._last = now

    @property
    def all(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self._began
