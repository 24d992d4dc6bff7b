"""Time waits for locks and semaphores, and find the code that waits or holds them.

Only contended acquisitions are timed. A free lock is acquired at the first attempt.
"""

from __future__ import annotations

import sys
import threading
from types import ModuleType
from typing import Any, Optional

from .imports import Imports
from .places import Place, Project, current_task
from .steps import Span, counted
from .totals import Totals, get_ident, perf_counter

KIND = "lock"


def observe(totals: Totals, imports: Imports) -> None:
    """Observe the locks and semaphores of threading and asyncio.

    A lock of threading is observed only if it is made from now on.
    """
    make_lock, make_rlock = threading.Lock, threading.RLock
    project = totals.project

    class Lock:
        """A lock that knows which thread holds it."""

        __slots__ = ("__weakref__", "_lock", "_owner")
        _make = staticmethod(make_lock)
        _name = "Lock"

        def __init__(self) -> None:
            self._lock = self._make()
            self._owner = 0

        def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
            lock = self._lock
            if lock.acquire(False):
                self._owner = get_ident()
                return True
            if not blocking:
                return lock.acquire(blocking, timeout)  # may raise its own errors
            holders = of_threads(project, (self._owner,))
            began = perf_counter()
            acquired = lock.acquire(True, timeout)
            waited = perf_counter() - began
            if acquired:
                self._owner = get_ident()
            totals.add(KIND, self._name, project.here(), holders, waited)
            totals.waited(waited)
            return acquired

        def __enter__(self) -> bool:
            return self.acquire()

        def __exit__(self, *_: object) -> None:
            self._lock.release()

        def release(self) -> None:
            self._lock.release()

        def __getattr__(self, name: str) -> Any:
            # threading.Condition and os.register_at_fork use further methods of a lock.
            return getattr(self._lock, name)

        def __repr__(self) -> str:
            return repr(self._lock)

    class RLock(Lock):
        """A lock that its holder may acquire again, and that knows its holder."""

        __slots__ = ()
        _make = staticmethod(make_rlock)  # type: ignore[assignment]
        _name = "RLock"

        def _acquire_restore(self, state: Any) -> None:
            self._lock._acquire_restore(state)  # type: ignore[attr-defined]
            self._owner = get_ident()

    module: Any = threading
    module.Lock, module.RLock = Lock, RLock
    _observe_semaphores(totals)
    imports.patch("asyncio.locks", lambda module: _observe_asyncio(module, totals))


def of_threads(project: Project, idents: tuple[int, ...]) -> list[Optional[Place]]:
    """Return each thread's current place in the user's own code; None if unknown."""
    frames = sys._current_frames()
    return [project.nearest(frames.get(ident)) for ident in idents]


def of_tasks(project: Project, tasks: list[Any]) -> list[Optional[Place]]:
    """Return each task's current place in the user's own code; None if unknown."""
    return [project.of_task(task) for task in tasks]


def _observe_semaphores(totals: Totals) -> None:
    """Observe threading's semaphores."""
    project = totals.project
    original, release = threading.Semaphore.acquire, threading.Semaphore.release

    def acquire(
        self: Any, blocking: bool = True, timeout: Optional[float] = None
    ) -> bool:
        owners = self.__dict__.setdefault("_assay_owners", [])
        if not blocking:
            acquired = original(self, blocking, timeout)
        elif original(self, False):
            acquired = True
        else:
            holders = of_threads(project, tuple(owners))
            began = perf_counter()
            acquired = original(self, True, timeout)
            waited = perf_counter() - began
            totals.add(KIND, "Semaphore", project.here(), holders, waited)
            totals.waited(waited)
        if acquired:
            owners.append(get_ident())
        return acquired

    def released(self: Any, n: int = 1) -> None:
        drop(self.__dict__.get("_assay_owners", []), get_ident(), n)
        release(self, n)

    semaphore: Any = threading.Semaphore
    semaphore.acquire = semaphore.__enter__ = acquire
    semaphore.release = released


def drop(owners: list[Any], owner: Any, n: int = 1) -> None:
    """Remove an owner n times; if it is missing, remove the oldest owner instead."""
    for _ in range(min(n, len(owners))):
        try:
            owners.remove(owner)
        except ValueError:
            del owners[0]


def _observe_asyncio(module: ModuleType, totals: Totals) -> None:
    """Observe asyncio's locks and semaphores."""
    for name in ("Lock", "Semaphore"):
        _observe_async(getattr(module, name), f"asyncio.{name}", totals)


def _observe_async(cls: Any, name: str, totals: Totals) -> None:
    project = totals.project
    acquire, release = cls.acquire, cls.release

    async def acquired(self: Any) -> Any:
        owners = self.__dict__.setdefault("_assay_owners", [])
        if self.locked():
            place, holders = project.here(), of_tasks(project, owners)
            span = Span()
            with counted():
                result = await acquire(self)
            totals.add(KIND, name, place, holders, span.waited())
        else:
            result = await acquire(self)
        owners.append(current_task())
        return result

    def released(self: Any) -> Any:
        drop(self.__dict__.get("_assay_owners", []), current_task())
        return release(self)

    cls.acquire = acquired
    cls.release = released
