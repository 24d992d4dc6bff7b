"""Count waits of worker threads that nothing else counts: a sleep, a file, the GIL."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Callable, Dict, Optional, Tuple

from .places import Place
from .totals import (
    Totals,
    _sleep,
    _start_thread,
    get_ident,
    has_greenlets,
    perf_counter,
    thread_time,
)

KIND = "other wait"
MIN_SECONDS = 0.0002  # a shorter wait is overhead of the interpreter: not counted
SAMPLE_SECONDS = 0.002  # seconds between two samples of the busy threads

# How often a thread was seen at a place, calling a function of a library.
Seen = Dict[Tuple[Optional[Place], str], int]


class Waits:
    """Times the calls of worker threads, and samples where these threads wait.

    Args:
        totals: Counts the waits.
    """

    def __init__(self, totals: Totals) -> None:
        """Begin without any threads to watch."""
        self.totals = totals
        self._working: dict[int, Seen] = {}  # by thread
        self._watching = False

    def forget(self) -> None:
        """Forget all threads: in a process that was just forked, they do not exist."""
        self._working.clear()
        self._watching = False

    def is_working(self) -> bool:
        """Say whether this thread works for a request, so that its waits count."""
        return get_ident() in self._working

    def call(
        self,
        place: Optional[Place],
        function: Callable[..., Any],
        args: Sequence[Any],
        options: Mapping[str, Any],
    ) -> Any:
        """Call a function, and count the waits in it that nothing else counts.

        Args:
            place: The place of the waits if no sample finds a more precise place.
            function: The function.
            args: Its positional arguments.
            options: Its keyword arguments.

        Returns:
            What the function returns.
        """
        totals, ident = self.totals, get_ident()
        outer = self._working.get(ident)
        seen: Seen = {}
        self._working[ident] = seen
        if not self._watching:
            self._watching = True
            _start_thread(self._watch, ())
        waited, cpu, began = totals.waits(), thread_time(), perf_counter()
        try:
            return function(*args, **options)
        finally:
            took, cpu = perf_counter() - began, thread_time() - cpu
            if outer is None:
                self._working.pop(ident, None)
            else:
                self._working[ident] = outer
            other = took - cpu - (totals.waits() - waited)
            # With greenlets, the thread's CPU time and waits belong to many calls.
            if other > MIN_SECONDS and not has_greenlets():
                where = max(seen, key=seen.__getitem__) if seen else (place, "")
                totals.add(KIND, where[1], where[0], (), other)
                totals.waited(other)  # so that an outer call does not count it again

    def _watch(self) -> None:
        """Sample the places at which busy threads wait; runs in a separate thread."""
        self.totals.probes_here()
        waiting = self.totals.project.waiting
        while True:
            _sleep(SAMPLE_SECONDS)
            if not self._working:
                continue
            frames = sys._current_frames()
            for ident, seen in list(self._working.items()):
                where = waiting(frames.get(ident))
                if where:
                    seen[where] = seen.get(where, 0) + 1
