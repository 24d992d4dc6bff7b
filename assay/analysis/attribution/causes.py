"""Causes of a difference between the two sides of a pair, from rounds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from assay.analysis.attribution import sentences
from assay.analysis.attribution.frontier import Frontier, frontier
from assay.analysis.attribution.ledger import CPU, CPU_WITHIN, PARTS, part_of
from assay.analysis.attribution.rounds import Difference, Pair, difference
from assay.analysis.statistics import benjamini_hochberg
from assay.observations import Amount, Event, Place, Round
from assay.results import Cause

FALSE_DISCOVERY_RATE = 0.05  # over everything that was looked at
MIN_SHARE = 0.02  # of the larger latency: a smaller difference is no cause
# Kinds of causes whose parts of the ledger are compared place by place.
KINDS = tuple(
    dict.fromkeys(
        part for part in PARTS.values() if part != "waiting for the event loop"
    )
)

type Key = tuple[str, str, str, str]  # kind, resource, function and file


@dataclass(frozen=True)
class Group:
    """Events of one kind, at one place of both sides, whatever its line.

    Attributes:
        kind: The kind of cause.
        resource: What was waited for, called or sent.
        place: The user's line, of the side that spends more.
        holder: Who held the resource most of the time, on that side.
        seconds: Seconds per request.
        count: How often per request.
        longest: The longest single event of both sides, in seconds.
    """

    kind: str
    resource: str
    place: Place | None
    holder: Place | None
    seconds: Difference
    count: Difference
    longest: float


def causes(topic: str, names: tuple[str, str], pair: Pair) -> list[Cause]:
    """Return the causes of a pair's difference of mean latency, the largest first.

    A cause is a difference that is beyond the noise of rounds, after the correction for
    everything that was looked at (Benjamini and Hochberg), and large enough to matter.
    """
    if len(pair.baseline) < 2:
        return []
    latency = pair.latency
    matters = MIN_SHARE * max(latency.baseline, latency.candidate)
    totals = {kind: pair.compare(partial(part_of, kind)) for kind in (CPU, *KINDS)}
    groups = [
        group for group in _groups(pair) if abs(group.seconds.amount) >= matters / 2
    ]
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
        inside.sort(key=lambda group: -abs(group.seconds.amount))
        place = frontier(pair, total) if kind == CPU else None
        attributed.append(Attributed(kind, total, tuple(inside), place))
    attributed = _merge(pair, attributed)
    attributed.sort(key=lambda one: -abs(one.total.amount))
    return [_cause(topic, names, one, latency) for one in attributed]


@dataclass(frozen=True)
class Attributed:
    """A kind of cause, with what it is made of.

    Attributes:
        total: Seconds per request of the whole kind.
        groups: Its places, the largest first.
        frontier: Where a difference of CPU time is, if it has one place.
        cpu: What of `total` is CPU time around queries.
    """

    kind: str
    total: Difference
    groups: tuple[Group, ...]
    frontier: Frontier | None = None
    cpu: float = 0.0


def _merge(pair: Pair, attributed: Sequence[Attributed]) -> list[Attributed]:
    """Count the CPU time of something done more often for what is done.

    Each query, call or change of threads costs CPU time around it. That is no second
    cause where one function does both, or where no function of the user's carries it.
    """
    by_kind = {one.kind: one for one in attributed}
    cpu = by_kind.get(CPU)
    if cpu is None:
        return list(attributed)
    for kind in ("queries", "other services", "thread pool"):
        done = by_kind.get(kind)
        if done is None or not done.groups:
            continue
        same_way = (done.total.amount > 0) == (cpu.total.amount > 0)
        more = any(sentences.counts_differ(group.count) for group in done.groups)
        if same_way and more and _around(done.groups, cpu.frontier):
            together = pair.compare(partial(_sum_of, (kind, CPU)))
            merged = replace(done, total=together, cpu=cpu.total.amount)
            return [merged, *(one for one in attributed if one not in (done, cpu))]
    return list(attributed)


def _around(groups: Sequence[Group], place: Frontier | None) -> bool:
    """Say whether CPU time is spent around some events."""
    if place is None or not place.own:
        return groups[0].kind == "thread pool"
    return any(
        group.place is not None
        and place.own.startswith(f"{group.place.function} ({group.place.file}:")
        for group in groups
    )


def _sum_of(names: Sequence[str], one: Round) -> float:
    return sum(part_of(name, one) for name in names)


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
        kind=one.kind,
        where=where,
        holder=str(first.holder) if first and first.holder else "",
        amount=one.total.amount,
        low=one.total.low,
        high=one.total.high,
        share=one.total.amount / latency.amount if latency.amount else None,
        sentence=sentences.of(one),
    )


def _groups(pair: Pair) -> Iterable[Group]:
    """Compare every kind of event place by place."""
    keys: dict[Key, None] = {}
    tables = tuple(
        [_by_key(one) for one in side] for side in (pair.baseline, pair.candidate)
    )
    for table in (*tables[0], *tables[1]):
        keys.update(dict.fromkeys(table))
    for key in keys:
        seconds, count = (
            _difference(tables, key, name) for name in ("seconds", "count")
        )
        more = tables[seconds.amount > 0]
        events = [item for table in more for item in table.get(key, ())]
        every = [
            item for table in (*tables[0], *tables[1]) for item in table.get(key, ())
        ]
        yield Group(
            kind=key[0],
            resource=key[1],
            place=_most([(event.place, amount) for event, amount in events]),
            holder=_most([(event.holder, amount) for event, amount in events]),
            seconds=seconds,
            count=count,
            longest=max((amount.longest for _, amount in every), default=0.0),
        )


Table = Mapping[Key, Sequence[tuple[Event, Amount]]]


def _by_key(one: Round) -> Table:
    table: dict[Key, list[tuple[Event, Amount]]] = {}
    for observation in one.observations:
        event, amount = observation.event, observation.amount
        kind = PARTS.get(event.kind) or CPU_WITHIN.get(event.kind, CPU)
        if kind == CPU:
            continue
        if event.kind in CPU_WITHIN:  # it is told as CPU time
            amount = Amount(count=0, seconds=-amount.seconds)
        place = event.place
        key = (
            kind,
            event.resource,
            place.function if place else "",
            place.file if place else "",
        )
        table.setdefault(key, []).append((event, amount))
    return table


def _difference(tables: tuple[Sequence[Table], ...], key: Key, name: str) -> Difference:
    sides = [
        [
            sum(getattr(amount, name) for _, amount in table.get(key, ()))
            for table in side
        ]
        for side in tables
    ]
    return difference(sides[0], sides[1])


def _most(places: Iterable[tuple[Place | None, Amount]]) -> Place | None:
    """Return the place that most seconds belong to, or most events."""
    weights: dict[Place, tuple[float, float]] = {}
    for place, amount in places:
        if place is not None:
            seconds, count = weights.get(place, (0.0, 0.0))
            weights[place] = seconds + amount.seconds, count + amount.count
    return max(weights, key=lambda place: weights[place], default=None)
