"""The table of all metrics, with their meanings, units and loads."""

import math
from dataclasses import dataclass
from typing import Literal

Mode = Literal["closed", "open"]
MODES: tuple[Mode, ...] = ("closed", "open")

OF_REQUEST = "request.p25"  # the metric of a request that is judged by itself
# A quantile needs this many samples beyond it in every launch.
SAMPLES_BEYOND = 5


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: The name as people write it.
        unit: The unit of its values: ``s``, ``B`` or ``/s``; empty for a share.
        meaning: What it measures, in plain words.
        load: The loads (closed or open loop) that must run at full length for a claim
            on it.
        slices: The loads whose slices it is computed from; empty if it is not computed
            from slices.
        column: Its column in the table of slices, if it is compared block by block.
            Other metrics are pooled over a launch, because a median over blocks would
            hide an effect on only a few requests.
        quantile: The share of latencies below it; None if it is not a quantile.
        higher_is_better: Whether a greater value is the faster one.
        serving: Whether it measures the speed of serving, which means nothing if
            requests fail.
        of_request: Whether it belongs to one request of a service. Such requests are
            judged one by one when two sides are compared; no claim can be about them.
    """

    name: str
    unit: str
    meaning: str
    load: tuple[Mode, ...] = ()
    slices: tuple[Mode, ...] = ()
    column: str = ""
    quantile: float | None = None
    higher_is_better: bool = False
    serving: bool = False
    of_request: bool = False

    @property
    def is_latency(self) -> bool:
        """Whether it is a latency of the open loop."""
        return self.name.startswith("latency.") or self.of_request

    @property
    def requests_needed(self) -> int:
        """How many requests a launch needs; 0 if any number is enough."""
        if self.quantile is None:
            return 0
        return math.ceil(SAMPLES_BEYOND / (1 - self.quantile) - 1e-9)


def _latency(
    name: str, meaning: str, quantile: float | None = None, column: str = ""
) -> Metric:
    return Metric(
        f"latency.{name}",
        "s",
        f"{meaning} at this arrival rate",
        load=("open",),
        slices=("open",),
        column=column,
        quantile=quantile,
        serving=True,
    )


METRICS = {
    metric.name: metric
    for metric in (
        _latency("mean", "mean latency"),
        _latency("p50", "median latency", 0.5, column="latency_p50"),
        _latency("p90", "90th percentile of latency", 0.9),
        _latency("p95", "95th percentile of latency", 0.95),
        _latency("p99", "99th percentile of latency", 0.99),
        _latency("p999", "99.9th percentile of latency", 0.999),
        Metric(
            "service.p50",
            "s",
            "median response time in a closed loop",
            load=("closed",),
            slices=("closed",),
            column="service_p50",
            serving=True,
        ),
        Metric(
            "throughput",
            "/s",
            "requests per second at capacity",
            load=("closed",),
            slices=("closed",),
            column="throughput",
            higher_is_better=True,
            serving=True,
        ),
        Metric(
            "cpu_per_request",
            "s",
            "CPU time of the server per request",
            load=("closed",),
            slices=MODES,
            column="cpu_per_request",
            serving=True,
        ),
        Metric("errors", "", "share of requests that failed", load=MODES, slices=MODES),
        Metric(
            "dropped",
            "",
            "share of arrivals that were never served",
            load=("open",),
            slices=("open",),
        ),
        Metric(
            "memory.peak", "B", "peak resident memory of the process tree", load=MODES
        ),
        Metric("startup", "s", "time from start to ready"),
        Metric("time", "s", "median time of one call"),
        Metric(
            OF_REQUEST,
            "s",
            "lower quartile of one request's response times, one after the other",
            serving=True,
            of_request=True,
        ),
    )
}
# In topics without claims, the verdict rests on these metrics. The run's chance of a
# wrong verdict is split among them.
DECIDING_METRICS = ("cpu_per_request", "throughput", "latency.p50")
QUANTILES = {
    name: metric.quantile
    for name, metric in METRICS.items()
    if metric.quantile is not None
}
# The metrics that are compared block by block, and their columns.
BLOCK_COLUMNS = {
    name: metric.column for name, metric in METRICS.items() if metric.column
}

# The numbers of a load test that a requirement can limit, and their units.
SPREAD_FIELDS = ("mean", "p50", "p90", "p95", "p99", "p999")
LOAD_TEST_UNITS = {
    **{f"latency.{name}": "s" for name in SPREAD_FIELDS},
    **{f"service.{name}": "s" for name in SPREAD_FIELDS},
    "errors": "",
    "dropped": "",
    "rate": "/s",
}


def higher_is_better(metric: str) -> bool:
    """Say whether a greater value is the faster one; False for an unknown metric."""
    return metric in METRICS and METRICS[metric].higher_is_better


def requests_needed(metric: str) -> int:
    """Return how many requests a launch needs; 0 if any number is enough."""
    return METRICS[metric].requests_needed if metric in METRICS else 0
