"""Compare the events of both sides, one kind, resource and function at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from assay.analysis.attribution.ledger import (
    AT_ONCE,
    BEHIND_POOL,
    BLOCK,
    COUNTED_TWICE,
    CPU,
    PARTS,
)
from assay.analysis.attribution.rounds import Difference, Pair, difference
from assay.observations import Amount, Event, Place, Round

ROLLBACK = "ROLLBACK"  # see `assay.probe.query_times`

type Key = tuple[str, str, str, str]  # kind, resource, function and file


@dataclass(frozen=True)
class Group:
    """Events of one kind and resource in one function, compared between both sides.

    Attributes:
        kind: The kind of cause.
        resource: What a request waited for, called or sent.
        place: The function, with its main line on the side that spends more.
        holder: The code that held the resource the longest, on that side.
        seconds: Seconds per request.
        count: Events per request.
        at_once: Seconds per request that overlap with other waits of the same request.
        longest: The longest single event on the side that spends more, in seconds.
        each: Mean length of a block of the event loop, in seconds; 0 of other kinds.
    """

    kind: str
    resource: str
    place: Place | None
    holder: Place | None
    seconds: Difference
    count: Difference
    at_once: Difference
    longest: float
    each: float = 0.0


def groups_of(pair: Pair) -> Iterable[Group]:
    """Compare the events of both sides, one kind, resource and function at a time."""
    keys: dict[Key, None] = {}
    sides = pair.baseline, pair.candidate
    events_of = [[_by_key(one) for one in side] for side in sides]
    moved = _moves(*events_of)
    tables = _moved(events_of, moved)
    at_once = _moved([[_at_once(one) for one in side] for side in sides], moved)
    for table in (*tables[0], *tables[1]):
        keys.update(dict.fromkeys(table))
    for key in keys:
        seconds, count = (
            _difference(tables, key, name) for name in ("seconds", "count")
        )
        more = tables[seconds.amount > 0]
        events = [item for table in more for item in table.get(key, ())]
        yield Group(
            kind=key[0],
            resource=key[1],
            place=_most([(event.place, amount) for event, amount in events]),
            holder=_most([(event.holder, amount) for event, amount in events]),
            seconds=seconds,
            count=count,
            at_once=_difference(at_once, key, "seconds"),
            longest=max((amount.longest for _, amount in events), default=0.0),
            each=_each(amount for event, amount in events if event.kind == BLOCK),
        )


def _each(amounts: Iterable[Amount]) -> float:
    """Return the mean length of events; 0 if there are none."""
    count = seconds = 0.0
    for amount in amounts:
        count, seconds = count + amount.count, seconds + amount.seconds
    return seconds / count if count else 0.0


def count_of(kind: str, one: Round) -> float:
    """Return how many events of a kind of cause a request has, in one round.

    The end of a transaction that has only read is no query that a reader would count.
    """
    return sum(
        observation.amount.count
        for observation in one.observations
        if PARTS.get(observation.event.kind) == kind
        and observation.event.resource.rstrip(";").upper() != ROLLBACK
    )


Table = Mapping[Key, Sequence[tuple[Event, Amount]]]


def _by_key(one: Round) -> Table:
    """Return the events that are compared place by place, by their key."""
    table: dict[Key, list[tuple[Event, Amount]]] = {}
    for observation in one.observations:
        event, amount = observation.event, observation.amount
        kind = PARTS.get(event.kind) or COUNTED_TWICE.get(event.kind, CPU)
        if kind == CPU or event.kind.endswith(BEHIND_POOL):
            continue
        if event.kind in COUNTED_TWICE:
            amount = Amount(count=0, seconds=-amount.seconds)
        table.setdefault(_key(kind, event), []).append((event, amount))
    return table


def _at_once(one: Round) -> Table:
    """Return the events that overlap with other waits of the same request."""
    table: dict[Key, list[tuple[Event, Amount]]] = {}
    for observation in one.observations:
        event = observation.event
        kind = event.kind.removeprefix(AT_ONCE)
        if kind != event.kind:
            item = event, observation.amount
            table.setdefault(_key(PARTS[kind], event), []).append(item)
    return table


def _key(kind: str, event: Event) -> Key:
    place = event.place
    function, file = (place.function, place.file) if place else ("", "")
    return kind, event.resource, function, file


def _moves(baseline: Sequence[Table], candidate: Sequence[Table]) -> dict[Key, Key]:
    """Map each key of the baseline that only moved to its key in the candidate.

    If a function was renamed, or moved to another module, it sends the same query or
    waits for the same pool from another place. Such a move is not a cause.
    """
    only: dict[tuple[str, str], list[list[Key]]] = {}
    for side, (here, there) in enumerate(
        ((baseline, candidate), (candidate, baseline))
    ):
        elsewhere = {key for table in there for key in table}
        for key in dict.fromkeys(key for table in here for key in table):
            if key not in elsewhere:
                only.setdefault(key[:2], [[], []])[side].append(key)
    return {
        before[0]: after[0]
        for before, after in only.values()
        if len(before) == len(after) == 1
    }


def _moved(
    sides: Sequence[Sequence[Table]], moved: Mapping[Key, Key]
) -> tuple[Sequence[Table], ...]:
    """Return both sides' tables; keys that only moved are the candidate's in both."""
    baseline, candidate = sides
    renamed = [
        {moved.get(key, key): events for key, events in table.items()}
        for table in baseline
    ]
    return renamed, candidate


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
    """Return the place with the most seconds; if those are equal, the most events."""
    weights: dict[Place, tuple[float, float]] = {}
    for place, amount in places:
        if place is not None:
            seconds, count = weights.get(place, (0.0, 0.0))
            weights[place] = seconds + amount.seconds, count + amount.count
    return max(weights, key=lambda place: weights[place], default=None)
