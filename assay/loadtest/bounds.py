"""Whether the load generator itself was the limit of a load test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.lateness import is_late
from assay.report.text import counted, quantity

BUSY = 0.9  # of a core: a generator so busy is measured itself
OFTEN = 0.1  # of the seconds that had requests: more than that is no chance
WHOLE = 0.5  # seconds that a report must cover for its share of a core to count

Ticks = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Strain:
    """How hard a load test was for its generator.

    Attributes:
        seconds: How many had requests.
        late: In how many of them it was late.
        busy: In how many of them it used nearly a whole core.
        lag: Seconds that it was late by, in the worst of them.
        core: Share of a core that it used in its busiest second.
    """

    seconds: int
    late: int
    busy: int
    lag: float
    core: float

    @property
    def limit(self) -> bool:
        """Whether it was the limit, so that latencies are lower bounds."""
        return max(self.late, self.busy) > OFTEN * self.seconds

    def warning(self) -> str:
        """Say why latencies are lower bounds, and what to do about it."""
        parts = []
        if self.late > OFTEN * self.seconds:
            parts.append(
                f"it was late in {counted(self.late, 'second')} of {self.seconds}, by "
                f"{quantity(self.lag, 's')} in the worst"
            )
        if self.busy > OFTEN * self.seconds:
            parts.append(
                f"it used more than {BUSY:.0%} of a core in "
                f"{counted(self.busy, 'second')} of {self.seconds}"
            )
        return (
            f"The load generator itself was the limit: {', and '.join(parts)}. The "
            "server was not loaded as was asked for: latencies are lower bounds (≥). "
            "Use LeanHttpUser or --workers 2, or give the generator a core of its own."
        )


def strain(ticks: Ticks) -> Strain:
    """Return how hard a load test was for its generator, from its seconds."""
    shares = _shares(ticks)
    asked = [bool(tick["requests"]) for tick in ticks]
    late = [
        float(tick["lag_p99"])
        for tick, requests in zip(ticks, asked, strict=True)
        if requests and is_late(float(tick.get("lag_p99", 0.0)), tick.get("p50"))
    ]
    return Strain(
        seconds=sum(asked),
        late=len(late),
        busy=sum(
            share > BUSY
            for share, requests in zip(shares, asked, strict=True)
            if requests
        ),
        lag=max(late, default=0.0),
        core=max(shares, default=0.0),
    )


def _shares(ticks: Ticks) -> list[float]:
    """Return the share of a core of each second; 0 where a report covers too little."""
    shares, before = [], 0.0
    for tick in ticks:
        passed = float(tick["at"]) - before
        before = float(tick["at"])
        cpu = float(tick["generator_cpu"])
        shares.append(cpu / passed if passed > WHOLE else 0.0)
    return shares
