"""Collect the causes of a pair's differences of latency, memory and start-up."""

from __future__ import annotations

from collections.abc import Sequence

from assay.analysis.attribution.causes import causes
from assay.analysis.attribution.growth import growth
from assay.analysis.attribution.rounds import pair_of
from assay.analysis.attribution.starts import start_up
from assay.observations import Round
from assay.plan import Topic
from assay.results import Cause

MATTERS = 0.05  # share of the latency; smaller causes come after growth of memory


def every_cause(
    topic: Topic, names: tuple[str, str], rounds: Sequence[Round]
) -> list[Cause]:
    """Return all causes of a pair; those of the claimed metrics come first.

    Without claims, causes of latency come before growth of memory, if they matter.
    """
    pair = pair_of(rounds, topic.name, names)
    follow_up = pair_of(rounds, topic.name, names, "follow-up")
    starts = pair_of(rounds, topic.name, names, "start-up")
    of_latency = causes(topic.name, names, pair, follow_up)
    of_memory = growth(topic.name, names, pair, follow_up)
    longest = max(pair.latency.baseline, pair.latency.candidate)
    matters = any(abs(one.amount) >= MATTERS * longest for one in of_latency)
    # Memory that keeps growing ends a process; a few percent of latency do not.
    first = [*of_latency, *of_memory] if matters else [*of_memory, *of_latency]
    every = [*first, *start_up(topic.name, names, starts)]
    claimed = {
        claim.metric.partition(".")[0]
        for claim in topic.claims
        if (claim.baseline, claim.candidate) == names
    }
    # The causes of the mean latency explain every other metric that is claimed.
    about = {"memory", "startup"} & claimed
    about |= {"latency"} if claimed - about else set()
    return sorted(every, key=lambda one: one.metric.partition(".")[0] not in about)
