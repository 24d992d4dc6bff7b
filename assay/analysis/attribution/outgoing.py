"""List what both sides of a pair send to databases, caches and other services."""

from __future__ import annotations

from collections.abc import Iterator

from assay.analysis.attribution.ledger import AT_ONCE
from assay.analysis.attribution.rounds import Pair
from assay.observations import Observation, Place
from assay.results import Outgoing

KINDS = ("query", "cache command", "other service")
MAX_ROWS = 20  # at most this many rows are listed for a pair

type Key = tuple[str, str, str, str]  # kind, text, function and file


def outgoing(topic: str, names: tuple[str, str], pair: Pair) -> list[Outgoing]:
    """Return the queries, commands and calls that the sides send, and their cost.

    Each row has the place that sends the query, command or call. It also has the count
    and the seconds per request on both sides, as means over the rounds. The row that
    takes longest comes first.
    """
    means: dict[Key, list[list[float]]] = {}  # counts and seconds of both sides
    places: dict[Key, Place | None] = {}
    for side, rounds in enumerate((pair.baseline, pair.candidate)):
        for round_ in rounds:
            for key, observation in _sent(round_.observations):
                counts, seconds = means.setdefault(key, [[0.0, 0.0], [0.0, 0.0]])
                if not observation.event.kind.startswith(AT_ONCE):
                    counts[side] += observation.amount.count / len(rounds)
                seconds[side] += observation.amount.seconds / len(rounds)
                places[key] = observation.event.place
    ordered = sorted(means, key=lambda key: -max(means[key][1]))[:MAX_ROWS]
    return [
        Outgoing(
            topic=topic,
            baseline=names[0],
            candidate=names[1],
            kind=key[0],
            text=key[1],
            where=str(places[key] or ""),
            counts=(means[key][0][0], means[key][0][1]),
            seconds=(means[key][1][0], means[key][1][1]),
        )
        for key in ordered
    ]


def _sent(
    observations: tuple[Observation, ...],
) -> Iterator[tuple[Key, Observation]]:
    for observation in observations:
        event = observation.event
        kind = event.kind.removeprefix(AT_ONCE)
        if kind in KINDS:
            place = event.place
            function, file = (place.function, place.file) if place else ("", "")
            yield (kind, event.resource, function, file), observation
