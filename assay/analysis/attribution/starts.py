"""Find why one side starts later, from samples of its main thread."""

from __future__ import annotations

from collections import defaultdict

from assay.analysis.attribution.rounds import Difference, Pair
from assay.analysis.statistics import benjamini_hochberg
from assay.observations import Event, Place, Round
from assay.results import Cause
from assay.wording import quantity

KIND = "start-up"
FALSE_DISCOVERY_RATE = 0.05
MIN_SHARE = 0.02  # of the longer start; a smaller difference is not a cause
MOST_PLACES = 3

type Key = tuple[str, str]  # function and file


def start_up(topic: str, names: tuple[str, str], pair: Pair) -> list[Cause]:
    """Return the cause of a difference of start-up; an empty list if there is none.

    Args:
        topic: The topic's name.
        names: Baseline and candidate.
        pair: The rounds in which both sides were started.
    """
    if len(pair.baseline) < 2:
        return []
    total = pair.latency
    places = {
        key: event
        for one in (*pair.baseline, *pair.candidate)
        for key, (event, _) in _by_function(one).items()
    }
    compared = [(event, _compare(pair, key)) for key, event in places.items()]
    real = benjamini_hochberg(
        [total.p, *(one.p for _, one in compared)], FALSE_DISCOVERY_RATE
    )
    if not real[0] or abs(total.amount) < MIN_SHARE * max(
        total.baseline, total.candidate
    ):
        return []
    same_way = [
        (event, one)
        for (event, one), is_real in zip(compared, real[1:], strict=True)
        if is_real and (one.amount > 0) == (total.amount > 0)
    ]
    same_way.sort(key=lambda item: -abs(item[1].amount))
    return [
        Cause(
            topic=topic,
            baseline=names[0],
            candidate=names[1],
            metric="startup",
            kind=KIND,
            where=str(same_way[0][0].place) if same_way else "",
            amount=total.amount,
            low=total.low,
            high=total.high,
            share=1.0,
            sentence=_sentence(total, same_way[:MOST_PLACES]),
        )
    ]


def _by_function(one: Round) -> dict[Key, tuple[Event, float]]:
    """Return each function's seconds in one start, with its main line and package."""
    lines: dict[Key, dict[Place, float]] = {}
    packages: dict[Key, dict[str, float]] = {}
    for item in one.observations:
        place, seconds = item.event.place, item.amount.seconds
        if item.event.kind == KIND and place is not None:
            key = place.function, place.file
            of_lines = lines.setdefault(key, defaultdict(float))
            of_packages = packages.setdefault(key, defaultdict(float))
            of_lines[place] += seconds
            of_packages[item.event.resource] += seconds
    return {
        key: (
            Event(
                kind=KIND,
                place=max(of_lines, key=of_lines.__getitem__),
                resource=max(packages[key], key=packages[key].__getitem__),
            ),
            sum(of_lines.values()),
        )
        for key, of_lines in lines.items()
    }


def _compare(pair: Pair, key: Key) -> Difference:
    return pair.compare(lambda one: _by_function(one).get(key, (None, 0.0))[1])


def _sentence(total: Difference, places: list[tuple[Event, Difference]]) -> str:
    word = "later" if total.amount > 0 else "earlier"
    sentence = f"The target is ready {quantity(abs(total.amount), 's')} {word}"
    if not places:
        return f"{sentence}; no line of the project explains the difference."
    parts = []
    for event, one in places:
        what = f", importing {event.resource}" if event.resource else ""
        parts.append(f"{quantity(abs(one.amount), 's')} more at {event.place}{what}")
    side = "candidate" if total.amount > 0 else "baseline"
    return f"{sentence}: the {side} spends {'; '.join(parts)}."
