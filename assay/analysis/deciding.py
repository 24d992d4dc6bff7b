"""Choose the metrics that decide the verdict on a pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.analysis import measurements
from assay.metrics import DECIDING_METRICS
from assay.plan import Plan, Topic

if TYPE_CHECKING:
    from assay.analysis.measurements import Measurements

Pair = tuple[str, str]
LEAN_USER_HINT = (
    "LeanHttpUser (from assay.load) takes less than a fifth of the CPU time that "
    "FastHttpUser takes."
)


def deciding_metrics(
    topic: Topic, pair: Pair, measured: Measurements | None = None
) -> set[str]:
    """Return the metrics that get a verdict.

    These are the claimed metrics, the time of benchmarks, or the metrics that the topic
    names. Otherwise they are `DECIDING_METRICS` with two exceptions. CPU time is
    unknown for servers that Assay did not start. Throughput does not decide if the
    generator limits the throughput of a side. The first trial shows whether it does.
    This trial comes before the first slice, so all looks have the same metrics.

    Args:
        topic: The topic of the pair.
        pair: Baseline and candidate.
        measured: The tables so far; None before anything is measured.
    """
    if topic.claims:
        return {c.metric for c in topic.claims if (c.baseline, c.candidate) == pair}
    if topic.scenario.benchmarks:
        return {"time"}
    if topic.deciding:
        return set(topic.deciding)
    started = not any(
        topic.variant(name).url
        or (topic.target.url and not topic.variant(name).command)
        for name in pair
    )
    metrics = {m for m in DECIDING_METRICS if started or m != "cpu_per_request"}
    if measured and measurements.limited_by_generator(measured, topic.name, pair):
        metrics -= {"throughput"}
    return metrics


def family_size(plan: Plan) -> int:
    """Return how many comparisons without a claim share the run's error rate."""
    return sum(
        len(topic.scenario.tests) or len(deciding_metrics(topic, pair))
        for topic in plan.topics
        if not topic.claims
        for pair in topic.pairs()
    )
