"""Find out whether a function is called more often, or each call takes longer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assay.analysis.attribution.frames import split_place
from assay.analysis.attribution.frontier import Frontier
from assay.analysis.attribution.rounds import Difference, Pair
from assay.observations import Place, Round
from assay.results import CallCount

KIND = "call"
EXPLAINS = 0.6  # calls explain a difference if they account for this share of it
SAME = 0.05  # counts that differ by a smaller share are the same
MOST = 20  # at most this many functions are listed for a pair


# Maps a function and its file to its place and its calls per request.
type Counted = dict[tuple[str, str], tuple[Place, float]]


@dataclass(frozen=True)
class Calls:
    """How often a function is called, and whether that explains its difference.

    Attributes:
        count: Calls per request.
        explain: Whether the number of calls accounts for most of the difference.
    """

    count: Difference
    explain: bool


def calls_of(place: Frontier, follow_up: Pair) -> Calls | None:
    """Return how often the function with a difference of CPU time is called.

    The difference of CPU time is change of calls x mean cost per call, plus mean
    number of calls x change of cost per call.

    Args:
        place: The function, with its CPU time per request.
        follow_up: Rounds in which calls were counted.

    Returns:
        The calls; None if the place is not a single function of the user, or if no
        call of it was counted.
    """
    if not place.own or place.others or len(follow_up.baseline) < 2:
        return None
    function, file = split_place(place.own)
    function = _outer(function)
    count = follow_up.compare(lambda one: _calls(one, function, file, _outer))
    if not count.baseline and not count.candidate:
        # py-spy may not report the function's class.
        last = _last(function)
        count = follow_up.compare(lambda one: _calls(one, last, file, _last))
    if not count.baseline and not count.candidate:
        return None
    seconds = place.seconds
    if not count.baseline or not count.candidate:
        return Calls(count, explain=True)
    each = seconds.baseline / count.baseline, seconds.candidate / count.candidate
    by_calls = count.amount * sum(each) / 2
    return Calls(count, by_calls / seconds.amount >= EXPLAINS)


def call_counts(topic: str, names: tuple[str, str], follow_up: Pair) -> list[CallCount]:
    """Return the functions of the project that one side calls more often.

    The largest difference comes first. At most `MOST` functions are returned.
    """
    tables = [
        [_by_function(one) for one in side]
        for side in (follow_up.baseline, follow_up.candidate)
    ]
    if not tables[0]:
        return []
    places = {
        key: place for side in tables for one in side for key, (place, _) in one.items()
    }
    counts = {key: (_mean(tables[0], key), _mean(tables[1], key)) for key in places}
    differing = [key for key, (a, b) in counts.items() if abs(b - a) > SAME * max(a, b)]
    differing.sort(key=lambda key: -abs(counts[key][1] - counts[key][0]))
    return [
        CallCount(
            topic=topic,
            baseline=names[0],
            candidate=names[1],
            where=str(places[key]),
            counts=counts[key],
        )
        for key in differing[:MOST]
    ]


def _by_function(one: Round) -> Counted:
    """Return the place and the calls per request of each function."""
    counts: Counted = {}
    for item in one.observations:
        place = item.event.place
        if item.event.kind == KIND and place is not None:
            key = place.function, place.file
            before = counts[key][1] if key in counts else 0.0
            counts[key] = place, before + item.amount.count
    return counts


def _mean(side: Sequence[Counted], key: tuple[str, str]) -> float:
    return sum(one[key][1] for one in side if key in one) / len(side)


def _outer(function: str) -> str:
    """Return a function's name as the probe writes it, without ``<locals>``."""
    return function.replace("<locals>.", "")


def _last(function: str) -> str:
    return function.rpartition(".")[2]


def _calls(
    one: Round, function: str, file: str, name_of: Callable[[str], str]
) -> float:
    """Return the calls per request of the functions of a file with one name.

    Args:
        one: The round.
        function: The name.
        file: The file.
        name_of: Returns the name of a function that the probe has seen.
    """
    return sum(
        item.amount.count
        for item in one.observations
        if item.event.kind == KIND
        and item.event.place is not None
        and item.event.place.file == file
        and name_of(item.event.place.function) == function
    )
