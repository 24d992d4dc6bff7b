"""How often each function of the project is called."""

from __future__ import annotations

import sys
import threading
from types import CodeType, FrameType
from typing import Any

from .totals import Totals

KIND = "call"
NAME = "assay"


def observe(totals: Totals) -> None:
    """Count the calls of the user's own functions from now on.

    From Python 3.12 on they alone cost anything; before, every call does.
    """
    monitoring = getattr(sys, "monitoring", None)
    if monitoring is not None:
        _by_monitoring(monitoring, totals)
    else:
        _by_profile(totals)


def _by_monitoring(monitoring: Any, totals: Totals) -> None:
    project = totals.project
    free = [tool for tool in range(6) if monitoring.get_tool(tool) is None]
    # Debuggers, coverage, profilers and optimisers have numbers of their own.
    wanted = [tool for tool in (3, 4) if tool in free] or free
    if not wanted:
        totals.problem("calls cannot be counted: every sys.monitoring tool is taken")
        return
    tool = wanted[0]
    monitoring.use_tool_id(tool, NAME)

    def started(code: CodeType, offset: int) -> Any:
        place = project.of_code(code)
        if place is None or code.co_name.startswith("<"):
            return monitoring.DISABLE
        totals.add(KIND, "", place)
        return None

    monitoring.register_callback(tool, monitoring.events.PY_START, started)
    monitoring.set_events(tool, monitoring.events.PY_START)


def _by_profile(totals: Totals) -> None:
    project = totals.project

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        # A coroutine that goes on is called again, but not from its beginning.
        if event != "call" or frame.f_lasti > 0:
            return
        place = project.of_code(frame.f_code)
        if place is not None and not frame.f_code.co_name.startswith("<"):
            totals.add(KIND, "", place)

    threading.setprofile(profile)
    sys.setprofile(profile)
