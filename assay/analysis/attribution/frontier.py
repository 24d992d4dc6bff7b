"""Find the place of a difference of CPU time: the deepest function with most of it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from assay.analysis.attribution.frames import (
    OWN,
    file_key,
    function_key,
    is_library,
    is_own,
    split_place,
)
from assay.analysis.attribution.rounds import Difference, Pair, difference
from assay.analysis.statistics import benjamini_hochberg
from assay.observations import Round

# A function carries a difference if it accounts for at least this share of the
# difference. If no function accounts for the whole, this is a share of the largest
# function's part.
CARRIES = 0.8
LEAST = 0.3  # if all functions have less than this share, the difference has no place
# The same for libraries: through some of their functions, every request runs.
LEAST_OF_LIBRARY = 0.5
# Work can move from one caller to another. If all that is called below a function
# differs by less than this share of the function's difference, the work only moved.
NOT_MOVED = 0.5
# A function only calls what carries a difference if its own share of it is smaller.
ITSELF = 0.5
# If no single function carries a difference, at most `NAMED` with this share are named.
SHARE, NAMED = 0.15, 3
TOGETHER = 0.6  # and together they have this share
CERTAIN = 0.05  # the expected share of false ones among them


@dataclass(frozen=True)
class Frontier:
    """The place of a difference of CPU time.

    Attributes:
        own: The user's function that carries the difference, with its line; empty if
            no such function does.
        inside: The library function in which the time is spent; empty if no single
            function carries most of it.
        seconds: CPU seconds per request at this place.
        others: Further functions of the user, if no single one carries the difference.
    """

    own: str
    inside: str
    seconds: Difference
    others: tuple[tuple[str, Difference], ...] = ()


def frontier(pair: Pair, total: Difference) -> Frontier | None:
    """Return the place of a difference of CPU time; None if it has no single place.

    Args:
        pair: The rounds, all with their stacks: see `Pair.sampled`.
        total: The difference of all CPU time in these rounds.
    """
    net = _net_differences(pair)
    own_functions = {
        key: carried
        for key, carried in _carriers(pair, total.amount, is_own).items()
        if _net(pair, key, net) / carried.amount >= NOT_MOVED
    }
    spread = _spread(pair, net, total.amount)
    if own_functions:
        key = _deepest(pair, own_functions)
        carried = own_functions[key]
        itself = net[key].amount if key in net else 0.0
        if spread and itself / carried.amount < ITSELF:
            return spread
        within = _carriers(pair, carried.amount, is_library, below=key)
        inside = _deepest(pair, within) if within else ""
        return Frontier(_with_line(pair, key, carried.amount > 0), inside, carried)
    if spread:
        return spread
    library_functions = _carriers(
        pair, total.amount, is_library, least=LEAST_OF_LIBRARY
    )
    if library_functions:
        key = _deepest(pair, library_functions)
        return Frontier("", key, library_functions[key])
    # py-spy may miss the beginning of deep stacks, so that each function lacks samples.
    # All functions of a library's file together lack fewer.
    files = _carriers(
        pair, total.amount, is_library, key_of=file_key, least=LEAST_OF_LIBRARY
    )
    if not files:
        return None
    key = max(files, key=lambda file: abs(files[file].amount))
    return Frontier("", key, files[key])


def place_among(
    pair: Pair, chosen: Callable[[str, str], bool], rate: float, least: float
) -> Frontier | None:
    """Return the place of a difference of CPU time in some of the user's functions.

    Only these functions are tested. So a small difference of one of them can stand out
    from the noise, even if the difference of all CPU time does not.

    Args:
        pair: The rounds, with their stacks.
        chosen: Takes a function and its file, and says whether to include it.
        rate: Expected share of false discoveries.
        least: CPU seconds per request below which a difference does not matter.
    """
    pair = pair.sampled
    differences = {
        key: found
        for key, found in _differences(pair, is_own).items()
        if chosen(*split_place(key)) and abs(found.amount) >= least
    }
    real = benjamini_hochberg([one.p for one in differences.values()], rate)
    kept = [key for key, is_real in zip(differences, real, strict=True) if is_real]
    if not kept:
        return None
    largest = max((differences[key].amount for key in kept), key=abs)
    carriers = [key for key in kept if differences[key].amount / largest >= CARRIES]
    key = _deepest(pair, carriers)
    amount = differences[key]
    return Frontier(_with_line(pair, key, amount.amount > 0), "", amount)


def share_below(pair: Pair, place: Frontier, files: re.Pattern[str]) -> float:
    """Return the share of a place's CPU time that is spent in some files below it.

    Args:
        pair: The rounds.
        place: The place, in the user's code.
        files: Matches the frames of these files.
    """
    function, file = split_place(place.own)
    seconds = inside = 0.0
    for one in pair.candidate if place.seconds.amount > 0 else pair.baseline:
        for stack, value in one.stacks:
            keys = [split_place(function_key(frame)) for frame in stack]
            if (function, file) in keys:
                seconds += value
                below = stack[keys.index((function, file)) + 1 :]
                inside += value * any(files.search(frame) for frame in below)
    return inside / seconds if seconds else 0.0


def _carriers(
    pair: Pair,
    amount: float,
    check: Callable[[str], bool],
    below: str = "",
    key_of: Callable[[str], str] | None = None,
    least: float = LEAST,
) -> Mapping[str, Difference]:
    """Return the functions that carry most of an amount.

    Args:
        pair: The rounds.
        amount: The difference of CPU time.
        check: Says whether a function may be a carrier.
        below: If given, only functions called below this one count.
        key_of: Returns the key that a frame's time is added to; by default, that of its
            function.
        least: Smallest share of the amount that the largest carrier has.
    """
    differences = _differences(pair, check, below, key_of)
    shares = {
        key: found.amount / amount for key, found in differences.items() if amount
    }
    largest = max(shares.values(), default=0.0)
    if largest < least:
        return {}
    limit = min(CARRIES, CARRIES * largest)
    return {key: differences[key] for key, share in shares.items() if share >= limit}


def _differences(
    pair: Pair,
    check: Callable[[str], bool],
    below: str = "",
    key_of: Callable[[str], str] | None = None,
) -> Mapping[str, Difference]:
    """Return the difference of CPU seconds in and below each function."""
    sides = [
        [_inclusive(one, check, below, key_of or function_key) for one in side]
        for side in (pair.baseline, pair.candidate)
    ]
    keys = dict.fromkeys(key for side in sides for values in side for key in values)
    return {
        key: difference(*([values.get(key, 0.0) for values in side] for side in sides))
        for key in keys
    }


def _inclusive(
    one: Round,
    check: Callable[[str], bool],
    below: str,
    key_of: Callable[[str], str],
) -> Mapping[str, float]:
    """Return the CPU seconds in and below each function, whoever called it."""
    values: dict[str, float] = defaultdict(float)
    for stack, seconds in one.stacks:
        keys = [key_of(frame) for frame in stack]
        if below:
            if below not in keys:
                continue
            keys = keys[len(keys) - keys[::-1].index(below) :]
        for key in dict.fromkeys(keys):
            if check(key):
                values[key] += seconds
    return values


def _spread(
    pair: Pair, net: Mapping[str, Difference], amount: float
) -> Frontier | None:
    """Return several of the user's functions that together have most of an amount.

    The time of a function is that of the libraries it calls, too, but not that of the
    user's other functions. Only differences that exceed the noise between rounds count.
    If they have more than the amount, other functions have less: work only moved.
    """
    differences = {
        key: found for key, found in net.items() if found.amount / amount >= SHARE
    }
    real = benjamini_hochberg([one.p for one in differences.values()], CERTAIN)
    kept = [item for item, is_real in zip(differences.items(), real) if is_real]
    kept.sort(key=lambda item: -abs(item[1].amount))
    named = kept[:NAMED]
    together = sum(found.amount for _, found in named) / amount
    if len(named) < 2 or not TOGETHER <= together <= 1 / CARRIES:
        return None
    places = tuple((_with_line(pair, key, amount > 0), found) for key, found in named)
    return Frontier(places[0][0], "", places[0][1], places[1:])


def _net(pair: Pair, key: str, net: Mapping[str, Difference]) -> float:
    """Return the difference of all that is called below a function, by any caller."""
    called = {
        frames[-1]
        for one in (*pair.baseline, *pair.candidate)
        for stack, _ in one.stacks
        for frames in [[frame for frame in map(function_key, stack) if is_own(frame)]]
        if key in frames
    }
    return sum(net[function].amount for function in called)


def _net_differences(pair: Pair) -> Mapping[str, Difference]:
    """Return the difference of CPU seconds in each of the user's functions.

    The time of a stack counts for the deepest of them only.
    """

    def of_round(one: Round) -> Mapping[str, float]:
        values: dict[str, float] = defaultdict(float)
        for stack, seconds in one.stacks:
            own = [frame for frame in map(function_key, stack) if is_own(frame)]
            if own:
                values[own[-1]] += seconds
        return values

    sides = [
        [of_round(one) for one in side] for side in (pair.baseline, pair.candidate)
    ]
    keys = dict.fromkeys(key for side in sides for values in side for key in values)
    return {
        key: difference(*([values.get(key, 0.0) for values in side] for side in sides))
        for key in keys
    }


def _deepest(pair: Pair, keys: Iterable[str]) -> str:
    """Return the deepest of some functions.

    The deepest function spends the smallest share of its time with another of these
    functions below it. The distance from the root of a stack is not reliable: py-spy
    does not stop the target, so some stacks lack their beginning.
    """
    not_deepest = dict.fromkeys(keys, 0.0)  # seconds with another of them below
    whole = dict.fromkeys(not_deepest, 0.0)
    for one in (*pair.baseline, *pair.candidate):
        for stack, seconds in one.stacks:
            of_stack = [key for key in map(function_key, stack) if key in not_deepest]
            for key in dict.fromkeys(of_stack):
                whole[key] += seconds
                if key != of_stack[-1]:
                    not_deepest[key] += seconds
    return min(not_deepest, key=lambda key: not_deepest[key] / (whole[key] or 1.0))


def _with_line(pair: Pair, key: str, more: bool) -> str:
    """Return the user's function with the line at which it spends the most time."""
    lines: dict[str, float] = defaultdict(float)
    for one in pair.candidate if more else pair.baseline:
        for stack, seconds in one.stacks:
            frames: Sequence[str] = [
                frame for frame in stack if function_key(frame) == key
            ]
            if frames:
                lines[frames[-1]] += seconds
    largest = max(lines, key=lambda frame: lines[frame], default="")
    match = OWN.match(largest)
    return f"{split_place(key)[0]} ({match['file']}:{match['line']})" if match else key
