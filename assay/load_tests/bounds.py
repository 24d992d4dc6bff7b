"""Whether the load generator itself was the limit of a load test."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.load import lateness
from assay.wording import counted, percent, quantity

BUSY = 0.9  # of a core: a generator so busy is measured itself
OFTEN = 0.1  # of the seconds that had requests: more than that is no chance
WHOLE = 0.5  # seconds that a report must cover for its share of a core to count

Ticks = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Strain:
    """How hard a load test was for its generator.

    Attributes:
        seconds: How many had requests.
        late: For what share of the arrivals it was late.
        busy: In how many of them it used nearly a whole core.
        lag: Seconds that it was late by: 99th percentile.
        core: Share of a core that it used in its busiest second.
        open: Whether arrivals came on a schedule: only then can it be late, and only
            then is there a load that was asked for.
    """

    seconds: int
    late: float
    busy: int
    lag: float
    core: float
    open: bool = True

    @property
    def limit(self) -> bool:
        """Whether it was the limit."""
        return self.late > lateness.OFTEN or self.busy > OFTEN * self.seconds

    @property
    def bound(self) -> bool:
        """Whether latencies are lower bounds: of a load that is less than asked for."""
        return self.open and self.limit

    def warning(self) -> str:
        """Say that it was the limit, what that means, and what to do about it."""
        if not self.open:
            return (
                f"The load generator used more than {BUSY:.0%} of a core in "
                f"{counted(self.busy, 'second')} of {self.seconds}: what was measured "
                "may be the generator. Use LeanHttpUser, or --workers 2."
            )
        parts = []
        if self.late > lateness.OFTEN:
            parts.append(
                f"it was late for {percent(self.late)} of the arrivals, by "
                f"{quantity(self.lag, 's')} at the 99th percentile"
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


def strain(ticks: Ticks, scheduled: bool = True, median: float | None = None) -> Strain:
    """Return how hard a load test was for its generator, from its seconds.

    Args:
        ticks: What it said of them.
        scheduled: Whether arrivals came on a schedule.
        median: Seconds of the median latency.
    """
    shares = _shares(ticks)
    asked = [bool(tick["requests"]) for tick in ticks]
    lags = Counter[str]()
    for tick in ticks:
        lags.update(tick.get("lags", {}))
    return Strain(
        seconds=sum(asked),
        late=lateness.share_late(lags, median),
        busy=sum(
            share > BUSY
            for share, requests in zip(shares, asked, strict=True)
            if requests
        ),
        lag=lateness.quantile(lags, 0.99),
        core=max(shares, default=0.0),
        open=scheduled,
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
