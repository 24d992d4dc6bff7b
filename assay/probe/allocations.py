"""Count which lines of the user's code keep the memory that they allocate."""

from __future__ import annotations

import tracemalloc
from _tracemalloc import _get_traces  # a snapshot of objects takes ten times as long
from collections.abc import Iterable, Sequence
from typing import Any, Optional

from .places import Place
from .totals import Answers, Totals

KIND = "kept"
FRAMES = 12  # most frames that are kept for an allocation


def observe(totals: Totals, answers: Answers) -> None:
    """Trace allocations from Assay's first question on.

    Each later answer has the number and the bytes of allocations that are still alive,
    by the user's line. These rows have bytes where other rows have seconds. What is
    allocated before, mostly by imports, is not traced: a process has hundreds of
    thousands of such blocks, and listing them would stop the target for seconds.
    """
    project = totals.project

    def rows() -> Iterable[Sequence[Any]]:
        if not tracemalloc.is_tracing():
            tracemalloc.start(FRAMES)
            return
        places: dict[Any, Optional[Place]] = {}  # by traceback; many traces share one
        alive: dict[Optional[Place], list[int]] = {}
        for _, size, frames, *_ in _get_traces():
            if frames in places:
                place = places[frames]
            else:
                place = places[frames] = nearest(frames)
            entry = alive.setdefault(place, [0, 0])
            entry[0] += 1
            entry[1] += size
        for place, (count, size) in alive.items():
            yield [KIND, "", place, None, count, size, 0]

    def nearest(frames: Any) -> Optional[Place]:
        for filename, line in frames:  # the innermost frame comes first
            file = project.relative(filename)
            if file:
                return Place("", file, line)
        return None

    answers.extras.append(rows)
