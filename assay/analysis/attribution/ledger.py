"""Where the time of a request goes, part by part, and what is left unexplained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from assay.analysis.attribution.rounds import Pair
from assay.observations import Round
from assay.results import Ledger, LedgerPart

CPU = "cpu"
# The kinds of the probe's events, and the part of the ledger that they belong to.
PARTS: Mapping[str, str] = {
    "thread pool": "thread pool",
    "connection pool": "connection pool",
    "lock": "lock",
    "query": "queries",
    "cache command": "queries",
    "other service": "other services",
    "blocked loop": "blocked event loop",
    "loop behind block": "blocked event loop",
    "loop turn": "waiting for the event loop",
    "garbage collection": "garbage collection",
}
CPU_WAIT = "waiting for the cpu"
UNEXPLAINED = "unexplained"
ORDER = (CPU, CPU_WAIT, *dict.fromkeys(PARTS.values()))
# CPU time within events, which the process clock holds already: that of a callback
# that blocks the loop is told as CPU time, that of a query as the query's.
CPU_WITHIN = {"blocked loop cpu": "blocked event loop", "query cpu": CPU}


def parts_of(one: Round) -> dict[str, float]:
    """Return the seconds per request of every part of a round."""
    parts = dict.fromkeys(ORDER, 0.0)
    parts[CPU], parts[CPU_WAIT] = one.cpu, one.cpu_wait
    for observation in one.observations:
        kind, seconds = observation.event.kind, observation.amount.seconds
        if kind in PARTS:
            parts[PARTS[kind]] += seconds
        elif kind in CPU_WITHIN:
            parts[CPU_WITHIN[kind]] -= seconds
    # The collector runs on the same thread: its time is CPU time, told apart.
    parts[CPU] = max(0.0, parts[CPU] - parts["garbage collection"])
    parts = {name: max(0.0, seconds) for name, seconds in parts.items()}
    parts[UNEXPLAINED] = one.latency - sum(parts.values())
    return parts


def ledger(topic: str, names: tuple[str, str], pair: Pair) -> Ledger:
    """Return the ledger of both sides; the parts add up to the mean latency."""
    return Ledger(
        topic=topic,
        baseline=names[0],
        candidate=names[1],
        latency=_part("latency", pair, lambda one: one.latency),
        parts=tuple(_parts(pair)),
    )


def _parts(pair: Pair) -> Iterable[LedgerPart]:
    for name in (*ORDER, UNEXPLAINED):
        part = _part(name, pair, partial(part_of, name))
        if part.baseline or part.candidate:
            yield part


def part_of(name: str, one: Round) -> float:
    """Return the seconds per request of one part of a round."""
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
