"""Which lines keep what they allocate."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Sequence
from typing import Any, Optional

from .places import Place
from .totals import Answers, Totals

KIND = "kept"
FRAMES = 12


def observe(totals: Totals, answers: Answers) -> None:
    """Trace allocations from now on; what is alive is counted when asked for."""
    tracemalloc.start(FRAMES)
    project = totals.project

    def rows() -> Iterable[Sequence[Any]]:
        alive: dict[Optional[Place], list[int]] = {}
        for trace in tracemalloc.take_snapshot().traces:
            place: Optional[Place] = None
            for frame in reversed(trace.traceback):  # the innermost comes last
                file = project.relative(frame.filename)
                if file:
                    place = Place("", file, frame.lineno)
                    break
            entry = alive.setdefault(place, [0, 0])
            entry[0] += 1
            entry[1] += trace.size
        for place, (count, size) in alive.items():
            yield [KIND, "", place, None, count, size, 0]

    answers.extras.append(rows)
