"""Divide the time of a request into parts; the remainder is unexplained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from assay.analysis.attribution.rounds import Pair
from assay.observations import Round
from assay.results import Ledger, LedgerPart

CPU = "cpu"
OTHER_WAITS = "other waits"  # waits of threads and tasks that no other part counts
THREAD_WAIT = "other wait"  # a wait of a thread; it includes the wait for a core
BLOCK = "blocked loop"  # a callback that blocks an event loop
RESOLUTION = 1e-9  # seconds; a smaller remainder is a rounding error
FUTURE = "concurrent.futures.Future.result"  # see `assay.probe.threads`
# Prefix of a kind of event whose seconds another wait of the same request already
# counts.
AT_ONCE = "at once: "
# For each kind of the probe's events, the part of the ledger that it belongs to.
PARTS: Mapping[str, str] = {
    "thread pool": "thread pool",
    "connection pool": "connection pool",
    "lock": "lock",
    "query": "queries",
    "cache command": "queries",
    "other service": "other services",
    BLOCK: "blocked event loop",
    "loop behind block": "blocked event loop",
    "loop turn": "waiting for the event loop",
    "garbage collection": "garbage collection",
    THREAD_WAIT: OTHER_WAITS,
    "await": OTHER_WAITS,
}
CPU_WAIT = "waiting for the cpu"
UNEXPLAINED = "unexplained"
ORDER = (CPU, CPU_WAIT, *dict.fromkeys(PARTS.values()))
AFTER = "cpu after answer"
BEHIND_POOL = " behind pool"  # suffix of a kind, see `assay.probe.pools`
# Seconds that would be counted twice, and the part that they are subtracted from. The
# CPU time of a query is part of `queries`, not of `cpu`. If a callback blocks the loop,
# its CPU time and its counted waits stay in their own parts. No client waits for what
# is done after its answer. If one task of a request waits for a pool while others use
# its connections, the time is a wait for the pool.
COUNTED_TWICE = {
    "blocked loop counted": "blocked event loop",
    "query cpu": CPU,
    AFTER: CPU,
    "other service" + BEHIND_POOL: "other services",
    "query" + BEHIND_POOL: "queries",
    "cache command" + BEHIND_POOL: "queries",
}


def parts_of(one: Round) -> dict[str, float]:
    """Return the seconds per request of each part of the ledger, in one round."""
    parts = dict.fromkeys(ORDER, 0.0)
    parts[CPU], parts[CPU_WAIT] = one.cpu, one.cpu_wait
    in_threads = futures = 0.0
    for observation in one.observations:
        kind, seconds = observation.event.kind, observation.amount.seconds
        if kind == THREAD_WAIT and observation.event.resource == FUTURE:
            futures += seconds
        elif kind == THREAD_WAIT:
            in_threads += seconds
        elif kind in PARTS:
            parts[PARTS[kind]] += seconds
        elif kind in COUNTED_TWICE:
            parts[COUNTED_TWICE[kind]] -= seconds
    # The collector's time is CPU time of the same thread, but has a part of its own.
    parts[CPU] = max(0.0, parts[CPU] - parts["garbage collection"])
    # The waits of a worker thread include its waits for a core, which have their own
    # part. So does the wait for a free thread, because it ends when that thread runs.
    of_workers = one.cpu_wait - one.loop_wait
    parts[OTHER_WAITS] += max(0.0, in_threads - of_workers)
    parts["thread pool"] -= max(0.0, of_workers - in_threads)
    parts = {name: max(0.0, seconds) for name, seconds in parts.items()}
    # What completes a future may count its own queries, calls and CPU time.
    rest = one.latency - sum(parts.values()) + parts[CPU_WAIT]
    parts[OTHER_WAITS] += max(0.0, min(futures, rest))
    # While one thread waits for a core, another may serve the same request. Only what
    # no other part explains is a wait of the request.
    rest = one.latency - sum(parts.values()) + parts[CPU_WAIT]
    parts[CPU_WAIT] = max(0.0, min(parts[CPU_WAIT], rest))
    remainder = one.latency - sum(parts.values())
    parts[UNEXPLAINED] = remainder if abs(remainder) >= RESOLUTION else 0.0
    return parts


def ledger(topic: str, names: tuple[str, str], pair: Pair) -> Ledger:
    """Return the ledger of both sides; its parts add up to the mean latency."""
    cpu = pair.compare(lambda one: one.cpu)
    return Ledger(
        topic=topic,
        baseline=names[0],
        candidate=names[1],
        latency=_part("latency", pair, lambda one: one.latency),
        parts=tuple(_parts(pair)),
        cpu=(cpu.baseline, cpu.candidate),
        rate=pair.compare(lambda one: one.rate).baseline,
        request=pair.baseline[0].request,
    )


def _parts(pair: Pair) -> Iterable[LedgerPart]:
    for name in (*ORDER, UNEXPLAINED):
        part = _part(name, pair, partial(part_of, name))
        if part.baseline or part.candidate or name == UNEXPLAINED:
            yield part


def part_of(name: str, one: Round) -> float:
    """Return the seconds per request of one part of the ledger, in one round."""
    return parts_of(one)[name]


def _part(name: str, pair: Pair, quantity: Callable[[Round], float]) -> LedgerPart:
    difference = pair.compare(quantity)
    return LedgerPart(
        name=name,
        baseline=difference.baseline,
        candidate=difference.candidate,
        amount=difference.amount,
        low=difference.low,
        high=difference.high,
    )
