"""The interface to the launches of one topic, of a service or of benchmarks."""

import time
from collections.abc import Sequence
from typing import Protocol

from assay.analysis import measurements
from assay.experiment.deadlines import NEVER, Deadline
from assay.plan import Preset
from assay.results import Profile

CONTROL_EVERY = 5  # one launch in this many also has the A/A arm, a second baseline


class Session(Protocol):
    """Measures the launches of one topic.

    Attributes:
        cut: Whether the last launch was cut short by its deadline.
    """

    cut: bool

    def launch(self, number: int, deadline: Deadline = NEVER) -> bool:
        """Measure one launch and store its results; return whether it counts.

        Args:
            number: The number of the launch, from 1.
            deadline: No slice begins after it.
        """

    def profile(self) -> None:
        """Take the profiles that the settings and the results ask for."""

    def profile_variant(
        self, name: str, presets: Sequence[Preset], rate: float | None
    ) -> Sequence[Profile]:
        """Take some profiles of one variant, and return those that succeeded."""


class LaunchTimer:
    """Measures how much time each part of a launch takes.

    Attributes:
        seconds: The seconds of each part so far.
    """

    def __init__(self) -> None:
        """Start the timer."""
        self._began = self._last = time.perf_counter()
        self.seconds = dict.fromkeys(measurements.TIME_PARTS, 0.0)

    def charge(self, part: str) -> None:
        """Add the time since the last call, or since the start, to a part."""
        now = time.perf_counter()
        self.seconds[part] += now - self._last
        self._last = now

    @property
    def total(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._began
