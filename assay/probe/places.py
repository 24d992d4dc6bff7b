"""Places in the user's own code: the nearest one to whatever is observed."""

from __future__ import annotations

import os
import sys
from types import CodeType, FrameType
from typing import Any, NamedTuple, Optional

LIBRARIES = ("site-packages", "dist-packages")
MOST_PLACES = 10_000  # that are remembered
DEEPEST = 400  # frames that are walked
_PROBE = os.path.dirname(os.path.abspath(__file__)) + os.sep


class Place(NamedTuple):
    """A line of the user's own code."""

    function: str
    file: str
    line: int


class Project:
    """Tells the user's own files from those of libraries.

    Args:
        root: The folder that holds them.
    """

    def __init__(self, root: str) -> None:
        """Remember the folder."""
        self._root = os.path.join(os.path.realpath(root), "")
        prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix}
        self._foreign = tuple(
            os.path.join(os.path.realpath(prefix), "")
            for prefix in prefixes
            # An interpreter in the project's folder is not its code, but the
            # project may lie inside the folder of an interpreter.
            if not self._root.startswith(os.path.join(os.path.realpath(prefix), ""))
        )
        self._relative: dict[str, str] = {}
        self._places: dict[tuple[CodeType, int], Place] = {}

    def relative(self, file: str) -> str:
        """Return a file's path in the project; empty if it is not the user's."""
        relative = self._relative.get(file)
        if relative is None:
            relative = self._relative[file] = self._look_up(file)
        return relative

    def _look_up(self, file: str) -> str:
        if file.startswith("<"):
            return ""  # made by exec, or frozen
        whole = os.path.realpath(file)
        if not whole.startswith(self._root) or whole.startswith(_PROBE):
            return ""
        if whole.startswith(self._foreign):
            return ""
        inside = whole[len(self._root) :]
        if any(part in LIBRARIES for part in inside.split(os.sep)):
            return ""
        return inside

    def of_code(self, code: CodeType, line: int = 0) -> Optional[Place]:
        """Return where a function begins; None if it is not the user's."""
        place = self._places.get((code, line))
        if place is not None:
            return place
        file = self.relative(code.co_filename)
        if not file:
            return None
        place = Place(name_of(code), file, line or code.co_firstlineno)
        if len(self._places) < MOST_PLACES:
            self._places[code, line] = place
        return place

    def nearest(self, frame: Optional[FrameType]) -> Optional[Place]:
        """Return the innermost place of a stack that is the user's own."""
        for _ in range(DEEPEST):
            if frame is None:
                return None
            place = self.of_code(frame.f_code, frame.f_lineno)
            if place:
                return place
            frame = frame.f_back
        return None

    def awaiting(self, coroutine: Any) -> Optional[Place]:
        """Return the innermost place of a chain of awaits that is the user's own."""
        place = None
        for _ in range(DEEPEST):
            if coroutine is None:
                break
            frame, inner = _step(coroutine)
            if frame is not None:
                place = self.of_code(frame.f_code, frame.f_lineno) or place
            coroutine = inner
        return place

    def here(self) -> Optional[Place]:
        """Return the user's place that is being executed in this thread."""
        return (
            self.nearest(sys._getframe())
            or self._of_greenlets()
            or self.of_task(current_task())
        )

    def _of_greenlets(self) -> Optional[Place]:
        """Return the place of whoever switched to this greenlet.

        SQLAlchemy's asyncio runs its synchronous part in one, whose stack ends there.
        """
        module = sys.modules.get("greenlet")
        greenlet = module.getcurrent().parent if module is not None else None
        while greenlet is not None:
            place = self.nearest(greenlet.gr_frame)
            if place:
                return place
            greenlet = greenlet.parent
        return None

    def of_task(self, task: Any) -> Optional[Place]:
        """Return the user's place that an asyncio task waits at."""
        coroutine = getattr(task, "get_coro", None)
        return self.awaiting(coroutine()) if coroutine is not None else None

    def of_callable(self, function: Any, depth: int = 4) -> Optional[Place]:
        """Return where a function was defined that is about to be called.

        What frameworks hand to a thread is often wrapped: the user's function is then
        an argument of theirs.
        """
        inner = getattr(function, "func", None)  # a partial
        if inner is not None and depth:
            handed = (inner, *function.args, *function.keywords.values())
            for one in filter(callable, handed):
                place = self.of_callable(one, depth - 1)
                if place:
                    return place
            return None
        function = getattr(function, "__wrapped__", function)
        function = getattr(function, "__func__", function)
        code = getattr(function, "__code__", None)
        if code is None:
            code = getattr(getattr(type(function), "__call__", None), "__code__", None)
        return self.of_code(code) if code is not None else None


def name_of(code: CodeType) -> str:
    """Return a function's name, with its class where Python knows it."""
    name: str = getattr(code, "co_qualname", code.co_name)
    return name.replace(".<locals>", "")


def current_task() -> Any:
    """Return the asyncio task that runs in this thread, if there is one."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return None
    try:
        return asyncio.current_task()
    except (AttributeError, RuntimeError):
        return None


def _step(coroutine: Any) -> tuple[Optional[FrameType], Any]:
    """Return a coroutine's frame, and what it awaits."""
    for frame, inner in (
        ("cr_frame", "cr_await"),
        ("gi_frame", "gi_yieldfrom"),
        ("ag_frame", "ag_await"),
    ):
        if hasattr(coroutine, frame):
            return getattr(coroutine, frame), getattr(coroutine, inner, None)
    return None, None
