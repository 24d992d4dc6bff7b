"""Where a difference of CPU time is: the deepest function that carries most of it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from assay.analysis.attribution.rounds import Difference, Pair, difference
from assay.observations import Round

CARRIES = 0.8  # of the difference: what a function must carry to be its place
LEAST = 0.4  # of it: a function that carries less is no place
# Files of event loops and servers: every request goes through them.
INFRASTRUCTURE = re.compile(
    r"\((asyncio|uvicorn|uvloop|gunicorn|hypercorn|granian|waitress|werkzeug/serving"
    r"|anyio|concurrent|click|multiprocessing|socketserver|threading|selectors|runpy"
    r"|wsgiref|http/server|gevent|<frozen)[/.>]"
)
_OWN = re.compile(r"^(?P<function>.+) \((?P<file>.+):(?P<line>\d+)\)$", re.DOTALL)


@dataclass(frozen=True)
class Frontier:
    """The place of a difference of CPU time.

    Attributes:
        own: The user's function that carries it, with its line; empty if none does.
        inside: The function of a library in which it is spent; empty if that is the
            user's own, or several.
        seconds: What the place carries, per request.
    """

    own: str
    inside: str
    seconds: Difference


def frontier(pair: Pair, total: Difference) -> Frontier | None:
    """Return the place of a difference of CPU time; None if it has none.

    Args:
        pair: The rounds, with their stacks.
        total: The difference of all CPU time.
    """
    own = _carriers(pair, total.amount, _is_own)
    if own:
        key = _deepest(pair, own)
        carried = own[key]
        within = _carriers(pair, carried.amount, _is_library, below=key)
        inside = _deepest(pair, within) if within else ""
        return Frontier(_with_line(pair, key, carried.amount > 0), inside, carried)
    library = _carriers(pair, total.amount, _is_library)
    if not library:
        return None
    key = _deepest(pair, library)
    return Frontier("", key, library[key])


def _carriers(
    pair: Pair, amount: float, check: Callable[[str], bool], below: str = ""
) -> Mapping[str, Difference]:
    """Return the functions that carry most of an amount, those below one if named."""
    sides = [
        [_inclusive(one, check, below) for one in side]
        for side in (pair.baseline, pair.candidate)
    ]
    keys = dict.fromkeys(key for side in sides for values in side for key in values)
    differences = {
        key: difference(*([values.get(key, 0.0) for values in side] for side in sides))
        for key in keys
    }
    shares = {
        key: found.amount / amount for key, found in differences.items() if amount
    }
    largest = max(shares.values(), default=0.0)
    if largest < LEAST:
        return {}
    limit = min(CARRIES, CARRIES * largest)
    return {key: differences[key] for key, share in shares.items() if share >= limit}


def _inclusive(
    one: Round, check: Callable[[str], bool], below: str
) -> Mapping[str, float]:
    """Return the CPU seconds under each function, whoever called it."""
    values: dict[str, float] = defaultdict(float)
    for stack, seconds in one.stacks:
        keys = [_key(frame) for frame in stack]
        if below:
            if below not in keys:
                continue
            keys = keys[len(keys) - keys[::-1].index(below) :]
        for key in dict.fromkeys(keys):
            if check(key):
                values[key] += seconds
    return values


def _deepest(pair: Pair, keys: Iterable[str]) -> str:
    """Return the function that lies furthest from the root, on average."""
    depths: dict[str, list[float]] = {key: [0.0, 0.0] for key in keys}
    for one in (*pair.baseline, *pair.candidate):
        for stack, seconds in one.stacks:
            for depth, frame in enumerate(stack):
                key = _key(frame)
                if key in depths:
                    depths[key][0] += depth * seconds
                    depths[key][1] += seconds
    return max(depths, key=lambda key: depths[key][0] / (depths[key][1] or 1.0))


def _with_line(pair: Pair, key: str, more: bool) -> str:
    """Return the user's function with the line at which it spends the most."""
    lines: dict[str, float] = defaultdict(float)
    for one in pair.candidate if more else pair.baseline:
        for stack, seconds in one.stacks:
            frames: Sequence[str] = [frame for frame in stack if _key(frame) == key]
            if frames:
                lines[frames[-1]] += seconds
    return max(lines, key=lambda frame: lines[frame], default=key)


def _key(frame: str) -> str:
    """Return a frame without its line, marked as the user's own if it has one."""
    match = _OWN.match(frame)
    return f"{match['function']} (./{match['file']})" if match else frame


def _is_own(key: str) -> bool:
    return " (./" in key and not key.startswith("<module>")


def _is_library(key: str) -> bool:
    # What is outside the GIL has no place: it is spent by whoever called it.
    named = " (" in key and key.endswith(")") and not key.startswith("outside the GIL")
    return named and not _is_own(key) and not INFRASTRUCTURE.search(key)
