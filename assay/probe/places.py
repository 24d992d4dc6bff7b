"""Find the place in the user's own code that is nearest to an event."""

from __future__ import annotations

import _thread
import functools
import os
import sys
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import CodeType, FrameType, GeneratorType
from typing import Any, NamedTuple, Optional

LIBRARIES = ("site-packages", "dist-packages")
MOST_PLACES = 10_000  # most places that are remembered
_INNER = (".<genexpr>", ".<listcomp>", ".<dictcomp>", ".<setcomp>", ".<lambda>")
DEEPEST = 400  # most frames of a stack that are searched
NEAR = 10  # most frames between a new task and the user's code, such as of `gather`
_PROBE = os.path.dirname(os.path.abspath(__file__)) + os.sep


class Place(NamedTuple):
    """A line of the user's own code."""

    function: str
    file: str
    line: int


class Project:
    """Tells the user's own files from those of libraries.

    Args:
        roots: Folders with the user's files; they may contain libraries, too.
        packages: Folders of installed packages that are the user's own.
    """

    def __init__(self, roots: Sequence[str], packages: Sequence[str] = ()) -> None:
        """Remember the folders."""
        self._roots = tuple(os.path.join(os.path.realpath(root), "") for root in roots)
        self._packages = tuple(
            os.path.join(os.path.realpath(folder), "") for folder in packages
        )
        prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix}
        self._foreign = tuple(
            os.path.join(os.path.realpath(prefix), "")
            for prefix in prefixes
            # An interpreter inside the project's folder is not the user's code. But
            # the project may lie inside the folder of an interpreter.
            if not any(
                root.startswith(os.path.join(os.path.realpath(prefix), ""))
                for root in self._roots
            )
        )
        self._relative: dict[str, str] = {}
        self._thread = _thread._local()
        # Where each task was made, since a task may run only library code.
        self._made: weakref.WeakKeyDictionary[Any, Place] = weakref.WeakKeyDictionary()
        # The keys have the id of a code object, since Python hashes a code object
        # instruction by instruction. The code is kept: no other object gets its id.
        self._places: dict[tuple[int, int], tuple[Place, CodeType]] = {}
        self._called: dict[int, tuple[str, CodeType]] = {}

    def relative(self, file: str) -> str:
        """Return a file's path in the project; empty if the file is not the user's."""
        relative = self._relative.get(file)
        if relative is None:
            relative = self._relative[file] = self._look_up(file)
        return relative

    def _look_up(self, file: str) -> str:
        if file.startswith("<") or "\0" in file:
            return ""  # made by exec, frozen, or misread by a profiler
        whole = os.path.realpath(file)
        if not os.path.isabs(file) and not os.path.exists(whole):
            return ""  # compiled from a file of the library's own build
        if whole.startswith(_PROBE):
            return ""
        for folder in self._packages:
            if whole.startswith(folder):
                return whole[len(folder) :]
        root = next((root for root in self._roots if whole.startswith(root)), None)
        if root is None or whole.startswith(self._foreign):
            return ""
        inside = whole[len(root) :]
        if any(part in LIBRARIES for part in inside.split(os.sep)):
            return ""
        return inside

    def of_code(self, code: CodeType, line: int = 0) -> Optional[Place]:
        """Return a place in one of the user's functions, by default its first line.

        The place is None if the function is not the user's.
        """
        cached = self._places.get((id(code), line))
        if cached is not None:
            return cached[0]
        file = self.relative(code.co_filename)
        if not file:
            return None
        place = Place(name_of(code), file, line or code.co_firstlineno)
        if len(self._places) < MOST_PLACES:
            self._places[id(code), line] = place, code
        return place

    def nearest(self, frame: Optional[FrameType]) -> Optional[Place]:
        """Return the innermost place of a stack that is in the user's own code."""
        for _ in range(DEEPEST):
            if frame is None:
                return None
            place = self.of_code(frame.f_code, frame.f_lineno)
            if place:
                return place
            frame = frame.f_back
        return None

    def waiting(self, frame: Optional[FrameType]) -> Optional[tuple[Place, str]]:
        """Return the user's place at which a thread waits, and the function it calls.

        The function is the library function that the user's line calls; empty if it is
        C code. None if a frame of the probe is nearer than the user's code: then the
        probe counts the wait already.
        """
        called = None
        for _ in range(DEEPEST):
            if frame is None or frame.f_code.co_filename.startswith(_PROBE):
                return None
            place = self.of_code(frame.f_code, frame.f_lineno)
            if place:
                return place, self.called(called) if called is not None else ""
            called, frame = frame, frame.f_back
        return None

    def called(self, frame: FrameType) -> str:
        """Return the name of a library's function, with its module."""
        code = frame.f_code
        name = self._called.get(id(code))
        if name is not None:
            return name[0]
        module = str(frame.f_globals.get("__name__", ""))
        # What users type: asyncio.sleep, not asyncio.tasks.sleep.
        module = "asyncio" if module.startswith("asyncio.") else module
        text = f"{module}.{name_of(code)}"
        if len(self._called) < MOST_PLACES:
            self._called[id(code)] = text, code
        return text

    def awaiting(self, coroutine: Any) -> Optional[Place]:
        """Return the innermost place in the user's own code of a chain of awaits."""
        place = None
        for _ in range(DEEPEST):
            if coroutine is None:
                break
            frame, inner = step(coroutine)
            if frame is not None:
                place = self.of_code(frame.f_code, frame.f_lineno) or place
            coroutine = inner
        return place

    def here(self) -> Optional[Place]:
        """Return the user's place that this thread is executing.

        If its stack has none, it is the place that switched to the current greenlet,
        the place of the current task, or the place on whose behalf a library's thread
        works: see `on_behalf_of`.
        """
        return (
            self.nearest(sys._getframe())
            or self._of_greenlets()
            or self.of_task(current_task())
            or getattr(self._thread, "place", None)
        )

    @contextmanager
    def on_behalf_of(self, place: Optional[Place]) -> Iterator[None]:
        """Let this thread work on behalf of a user's place while the body runs."""
        outer = getattr(self._thread, "place", None)
        self._thread.place = place or outer
        try:
            yield
        finally:
            self._thread.place = outer

    def _of_greenlets(self) -> Optional[Place]:
        """Return the user's place that switched to this greenlet.

        SQLAlchemy's asyncio extension runs its synchronous part in a greenlet, whose
        stack ends below the code that switched to it.
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
        """Return the user's place at which an asyncio task waits.

        If the task runs only library code, it is the place that made the task or that
        gathers it.
        """
        coroutine = getattr(task, "get_coro", None)
        if coroutine is None:
            return None
        try:
            place = self.awaiting(coroutine()) or self._made.get(task)
        except TypeError:  # a custom task that cannot be a key of a dictionary
            return None
        return place or self._gathering(task)

    def _gathering(self, task: Any) -> Optional[Place]:
        """Return the place that waits for this task with `asyncio.gather`.

        This is needed in event loops in which the probe cannot see where a task is
        made.
        """
        asyncio = sys.modules.get("asyncio")
        if asyncio is None:
            return None
        try:
            tasks = asyncio.all_tasks()
        except RuntimeError:  # no loop runs in this thread
            return None
        for other in tasks:
            children = getattr(getattr(other, "_fut_waiter", None), "_children", ())
            if task in children:
                return self.awaiting(other.get_coro())
        return None

    def made(self, task: Any) -> None:
        """Remember where a task was made, if it was made close to the user's code."""
        frame: Optional[FrameType] = sys._getframe(1)
        for _ in range(NEAR):
            # The frames outside a callback run the loop. They did not make the task.
            if frame is None or frame.f_code.co_name in ("_run", "_run_once"):
                return
            place = self.of_code(frame.f_code, frame.f_lineno)
            if place:
                try:
                    self._made[task] = place
                except TypeError:
                    pass
                return
            frame = frame.f_back

    def made_at(self, task: Any) -> Optional[Place]:
        """Return the user's place that made a task; None if it is unknown."""
        try:
            return self._made.get(task)
        except TypeError:  # a custom task that cannot be a key of a dictionary
            return None

    def of_generator(self, given: Sequence[Any]) -> Optional[Place]:
        """Return the place of the first generator of the user's code among objects."""
        for one in given:
            # Other objects are left alone: reading their attributes may have effects.
            place = self.of_code(one.gi_code) if type(one) is GeneratorType else None
            if place:
                return place
        return None

    def of_callable(self, function: Any, depth: int = 4) -> Optional[Place]:
        """Return the place that defines a function; None if it is not the user's.

        A framework often passes a `functools.partial` of a wrapper to a thread. Then
        the user's function is one of its arguments, which are searched to this depth.
        """
        try:
            return self._of_callable(function, depth)
        except Exception:  # some callables, such as proxies, raise on any attribute
            return None

    def _of_callable(self, function: Any, depth: int) -> Optional[Place]:
        if isinstance(function, functools.partial) and depth:
            handed = (function.func, *function.args, *function.keywords.values())
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
    """Return a function's name, with its class if Python knows it."""
    name: str = getattr(code, "co_qualname", code.co_name)
    name = name.replace(".<locals>", "")
    for inner in _INNER:  # a comprehension belongs to the function around it
        name = name.replace(inner, "")
    return name


def current_task() -> Any:
    """Return the asyncio task that runs in this thread, if there is one."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return None
    try:
        return asyncio.current_task()
    except (AttributeError, RuntimeError):
        return None


def step(coroutine: Any) -> tuple[Optional[FrameType], Any]:
    """Return a coroutine's frame, and the object that it awaits.

    The awaited object of a running coroutine is None, because Python 3.12 may crash if
    it is read. The coroutines inside a suspended coroutine are suspended, too.
    """
    for frame, inner, running in (
        ("cr_frame", "cr_await", "cr_running"),
        ("gi_frame", "gi_yieldfrom", "gi_running"),
        ("ag_frame", "ag_await", ""),
    ):
        if hasattr(coroutine, frame):
            runs = bool(running) and getattr(coroutine, running, False)
            return getattr(coroutine, frame), (
                None if runs else getattr(coroutine, inner, None)
            )
    return None, None
