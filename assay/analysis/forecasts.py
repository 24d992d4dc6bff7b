"""What an earlier run of the same topics says of how long another one will take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay import wording
from assay.analysis.deciding import deciding
from assay.plan import Plan, Topic
from assay.results import Results

if TYPE_CHECKING:
    from assay.analysis.measurements import Measurements


def comparable(plan: Plan, before: Plan) -> list[Topic]:
    """Return the topics of a plan that an earlier one asked in the same way.

    The margin, the load and the variants must be the same.
    """
    if before.settings.margin != plan.settings.margin:
        return []
    return [
        topic
        for topic in plan.topics
        if any(
            (other.name, other.file, other.scenario, other.variants)
            == (topic.name, topic.file, topic.scenario, topic.variants)
            for other in before.topics
        )
    ]


def forecast(
    topic: Topic, margin: float, results: Results, measured: Measurements
) -> str:
    """Return how long each deciding metric of a topic will take; empty if unknown.

    Launches differ by what the machine and the service make of them, which changes
    little from one run to the next.

    Args:
        topic: What is about to be measured.
        margin: The change that is too small to matter, as a share.
        results: Of the earlier run.
        measured: The same.
    """
    longest: dict[str, float] = {}
    for item in results.comparisons:
        pair = item.baseline, item.candidate
        if item.topic != topic.name or item.seconds_to_see is None:
            continue
        if item.metric in deciding(topic, pair, measured):
            before = longest.get(item.metric, 0.0)
            longest[item.metric] = max(before, item.seconds_to_see)
    return "; ".join(
        wording.forecast(metric, margin, seconds) for metric, seconds in longest.items()
    )
