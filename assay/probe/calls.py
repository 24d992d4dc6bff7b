"""Count how often each function of the project is called."""

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

    Lambdas, comprehensions and the bodies of modules are not counted. From Python 3.12
    on, only calls of the user's functions get slower. In older versions all calls do.
    """
    monitoring = getattr(sys, "monitoring", None)
    if monitoring is not None:
        _by_monitoring(monitoring, totals)
    else:
        _by_profile(totals)


def _by_monitoring(monitoring: Any, totals: Totals) -> None:
    project = totals.project
    free = [tool for tool in range(6) if monitoring.get_tool(tool) is None]
    # Debuggers, coverage tools, profilers and optimisers should use the other ids.
    preferred = [tool for tool in (3, 4) if tool in free] or free
    if not preferred:
        totals.problem("calls cannot be counted: every sys.monitoring tool is taken")
        return
    tool = preferred[0]
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
        # A coroutine that resumes is also a "call", but not at its first instruction.
        if event != "call" or frame.f_lasti > 0:
            return
        place = project.of_code(frame.f_code)
        if place is not None and not frame.f_code.co_name.startswith("<"):
            totals.add(KIND, "", place)

    threading.setprofile(profile)
    sys.setprofile(profile)
