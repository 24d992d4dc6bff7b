"""Sample the main thread's stack during start-up, until Assay asks for the totals."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Optional

from .places import DEEPEST, Project
from .totals import (
    Answers,
    Totals,
    _sleep,
    _start_thread,
    get_ident,
    perf_counter,
)

KIND = "start-up"
EVERY = 0.002  # seconds between two samples


def observe(totals: Totals, answers: Answers) -> None:
    """Sample the calling thread, which is the main thread, until Assay asks."""
    _start_thread(_sample, (totals, answers, get_ident()))


def _sample(totals: Totals, answers: Answers, main: int) -> None:
    totals.probes_here()
    project, last = totals.project, perf_counter()
    while not answers.asked:
        _sleep(EVERY)
        frame = sys._current_frames().get(main)
        now = perf_counter()
        package = imported(project, frame)
        totals.add(KIND, package, project.nearest(frame), (), now - last)
        last = now


def imported(project: Project, frame: Optional[FrameType]) -> str:
    """Return the package that is being imported; empty if there is none.

    This is the package of the outermost module between the innermost frame and the
    nearest frame of the user's own code. If no frame is the user's, it is the package
    of the outermost module on the stack.
    """
    package = ""
    for _ in range(DEEPEST):
        if frame is None or project.relative(frame.f_code.co_filename):
            break
        if frame.f_code.co_name == "<module>":
            package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        frame = frame.f_back
    return package
