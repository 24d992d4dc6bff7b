"""Time the pauses of the garbage collector."""

from __future__ import annotations

import gc
from typing import Any, Optional

from .places import Place
from .totals import Totals, perf_counter

KIND = "garbage collection"


def observe(totals: Totals) -> None:
    """Time every collection from now on.

    Only full collections (generation 2) get a place: the user's line that runs then.
    """
    began = 0.0
    place: Optional[Place] = None

    def callback(phase: str, info: dict[str, Any]) -> None:
        nonlocal began, place
        if phase == "start":
            place = totals.project.here() if info["generation"] == 2 else None
            began = perf_counter()
        elif began:
            took, began = perf_counter() - began, 0.0
            totals.add(KIND, f"generation {info['generation']}", place, (), took)

    gc.callbacks.append(callback)
