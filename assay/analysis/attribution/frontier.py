"""Find the place of a difference of CPU time: the deepest function with most of it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from assay.analysis.attribution.rounds import Difference, Pair, difference
from assay.analysis.statistics import benjamini_hochberg
from assay.observations import Round

# A function carries a difference if it accounts for at least this share of the
# difference. If no function accounts for the whole, this is a share of the largest
# function's part.
CARRIES = 0.8
LEAST = 0.3  # if all functions have less than this share, the difference has no place
# Files of event loops and servers. Every request runs through them.
INFRASTRUCTURE = re.compile(
    r"\((asyncio|uvicorn|uvloop|gunicorn|hypercorn|granian|waitress|werkzeug/serving"
    r"|anyio|concurrent|click|multiprocessing|socketserver|threading|selectors|runpy"
    r"|wsgiref|http/server|gevent|<frozen runpy)[/.>]"
)
# Names of comprehensions and lambdas. Their time counts for the enclosing function.
_INNER = re.compile(r"(\.<locals>)?\.<(genexpr|listcomp|dictcomp|setcomp|lambda)>")
_OWN = re.compile(r"^(?P<function>.+) \((?P<file>.+):(?P<line>\d+)\)$", re.DOTALL)
_PLACE = re.compile(r"^(?P<function>.+) \((?P<file>.+?)(:\d+)?\)$", re.DOTALL)


@dataclass(frozen=True)
class Frontier:
    """The place of a difference of CPU time.

    Attributes:
        own: The user's function that carries the difference, with its line; empty if
            no such function does.
        inside: The library function in which the time is spent; empty if no single
            function carries most of it.
        seconds: CPU seconds per request at this place.
    """

    own: str
    inside: str
    seconds: Difference


def frontier(pair: Pair, total: Difference) -> Frontier | None:
    """Return the place of a difference of CPU time; None if it has no single place.

    Args:
        pair: The rounds, with their stacks.
        total: The difference of all CPU time.
    """
    own_functions = _carriers(pair, total.amount, _is_own)
    if own_functions:
        key = _deepest(pair, own_functions)
        carried = own_functions[key]
        within = _carriers(pair, carried.amount, _is_library, below=key)
        inside = _deepest(pair, within) if within else ""
        return Frontier(_with_line(pair, key, carried.amount > 0), inside, carried)
    library_functions = _carriers(pair, total.amount, _is_library)
    if library_functions:
        key = _deepest(pair, library_functions)
        return Frontier("", key, library_functions[key])
    # py-spy may miss the beginning of deep stacks, so that each function lacks samples.
    # All functions of a library's file together lack fewer.
    files = _carriers(pair, total.amount, _is_library, key_of=_file_key)
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
    differences = {
        key: found
        for key, found in _differences(pair, _is_own).items()
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


def split_place(own: str) -> tuple[str, str]:
    """Return the function and the file of a place, which may also have a line."""
    match = _PLACE.match(own)
    if match is None:
        return own, ""
    return match["function"], match["file"].removeprefix("./")


def _carriers(
    pair: Pair,
    amount: float,
    check: Callable[[str], bool],
    below: str = "",
    key_of: Callable[[str], str] | None = None,
) -> Mapping[str, Difference]:
    """Return the functions that carry most of an amount.

    Args:
        pair: The rounds.
        amount: The difference of CPU time.
        check: Says whether a function may be a carrier.
        below: If given, only functions called below this one count.
        key_of: Returns the key that a frame's time is added to; by default, that of its
            function.
    """
    differences = _differences(pair, check, below, key_of)
    shares = {
        key: found.amount / amount for key, found in differences.items() if amount
    }
    largest = max(shares.values(), default=0.0)
    if largest < LEAST:
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
        [_inclusive(one, check, below, key_of or _key) for one in side]
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
            of_stack = [key for key in map(_key, stack) if key in not_deepest]
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
            frames: Sequence[str] = [frame for frame in stack if _key(frame) == key]
            if frames:
                lines[frames[-1]] += seconds
    largest = max(lines, key=lambda frame: lines[frame], default="")
    match = _OWN.match(largest)
    return f"{split_place(key)[0]} ({match['file']}:{match['line']})" if match else key


def _key(frame: str) -> str:
    """Return a frame without its line.

    Only frames of the user's code have a line. They get `./` before their file.
    """
    match = _OWN.match(frame)
    if match is None:
        return frame
    return f"{_INNER.sub('', match['function'])} (./{match['file']})"


def _file_key(frame: str) -> str:
    """Return one key for all functions of a library's file; else the frame's key."""
    key = _key(frame)
    match = _PLACE.match(frame)
    return f"several functions ({match['file']})" if match and _is_library(key) else key


def _is_own(key: str) -> bool:
    return " (./" in key and not key.startswith("<module>")


def _is_library(key: str) -> bool:
    # `outside the GIL` is not a function. Its time belongs to its caller.
    named = " (" in key and key.endswith(")") and not key.startswith("outside the GIL")
    return named and not _is_own(key) and not INFRASTRUCTURE.search(key)
