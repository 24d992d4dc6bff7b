"""Forecast how long a run will take, from an earlier run of the same topics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay import wording
from assay.analysis.deciding import deciding_metrics
from assay.plan import Plan, Topic
from assay.results import Results

if TYPE_CHECKING:
    from assay.analysis.measurements import Measurements


def comparable(plan: Plan, earlier: Plan) -> list[Topic]:
    """Return the topics of a plan that an earlier plan measured in the same way.

    The topic's file, scenario and variants, and the margin, must be the same.
    """
    if earlier.settings.margin != plan.settings.margin:
        return []
    return [
        topic
        for topic in plan.topics
        if any(
            (other.name, other.file, other.scenario, other.variants)
            == (topic.name, topic.file, topic.scenario, topic.variants)
            for other in earlier.topics
        )
    ]


def forecast(
    topic: Topic, margin: float, results: Results, measured: Measurements
) -> str:
    """Return how long it will take to decide each metric of a topic; empty if unknown.

    An earlier run can tell, because the spread between launches depends on the machine
    and the service, and both change little from one run to the next.

    Args:
        topic: The topic that is about to be measured.
        margin: The largest change that is too small to matter, as a fraction.
        results: Results of the earlier run.
        measured: Tables of the earlier run.
    """
    longest: dict[str, float] = {}
    for item in results.comparisons:
        pair = item.baseline, item.candidate
        if item.topic != topic.name or item.seconds_to_see is None:
            continue
        if item.metric in deciding_metrics(topic, pair, measured):
            longest_yet = longest.get(item.metric, 0.0)
            longest[item.metric] = max(longest_yet, item.seconds_to_see)
    return "; ".join(
        wording.forecast(metric, margin, seconds) for metric, seconds in longest.items()
    )
