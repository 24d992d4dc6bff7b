"""What both sides of a pair send to databases, caches and other services."""

from __future__ import annotations

from collections.abc import Iterator

from assay.analysis.attribution.rounds import Pair
from assay.observations import Observation, Place
from assay.results import Outgoing

KINDS = ("query", "cache command", "other service")
MOST = 20  # of a pair

type Key = tuple[str, str, str, str]  # kind, text, function and file


def outgoing(topic: str, names: tuple[str, str], pair: Pair) -> list[Outgoing]:
    """Return what is sent, from where and how often; what takes longest comes first."""
    sums: dict[Key, list[list[float]]] = {}
    places: dict[Key, Place | None] = {}
    for side, rounds in enumerate((pair.baseline, pair.candidate)):
        for one in rounds:
            for key, observation in _sent(one.observations):
                numbers = sums.setdefault(key, [[0.0, 0.0], [0.0, 0.0]])
                numbers[0][side] += observation.amount.count / len(rounds)
                numbers[1][side] += observation.amount.seconds / len(rounds)
                places[key] = observation.event.place
    ordered = sorted(sums, key=lambda key: -max(sums[key][1]))[:MOST]
    return [
        Outgoing(
            topic=topic,
            baseline=names[0],
            candidate=names[1],
            kind=key[0],
            text=key[1],
            where=str(places[key] or ""),
            counts=(sums[key][0][0], sums[key][0][1]),
            seconds=(sums[key][1][0], sums[key][1][1]),
        )
        for key in ordered
    ]


def _sent(
    observations: tuple[Observation, ...],
) -> Iterator[tuple[Key, Observation]]:
    for observation in observations:
        event = observation.event
        if event.kind in KINDS:
            place = event.place
            function, file = (place.function, place.file) if place else ("", "")
            yield (event.kind, event.resource, function, file), observation
