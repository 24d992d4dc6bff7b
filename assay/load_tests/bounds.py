"""Decide whether the load generator itself was the limit of a load test."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.load import lateness
from assay.wording import counted, percent, quantity

BUSY = 0.9  # share of a core; above it, the test measures the generator, not the server
# A larger share of busy seconds, among the seconds with requests, is not chance.
MAX_BUSY_SHARE = 0.1
MIN_TICK_SECONDS = 0.5  # in a shorter time, the share of a core cannot be measured

Ticks = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Strain:
    """How close the generator of a load test came to its limit.

    Attributes:
        seconds: Number of seconds with requests.
        late_share: The generator began this share of all arrivals too late.
        busy_seconds: In how many of these seconds the generator used nearly a whole
            core.
        lag_p99: How late the generator began arrivals: 99th percentile, in seconds.
        peak_cpu: Share of a core that the generator used in its busiest second.
        open: Whether arrivals followed a schedule. Only then can the generator be late,
            and only then can the load be less than was requested.
    """

    seconds: int
    late_share: float
    busy_seconds: int
    lag_p99: float
    peak_cpu: float
    open: bool = True

    @property
    def generator_limited(self) -> bool:
        """Whether the generator was the limit."""
        return self._often_late or self._often_busy

    @property
    def latencies_are_lower_bounds(self) -> bool:
        """Whether latencies are lower bounds: the load was less than requested."""
        return self.open and self.generator_limited

    @property
    def _often_late(self) -> bool:
        return self.late_share > lateness.MAX_LATE_SHARE

    @property
    def _often_busy(self) -> bool:
        return self.busy_seconds > MAX_BUSY_SHARE * self.seconds

    def warning(self) -> str:
        """Return a warning that the generator was the limit, with reason and advice."""
        busy = (
            f"used more than {BUSY:.0%} of a core in "
            f"{counted(self.busy_seconds, 'second')} of {self.seconds}"
        )
        if not self.open:
            return (
                f"The load generator {busy}: what was measured may be the generator. "
                "Use LeanHttpUser or --workers 2."
            )
        reasons = []
        if self._often_late:
            reasons.append(
                f"it was late for {percent(self.late_share)} of the arrivals, by "
                f"{quantity(self.lag_p99, 's')} at the 99th percentile"
            )
        if self._often_busy:
            reasons.append(f"it {busy}")
        return (
            f"The load generator itself was the limit: {', and '.join(reasons)}. The "
            "server got less load than requested: latencies are lower bounds (≥). Use "
            "LeanHttpUser or --workers 2, or give the generator a core of its own."
        )


def strain(ticks: Ticks, scheduled: bool = True, median: float | None = None) -> Strain:
    """Return how close a generator came to its limit.

    Args:
        ticks: The generator's reports, one for each second of the test.
        scheduled: Whether arrivals followed a schedule.
        median: The median latency, in seconds; None if unknown.
    """
    shares = _cpu_shares(ticks)
    has_requests = [bool(tick["requests"]) for tick in ticks]
    lags = Counter[str]()
    for tick in ticks:
        lags.update(tick.get("lags", {}))
    return Strain(
        seconds=sum(has_requests),
        late_share=lateness.share_late(lags, median),
        busy_seconds=sum(
            share > BUSY
            for share, counts in zip(shares, has_requests, strict=True)
            if counts
        ),
        lag_p99=lateness.quantile(lags, 0.99),
        peak_cpu=max(shares, default=0.0),
        open=scheduled,
    )


def _cpu_shares(ticks: Ticks) -> list[float]:
    """Return the share of a core in each tick; 0 if a tick is too short to tell."""
    shares, before = [], 0.0
    for tick in ticks:
        passed = float(tick["at"]) - before
        before = float(tick["at"])
        cpu = float(tick["generator_cpu"])
        shares.append(cpu / passed if passed > MIN_TICK_SECONDS else 0.0)
    return shares
