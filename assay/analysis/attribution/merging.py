"""Merge the kinds of a difference that have the same cause."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from assay.analysis.attribution import sentences
from assay.analysis.attribution.calls import Calls
from assay.analysis.attribution.frames import split_place
from assay.analysis.attribution.frontier import Frontier, share_below
from assay.analysis.attribution.groups import Group, count_of
from assay.analysis.attribution.ledger import CPU, OTHER_WAITS, part_of
from assay.analysis.attribution.rounds import Difference, Pair
from assay.observations import Place, Round

# A wait can have replaced a block of the loop if it is as long as this share of the
# seconds that requests spend on the block (others wait behind it), or of one block.
OF_BLOCKS, OF_ONE_BLOCK = 0.3, 0.5
AS_LONG = 1.1  # and not longer than this many times the block
NEARLY_ALL = 0.8  # and it makes up this share of all other waits that differ
HOLDER_P = 0.05  # up to this p-value, a function that waits also keeps others waiting
# Files that move a call to a worker thread.
HOPPING = re.compile(
    r"\((asyncio/threads|anyio/to_thread|starlette/concurrency|asgiref/sync"
    r"|concurrent/futures/thread)\."
)
MOST_OF_HOP = 0.0012  # CPU seconds; one move takes about half of it here
OF_HOPS = 0.5  # a function moves calls to a thread if this share of its CPU time does
HOPS = 0.5  # so many moves to a worker thread per request can explain CPU time
GARBAGE = "garbage collection"
THREAD_POOL = "thread pool"
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
        instead: The wait that blocks the event loop on one side only; on the other side
            others run meanwhile.
        sent: How many queries or calls to other services a request sends in all.
    """

    kind: str
    total: Difference
    groups: tuple[Group, ...]
    frontier: Frontier | None = None
    calls: Calls | None = None
    cpu: float = 0.0
    held: float = 0.0
    behind: float = 0.0
    instead: Group | None = None
    sent: Difference | None = None

    @property
    def name(self) -> str:
        """The name of the kind in results.json."""
        if self.kind == CPU and self.calls and self.calls.explain:
            return "calls"
        return "unexplained" if self.kind == OTHER_WAITS else self.kind


def merge(
    pair: Pair,
    attributed: Sequence[Attributed],
    groups: Sequence[Group],
    hops: Sequence[Group] = (),
) -> list[Attributed]:
    """Merge kinds that have the same cause.

    A holder that waits keeps others waiting for its lock or connection: see
    `_with_holder`. Others wait while garbage is collected: see `_with_block`. A wait
    may block the event loop on one side only: see `_with_instead`. Each
    query, call to a service or move to a worker thread also costs CPU time around it.
    If one of these became more or less frequent, and `_around` finds that the CPU time
    belongs to it, the CPU time is not a second cause.

    Args:
        pair: The rounds of both sides.
        attributed: The kinds whose differences are real.
        groups: All groups of events, also those that differ by chance.
        hops: The groups for which `is_hop` holds, whatever time they take.
    """
    by_kind = {one.kind: one for one in attributed}
    for kind in ("lock", "connection pool"):
        held = _with_holder(pair, by_kind, kind, groups)
        if held:
            others = [one for one in attributed if one.kind not in (kind, OTHER_WAITS)]
            return merge(pair, [held, *others], groups, hops)
    collected = _with_block(pair, by_kind)
    if collected:
        merged_kinds = (GARBAGE, BLOCKED)
        others = [one for one in attributed if one.kind not in merged_kinds]
        return merge(pair, [collected, *others], groups, hops)
    unblocked = _with_instead(by_kind)
    if unblocked:
        others = [one for one in attributed if one.kind not in (BLOCKED, OTHER_WAITS)]
        return merge(pair, [unblocked, *others], groups, hops)
    return _with_cpu(pair, attributed, hops)


def _with_cpu(
    pair: Pair, attributed: Sequence[Attributed], hops: Sequence[Group]
) -> list[Attributed]:
    """Return the kinds, with CPU time added to what it is spent around.

    Args:
        pair: The rounds of both sides.
        attributed: The kinds whose differences are real.
        hops: The groups for which `is_hop` holds, whatever time they take.
    """
    by_kind = {one.kind: one for one in attributed}
    cpu = by_kind.get(CPU)
    if cpu is None:
        return list(attributed)
    for kind in ("queries", "other services", THREAD_POOL):
        done = by_kind.get(kind)
        if done is None or not done.groups:
            continue
        same_way = (done.total.amount > 0) == (cpu.total.amount > 0)
        more = any(sentences.counts_differ(group.count) for group in done.groups)
        belongs = (
            _is_of_hops(pair, cpu)
            if kind == THREAD_POOL
            else _around(done.groups, cpu.frontier)
        )
        if same_way and more and belongs:
            together = pair.compare(partial(_sum_of, (kind, CPU)))
            merged = replace(done, total=together, cpu=cpu.total.amount)
            return [merged, *(one for one in attributed if one not in (done, cpu))]
    if THREAD_POOL not in by_kind and _is_of_hops(pair, cpu):
        changed = [
            group
            for group in hops
            if (group.count.amount > 0) == (cpu.total.amount > 0)
        ]
        changed.sort(key=lambda group: -abs(group.count.amount))
        if changed:
            # The waits differ by chance, so only the CPU time counts.
            merged = Attributed(
                THREAD_POOL, cpu.total, tuple(changed), cpu=cpu.total.amount
            )
            return [merged, *(one for one in attributed if one is not cpu)]
    return list(attributed)


def is_hop(group: Group) -> bool:
    """Say whether requests surely move to a worker thread more often, or less often."""
    return (
        group.kind == THREAD_POOL
        and abs(group.count.amount) >= HOPS
        and group.count.p < HOLDER_P
        and sentences.counts_differ(group.count)
    )


def _with_holder(
    pair: Pair,
    by_kind: Mapping[str, Attributed],
    kind: str,
    groups: Sequence[Group],
) -> Attributed | None:
    """Return the waits for a resource, with the waits of its holder added.

    A function that waits while it holds a lock keeps all others waiting, so both waits
    are one cause. None if the waits are unrelated.

    The waits for the resource may be too rare to be a cause by themselves. Whether the
    function that waits keeps others waiting is a single question, so these waits are
    tested without the correction for all differences.
    """
    own = by_kind.get(OTHER_WAITS)
    if own is None or not own.groups:
        return None
    is_more = own.total.amount > 0
    waits = by_kind.get(kind)
    if waits is None:
        behind = [
            group
            for group in groups
            if group.kind == kind
            and group.seconds.p < HOLDER_P
            and (group.seconds.amount > 0) == is_more
        ]
        behind.sort(key=lambda group: abs(group.seconds.amount), reverse=True)
        waits = Attributed(kind, pair.compare(partial(part_of, kind)), tuple(behind))
    same_way = (waits.total.amount > 0) == is_more
    if not waits.groups or not same_way:
        return None
    if not _is_same(waits.groups[0].holder, own.groups[0].place):
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
    same_way = (pauses.total.amount > 0) == (blocks.total.amount > 0)
    if not same_way or not _is_same(pauses.groups[0].place, blocks.groups[0].place):
        return None
    together = pair.compare(partial(_sum_of, (GARBAGE, BLOCKED)))
    return replace(pauses, total=together, behind=blocks.total.amount)


def _with_instead(by_kind: Mapping[str, Attributed]) -> Attributed | None:
    """Return the block of the event loop, with the wait that the other side has.

    If a call that blocks the loop is replaced by one that lets others run, requests
    still wait for its result. None if no such wait takes the place of the block.
    """
    blocks, waits = by_kind.get(BLOCKED), by_kind.get(OTHER_WAITS)
    if blocks is None or waits is None or not blocks.groups or not waits.groups:
        return None
    block, wait = blocks.groups[0], waits.groups[0]
    lost, gained = abs(blocks.total.amount), abs(wait.seconds.amount)
    opposite = (blocks.total.amount > 0) != (wait.seconds.amount > 0)
    long_enough = gained >= min(OF_BLOCKS * lost, OF_ONE_BLOCK * block.longest)
    is_whole = gained >= NEARLY_ALL * abs(waits.total.amount)
    if not (opposite and long_enough and is_whole and gained <= AS_LONG * lost):
        return None
    return replace(blocks, instead=wait) if block.place else None


def _is_same(one: Place | None, other: Place | None) -> bool:
    """Say whether two places are known, and in the same function."""
    if one is None or other is None:
        return False
    return (one.function, one.file) == (other.function, other.file)


def _around(groups: Sequence[Group], place: Frontier | None) -> bool:
    """Say whether CPU time belongs to the events of some groups.

    CPU time without a place belongs to the events. CPU time in one of the user's
    functions belongs to them if one of the events is in the same function; if several
    functions have it, in each of them. CPU time in a library alone belongs to queries
    or calls that this library sends.
    """
    if place is None:
        return True
    if not place.own:
        kind = groups[0].kind
        return kind in SENDERS and bool(SENDERS[kind].search(place.inside))
    # py-spy may leave out the class, so only the last part of the name counts.
    functions = {
        (group.place.function.rpartition(".")[2], group.place.file)
        for group in groups
        if group.place is not None
    }
    named = [split_place(own) for own in (place.own, *(own for own, _ in place.others))]
    return all(
        (function.rpartition(".")[2], file) in functions for function, file in named
    )


def _is_of_hops(pair: Pair, cpu: Attributed) -> bool:
    """Say whether a difference of CPU time is that of moves to a worker thread.

    It is if the difference is small enough for the number of moves, and the user's
    function that has it, if there is one, spends it on moves.
    """
    count = pair.compare(partial(count_of, THREAD_POOL))
    moved = count.amount if cpu.total.amount > 0 else -count.amount
    if moved < HOPS or abs(cpu.total.amount) > MOST_OF_HOP * moved:
        return False
    place = cpu.frontier
    if place is None or not place.own:
        return True
    return not place.others and share_below(pair, place, HOPPING) >= OF_HOPS


def _sum_of(names: Sequence[str], one: Round) -> float:
    return sum(part_of(name, one) for name in names)
