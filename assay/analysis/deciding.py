"""Which metrics decide about a pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.analysis import measurements
from assay.metrics import DECIDING_METRICS
from assay.plan import Plan, Topic

if TYPE_CHECKING:
    from assay.analysis.measurements import Measurements

Pair = tuple[str, str]
LEANER = (
    "LeanHttpUser (from assay.load) takes less than a fifth of the CPU time that "
    "FastHttpUser takes."
)


def deciding(
    topic: Topic, pair: Pair, measured: Measurements | None = None
) -> set[str]:
    """Return the metrics that have a verdict: the claimed, else three named before.

    CPU time is unknown for servers that Assay did not start. Where the generator
    limits the throughput of a side, the closed loop's response time takes its
    place: that is known before the first launch is measured, and the same at all looks.

    Args:
        topic: Whose pair.
        pair: Baseline and candidate.
        measured: What is known so far; what was named beforehand if None.
    """
    if topic.claims:
        return {c.metric for c in topic.claims if (c.baseline, c.candidate) == pair}
    if topic.scenario.benchmarks:
        return {"time"}
    started = not any(
        topic.variant(name).url
        or (topic.target.url and not topic.variant(name).command)
        for name in pair
    )
    found = {m for m in DECIDING_METRICS if started or m != "cpu_per_request"}
    if measured and measurements.outrun(measured, topic.name, pair):
        found = found - {"throughput"} | {"service.p50"}
    return found


def family(plan: Plan) -> int:
    """Return how many comparisons without a claim share the error of the run."""
    return sum(
        len(deciding(topic, pair))
        for topic in plan.topics
        if not topic.claims
        for pair in topic.pairs()
    )
