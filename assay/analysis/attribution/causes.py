"""Find the causes of a difference of latency in the rounds of both sides."""

from __future__ import annotations

from functools import partial

from assay.analysis.attribution import sentences
from assay.analysis.attribution.calls import calls_of
from assay.analysis.attribution.frontier import Frontier, frontier
from assay.analysis.attribution.groups import Group, count_of, groups_of
from assay.analysis.attribution.ledger import CPU, PARTS, part_of
from assay.analysis.attribution.merging import SENDERS, Attributed, is_hop, merge
from assay.analysis.attribution.rounds import Difference, Pair
from assay.analysis.statistics import benjamini_hochberg
from assay.results import Cause

FALSE_DISCOVERY_RATE = 0.05  # over all differences that are tested
MIN_SHARE = 0.02  # a cause is at least this share of the larger latency
OPPOSITE_P = 0.05  # above this p-value, the sign of the latency difference is unknown
# A cause that goes against the difference of latency comes last, unless it is this many
# times as large: then the latency is the small rest of two large differences.
LARGE = 2.0
PLACELESS = 0.3  # weight of a group without a place in the user's code
# Parts of the ledger that are compared place by place; each is a kind of cause.
KINDS = tuple(
    dict.fromkeys(
        part for part in PARTS.values() if part != "waiting for the event loop"
    )
)


def causes(
    topic: str, names: tuple[str, str], pair: Pair, follow_up: Pair | None = None
) -> list[Cause]:
    """Return the causes of a pair's difference of mean latency, the largest first.

    A cause is a difference that exceeds the noise between rounds, after the correction
    for all tested differences (Benjamini and Hochberg), and is large enough to matter.
    Differences that go against the difference of latency come last, unless they are
    much larger.

    Args:
        topic: The topic's name.
        names: Baseline and candidate.
        pair: The rounds of both sides.
        follow_up: Rounds in which calls were counted, if there are any.
    """
    if len(pair.baseline) < 2:
        return []
    latency = pair.latency
    matters = MIN_SHARE * max(latency.baseline, latency.candidate)
    totals = {kind: pair.compare(partial(part_of, kind)) for kind in (CPU, *KINDS)}
    every = list(groups_of(pair))
    groups = [group for group in every if abs(group.seconds.amount) >= matters / 2]
    looked_at = [*totals.values(), *(group.seconds for group in groups)]
    real = benjamini_hochberg([one.p for one in looked_at], FALSE_DISCOVERY_RATE)
    is_real = {id(one): flag for one, flag in zip(looked_at, real, strict=True)}
    attributed: list[Attributed] = []
    for kind, total in totals.items():
        if not is_real[id(total)] or abs(total.amount) < matters:
            continue
        inside = [
            group
            for group in groups
            if group.kind == kind
            and is_real[id(group.seconds)]
            and (group.seconds.amount > 0) == (total.amount > 0)
        ]
        inside.sort(key=lambda group: _weight(group), reverse=True)
        place = _place_of(pair) if kind == CPU else None
        calls = calls_of(place, follow_up) if place and follow_up else None
        sent = pair.compare(partial(count_of, kind)) if kind in SENDERS else None
        attributed.append(
            Attributed(kind, total, tuple(inside), place, calls, sent=sent)
        )
    attributed = merge(pair, attributed, groups, [one for one in every if is_hop(one)])
    # A difference with the opposite sign cannot explain the difference of latency.
    differs = latency.p < OPPOSITE_P
    attributed.sort(
        key=lambda one: (
            differs and _is_against(one.total.amount, latency.amount),
            -abs(one.total.amount),
        )
    )
    return [_cause(topic, names, one, latency) for one in attributed]


def _place_of(pair: Pair) -> Frontier | None:
    """Return the place of the difference of CPU time, in the rounds with stacks."""
    sampled = pair.sampled
    return frontier(sampled, sampled.compare(partial(part_of, CPU)))


def _is_against(amount: float, difference: float) -> bool:
    opposite = (amount > 0) != (difference > 0)
    return opposite and abs(amount) < LARGE * abs(difference)


def _weight(group: Group) -> float:
    """Return how important a group is; without a place, it tells a reader little."""
    return abs(group.seconds.amount) * (1.0 if group.place else PLACELESS)


def _cause(
    topic: str, names: tuple[str, str], one: Attributed, latency: Difference
) -> Cause:
    first = one.groups[0] if one.groups else None
    where = str(first.place) if first and first.place else ""
    if one.frontier:
        where = one.frontier.own or one.frontier.inside
    return Cause(
        topic=topic,
        baseline=names[0],
        candidate=names[1],
        metric="latency.mean",
        kind=one.name,
        where=where,
        holder=str(first.holder) if first and first.holder else "",
        amount=one.total.amount,
        low=one.total.low,
        high=one.total.high,
        share=one.total.amount / latency.amount if latency.amount else None,
        sentence=sentences.of(one),
    )
