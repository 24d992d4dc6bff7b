"""Run the coroutines of requests in steps, so that their waits can be timed."""

from __future__ import annotations

import contextvars
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Optional

from .request import Request
from .totals import perf_counter, thread_time

if TYPE_CHECKING:
    from .awaits import Awaits

MIN_SECONDS = 0.0002  # a shorter wait is not counted

# The steps of the task that runs.
stepping: contextvars.ContextVar[Optional[Steps]] = contextvars.ContextVar(
    "assay_probe_steps", default=None
)


class Steps(Coroutine[Any, Any, Any]):
    """A coroutine that is run in steps, so that its waits can be timed.

    Args:
        coroutine: The coroutine to run.
        request: The request that it serves.
        awaits: Counts the waits.
        is_child: Whether it is a task of its own, which its request may wait for.

    Attributes:
        counted: Number of waits around the current step that are counted elsewhere.
        waited: Seconds for which it was suspended until the events that it awaited
            happened, without the time in which other tasks of its request ran.
        runs: Whether it runs, and is not suspended.
    """

    def __init__(
        self, coroutine: Any, request: Request, awaits: Awaits, is_child: bool
    ) -> None:
        """Prepare to run; the coroutine does not begin yet."""
        self._coroutine, self._request, self._awaits = coroutine, request, awaits
        self._is_child = is_child
        parent: Optional[Steps] = stepping.get()
        self._parent = parent
        self.counted: int = 1 if parent is not None and parent.counted else 0
        self.waited, self.runs = 0.0, False
        self._since = self._began = 0.0
        self._others = 0
        if is_child:
            request.children += 1

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the coroutine: some look at its frame and name."""
        return getattr(self._coroutine, name)

    def __await__(self) -> Any:
        """Return this object, which steps through the coroutine."""
        return self

    def __iter__(self) -> Steps:
        """Return this object, which steps through the coroutine."""
        return self

    def __next__(self) -> Any:
        """Run until the next suspension."""
        return self.send(None)

    def send(self, value: Any) -> Any:
        """Run until the next suspension."""
        self._resumed()
        outer = stepping.set(self)
        try:
            awaited = self._coroutine.send(value)
        except BaseException:  # a coroutine also ends with an exception
            self._ended()
            raise
        finally:
            stepping.reset(outer)
        self._suspended()
        return awaited

    def throw(self, *error: Any) -> Any:
        """Raise an error in the coroutine, and run until the next suspension."""
        self._resumed()
        outer = stepping.set(self)
        try:
            awaited = self._coroutine.throw(*error)
        except BaseException:
            self._ended()
            raise
        finally:
            stepping.reset(outer)
            del error  # its traceback refers to this frame: a cycle of references
        self._suspended()
        return awaited

    def close(self) -> None:
        """End the coroutine."""
        self._since = 0.0
        try:
            self._coroutine.close()
        finally:
            self._ended()

    def _suspended(self) -> None:
        request = self._request
        self._since, self.runs = perf_counter(), False
        request.runs.add(self._began, self._since)
        request.since = 0.0
        if not self.counted:
            self._others = request.children - self._lineage()

    def _lineage(self) -> int:
        """Return how many tasks of the request are nested here, this task included."""
        number = 0
        steps: Optional[Steps] = self
        while steps is not None:
            number += steps._is_child
            steps = steps._parent
        return number

    def _resumed(self) -> None:
        """Time the wait that ends now, and count it if nothing else counts it."""
        since, self._since = self._since, 0.0
        request = self._request
        self._began = perf_counter()
        ended = self._awaits.loops.resumed(request, self._began)
        if since:
            self._count(request, since, ended)
        request.since, self.runs = self._began, True

    def _count(self, request: Request, since: float, ended: float) -> None:
        self.waited += max(0.0, ended - since - request.ran_between(since, ended))
        if ended - since > MIN_SECONDS and not self.counted:
            try:
                self._awaits.add(self._coroutine, request, self._others, since, ended)
            except Exception as error:
                self._awaits.totals.problem(f"a wait cannot be counted: {error!r}")

    def _ended(self) -> None:
        request, self.runs = self._request, False
        if request.since:
            request.runs.add(request.since, perf_counter())
            request.since = 0.0
        self._parent = None
        if self._is_child:
            self._is_child = False
            self._request.children -= 1


def _running() -> Optional[Steps]:
    """Return the steps of the task that runs; None if it has none.

    A worker thread, or a task whose coroutine is not stepped through, may inherit the
    steps of the task that made it. They count only while that task runs.
    """
    steps = stepping.get()
    return steps if steps is not None and steps.runs else None


class Span:
    """A call of this task that may suspend it; it begins now."""

    __slots__ = ("began", "_cpu", "_steps", "_waited")

    def __init__(self) -> None:
        """Begin."""
        self._steps = _running()
        self._waited = self._steps.waited if self._steps is not None else 0.0
        self._cpu = thread_time()
        self.began = perf_counter()

    def waited(self) -> float:
        """Return how many seconds the call has waited; it ends now.

        CPU time, of this request or of others, is not included, nor is the time until
        the loop resumed the task. Outside of requests, all CPU time of the thread is
        subtracted instead, which is too much if other tasks run meanwhile.
        """
        if self._steps is not None:
            return self._steps.waited - self._waited
        took, cpu = perf_counter() - self.began, thread_time() - self._cpu
        return max(0.0, took - cpu)


def begin_counted() -> Optional[Steps]:
    """Mark what this task awaits as counted elsewhere, until `end_counted`."""
    steps = _running()
    if steps is not None:
        steps.counted += 1
    return steps


def end_counted(steps: Optional[Steps]) -> None:
    """Remove the mark of `begin_counted`, which returned these steps."""
    if steps is not None:
        steps.counted -= 1


@contextmanager
def counted() -> Iterator[None]:
    """Mark what the body awaits as counted elsewhere."""
    steps = begin_counted()
    try:
        yield
    finally:
        end_counted(steps)
