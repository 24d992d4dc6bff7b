"""Find the causes of a difference of latency in the rounds of both sides."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from assay.analysis.attribution import sentences
from assay.analysis.attribution.calls import Calls, calls_of
from assay.analysis.attribution.frontier import Frontier, frontier, split_place
from assay.analysis.attribution.ledger import (
    AT_ONCE,
    COUNTED_TWICE,
    CPU,
    OTHER_WAITS,
    PARTS,
    part_of,
)
from assay.analysis.attribution.rounds import Difference, Pair, difference
from assay.analysis.statistics import benjamini_hochberg
from assay.observations import Amount, Event, Place, Round
from assay.results import Cause

FALSE_DISCOVERY_RATE = 0.05  # over all differences that are tested
MIN_SHARE = 0.02  # a cause is at least this share of the larger latency
OPPOSITE_P = 0.05  # above this p-value, the sign of the latency difference is unknown
PLACELESS = 0.3  # weight of a group without a place in the user's code
# Parts of the ledger that are compared place by place; each is a kind of cause.
KINDS = tuple(
    dict.fromkeys(
        part for part in PARTS.values() if part != "waiting for the event loop"
    )
)

GARBAGE = "garbage collection"
BLOCKED = "blocked event loop"
# Files of the libraries that send queries, or call other services.
SENDERS = {
    "queries": re.compile(
        r"\((sqlalchemy|sqlmodel|sqlite3|aiosqlite|psycopg\w*|asyncpg|redis|peewee"
        r"|tortoise|django/db)[/.]"
    ),
    "other services": re.compile(
        r"\((httpx|httpcore|requests|urllib3?|http/client|aiohttp/client|"
        r"aiohttp/connector)[/._]"
    ),
}

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
        longest: The longest single event on either side, in seconds.
    """

    kind: str
    resource: str
    place: Place | None
    holder: Place | None
    seconds: Difference
    count: Difference
    at_once: Difference
    longest: float


def causes(
    topic: str, names: tuple[str, str], pair: Pair, follow_up: Pair | None = None
) -> list[Cause]:
    """Return the causes of a pair's difference of mean latency, the largest first.

    A cause is a difference that exceeds the noise between rounds, after the correction
    for all tested differences (Benjamini and Hochberg), and is large enough to matter.
    Differences that go against the difference of latency come last.

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
        inside.sort(key=lambda group: _weight(group), reverse=True)
        place = frontier(pair, total) if kind == CPU else None
        calls = calls_of(place, follow_up) if place and follow_up else None
        attributed.append(Attributed(kind, total, tuple(inside), place, calls))
    attributed = _merge(pair, attributed)
    # A difference with the opposite sign cannot explain the difference of latency.
    differs = latency.p < OPPOSITE_P
    attributed.sort(
        key=lambda one: (
            differs and (one.total.amount > 0) != (latency.amount > 0),
            -abs(one.total.amount),
        )
    )
    return [_cause(topic, names, one, latency) for one in attributed]


@dataclass(frozen=True)
class Attributed:
    """A kind of cause, and the groups of events that it consists of.

    Attributes:
        total: Seconds per request of the whole kind.
        groups: The groups of events, the most important first.
        frontier: The place of a difference of CPU time, if it has one.
        calls: How often the function at that place is called, if that was counted.
        cpu: The part of `total` that is CPU time around queries, calls to other
            services, or moves to a worker thread.
        held: The part of `total` for which the holder itself waits, while it holds
            the resource.
        behind: The part of `total` in which other requests wait for the event loop,
            while garbage is collected.
    """

    kind: str
    total: Difference
    groups: tuple[Group, ...]
    frontier: Frontier | None = None
    calls: Calls | None = None
    cpu: float = 0.0
    held: float = 0.0
    behind: float = 0.0

    @property
    def name(self) -> str:
        """The name of the kind in results.json."""
        if self.kind == CPU and self.calls and self.calls.explain:
            return "calls"
        return "unexplained" if self.kind == OTHER_WAITS else self.kind


def _merge(pair: Pair, attributed: Sequence[Attributed]) -> list[Attributed]:
    """Merge kinds that are one cause.

    A holder that waits keeps others waiting for its lock or connection: see
    `_with_holder`. Others wait while garbage is collected: see `_with_block`. Each
    query, call to a service or move to a worker thread also costs CPU time around it.
    If one of these became more or less frequent, and `_around` finds that the CPU time
    belongs to it, the CPU time is no second cause.
    """
    by_kind = {one.kind: one for one in attributed}
    for kind in ("lock", "connection pool"):
        held = _with_holder(pair, by_kind, kind)
        if held:
            others = [one for one in attributed if one.kind not in (kind, OTHER_WAITS)]
            return _merge(pair, [held, *others])
    collected = _with_block(pair, by_kind)
    if collected:
        merged_kinds = (GARBAGE, BLOCKED)
        others = [one for one in attributed if one.kind not in merged_kinds]
        return _merge(pair, [collected, *others])
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


def _with_holder(
    pair: Pair, by_kind: Mapping[str, Attributed], kind: str
) -> Attributed | None:
    """Return the waits for a resource, with the waits of its holder added.

    A function that waits while it holds a lock keeps all others waiting, so both waits
    are one cause. None if the waits are unrelated.
    """
    waits, own = by_kind.get(kind), by_kind.get(OTHER_WAITS)
    if waits is None or own is None or not waits.groups or not own.groups:
        return None
    holder, place = waits.groups[0].holder, own.groups[0].place
    same_way = (waits.total.amount > 0) == (own.total.amount > 0)
    if not same_way or holder is None or place is None:
        return None
    if (holder.function, holder.file) != (place.function, place.file):
        return None
    together = pair.compare(partial(_sum_of, (kind, OTHER_WAITS)))
    return replace(waits, total=together, held=own.total.amount)


def _with_block(pair: Pair, by_kind: Mapping[str, Attributed]) -> Attributed | None:
    """Return garbage collections, with the waits of others for the event loop added.

    A collection blocks the event loop, too, so both are one cause. None if the
    collections and the block of the loop are at different places.
    """
    pauses, blocks = by_kind.get(GARBAGE), by_kind.get(BLOCKED)
    if pauses is None or blocks is None or not pauses.groups or not blocks.groups:
        return None
    starts, blocked = pauses.groups[0].place, blocks.groups[0].place
    same_way = (pauses.total.amount > 0) == (blocks.total.amount > 0)
    if not same_way or starts is None or blocked is None:
        return None
    if (starts.function, starts.file) != (blocked.function, blocked.file):
        return None
    together = pair.compare(partial(_sum_of, (GARBAGE, BLOCKED)))
    return replace(pauses, total=together, behind=blocks.total.amount)


def _weight(group: Group) -> float:
    """Return how important a group is; without a place, it tells a reader little."""
    return abs(group.seconds.amount) * (1.0 if group.place else PLACELESS)


def _around(groups: Sequence[Group], place: Frontier | None) -> bool:
    """Say whether CPU time belongs to the events of some groups.

    CPU time without a place belongs to the events. CPU time in a function of the user's
    belongs to them if one of them is in the same function. CPU time in a library alone
    belongs to moves to a worker thread, and to queries or calls that this library
    sends.
    """
    if place is None:
        return True
    if not place.own:
        kind = groups[0].kind
        return kind == "thread pool" or bool(
            kind in SENDERS and SENDERS[kind].search(place.inside)
        )
    function, file = split_place(place.own)
    # py-spy may leave out the class, so only the last part of the name counts.
    return any(
        group.place is not None
        and group.place.file == file
        and group.place.function.rpartition(".")[2] == function.rpartition(".")[2]
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
        kind=one.name,
        where=where,
        holder=str(first.holder) if first and first.holder else "",
        amount=one.total.amount,
        low=one.total.low,
        high=one.total.high,
        share=one.total.amount / latency.amount if latency.amount else None,
        sentence=sentences.of(one),
    )


def _groups(pair: Pair) -> Iterable[Group]:
    """Compare the events of both sides, one kind, resource and function at a time."""
    keys: dict[Key, None] = {}
    tables = _without_moves(
        [_by_key(one) for one in side] for side in (pair.baseline, pair.candidate)
    )
    at_once = tuple(
        [_at_once(one) for one in side] for side in (pair.baseline, pair.candidate)
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
            at_once=_difference(at_once, key, "seconds"),
            longest=max((amount.longest for _, amount in every), default=0.0),
        )


Table = Mapping[Key, Sequence[tuple[Event, Amount]]]


def _by_key(one: Round) -> Table:
    """Return the events that are compared place by place."""
    table: dict[Key, list[tuple[Event, Amount]]] = {}
    for observation in one.observations:
        event, amount = observation.event, observation.amount
        kind = PARTS.get(event.kind) or COUNTED_TWICE.get(event.kind, CPU)
        if kind == CPU:
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


def _without_moves(
    sides: Iterable[Sequence[Table]],
) -> tuple[Sequence[Table], ...]:
    """Return the tables, in which events that only moved have the same place.

    If a function was renamed, or moved to another module, it sends the same query or
    waits for the same pool from another place. Such a move is no cause. So the events
    of the baseline's side get the candidate's place.
    """
    baseline, candidate = sides
    only: dict[tuple[str, str], list[list[Key]]] = {}
    for side, (here, there) in enumerate(
        ((baseline, candidate), (candidate, baseline))
    ):
        elsewhere = {key for table in there for key in table}
        for key in dict.fromkeys(key for table in here for key in table):
            if key not in elsewhere:
                only.setdefault(key[:2], [[], []])[side].append(key)
    moved = {
        before[0]: after[0]
        for before, after in only.values()
        if len(before) == len(after) == 1
    }
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
