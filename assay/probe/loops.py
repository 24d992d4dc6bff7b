"""How long callbacks keep an event loop, and how long others wait meanwhile.

asyncio's own loops tell it callback by callback. Others, such as uvloop, are watched
by a heartbeat: what makes it late keeps every request waiting.
"""

from __future__ import annotations

import sys
from collections import deque
from types import ModuleType
from typing import Any, Optional

from .imports import Imports
from .places import Place
from .totals import (
    Totals,
    _sleep,
    _start_thread,
    get_ident,
    perf_counter,
    thread_time,
)

BLOCKED = "blocked loop"  # a callback that did not come back for long
BLOCKED_CPU = "blocked loop cpu"  # what of that is CPU time
BEHIND = "loop behind block"  # what was ready meanwhile, and waited
TURN = "loop turn"  # what was ready while shorter callbacks ran
LONG = 0.005  # seconds: a callback that takes longer blocks the loop
IDLE = 0.0005  # and so does one that waits for longer, without using the CPU
WATCH = 0.001  # seconds between two looks at a callback that takes long
BEAT = 0.005  # seconds between two beats
AT_ONCE = 0.0001  # seconds: what a loop is told sooner was there before it asked


class Loop:
    """One event loop, and the thread that runs it.

    Attributes:
        began: When the callback began that runs now; 0 if none does.
        samples: The user's places at which a long callback was seen.
        blocks: The last long callbacks: when they began and ended, and where.
        asked: When the loop last asked what is ready.
        returned: When it was told.
        before: When it had been told the time before.
    """

    def __init__(self) -> None:
        """Begin in the thread that runs the loop."""
        self.thread = get_ident()
        self.began = self.asked = self.returned = self.before = 0.0
        self.samples: dict[Optional[Place], int] = {}
        self.blocks: deque[tuple[float, float, Optional[Place]]] = deque(maxlen=64)

    def arrived(self) -> float:
        """Return when something arrived that the loop has just been told of.

        What was there when the loop asked came while it was busy: at any moment of
        that with equal chance.
        """
        if self.returned - self.asked > AT_ONCE:
            return self.returned
        return (self.asked + self.before) / 2 if self.before else self.asked


class Loops:
    """All event loops of this process.

    Args:
        totals: Where what they do is counted.
    """

    def __init__(self, totals: Totals) -> None:
        """Observe nothing yet."""
        self._totals = totals
        self._loops: dict[int, Loop] = {}  # by thread
        self._watching = False

    def observe(self, imports: Imports) -> None:
        """Observe every loop that runs from now on."""
        imports.patch("asyncio.events", self._observe_events)

    def forget(self) -> None:
        """Begin anew, as a forked process does."""
        self._loops.clear()
        self._watching = False

    def _observe_events(self, events: ModuleType) -> None:
        set_running = getattr(events, "_set_running_loop")

        def set_running_loop(loop: Any) -> None:
            set_running(loop)
            try:
                self._begin(loop) if loop is not None else self._end()
            except Exception as error:
                self._totals.problem(f"the event loop cannot be observed: {error!r}")

        setattr(events, "_set_running_loop", set_running_loop)
        asyncio: Any = sys.modules.get("asyncio")
        if asyncio is not None and hasattr(asyncio, "_set_running_loop"):
            asyncio._set_running_loop = set_running_loop
        self._observe_handles(events)

    def _begin(self, loop: Any) -> None:
        """Watch a loop that begins to run in this thread."""
        state = self._loops[get_ident()] = Loop()
        if not self._watching:
            self._watching = True
            _start_thread(self._watch, ())
        selector = getattr(loop, "_selector", None)
        if selector is not None and hasattr(loop, "_run_once"):
            self._observe_selector(selector, state)
        else:
            self._beat(loop, state)

    def _end(self) -> None:
        self._loops.pop(get_ident(), None)

    def _observe_selector(self, selector: Any, state: Loop) -> None:
        """Note when a loop asks what is ready, and when it is told."""
        original = type(selector).select

        def select(timeout: Optional[float] = None) -> Any:
            state.before, state.asked = state.returned, perf_counter()
            events = original(selector, timeout)
            state.returned = perf_counter()
            return events

        selector.select = select

    def _observe_handles(self, events: ModuleType) -> None:
        """Time every callback, and how long it was ready before it ran."""
        module: Any = events
        handle: Any = module.Handle
        run, loops, finished = handle._run, self._loops, self._finished

        class Ready(handle):  # type: ignore[misc]
            """A callback that knows since when it is ready."""

            __slots__ = ("assay_ready",)

            def __init__(self, *args: Any, **options: Any) -> None:
                super().__init__(*args, **options)
                self.assay_ready = perf_counter()

        def timed(self: Any) -> Any:
            state = loops.get(get_ident())
            if state is None:
                return run(self)
            cpu, began = thread_time(), perf_counter()
            state.began = began
            try:
                return run(self)
            finally:
                state.began = 0.0
                finished(state, self, began, cpu)

        handle._run = timed
        Ready.__name__ = Ready.__qualname__ = "Handle"
        module.Handle = Ready

    def _finished(self, state: Loop, handle: Any, began: float, cpu: float) -> None:
        """Count what a callback took, and what it waited before."""
        now = perf_counter()
        ready = getattr(handle, "assay_ready", 0.0)
        if ready and ready < state.before:
            # A socket's handle is made once, and ready again and again.
            wakes = getattr(handle._callback, "__name__", "") == "_read_from_self"
            ready = 0.0 if wakes else state.arrived()
        if 0 < ready < began:
            waited = began - ready
            for start, end, place in reversed(state.blocks):
                if end <= ready:
                    break
                behind = min(end, began) - max(start, ready)
                self._totals.add(BEHIND, "", place, (), behind)
                waited -= behind
            self._totals.add(TURN, "", None, (), waited)
        if now - began >= IDLE:
            cpu = thread_time() - cpu
            if now - began >= LONG or now - began - cpu >= IDLE:
                self._block(state, began, now, cpu)

    def _block(self, state: Loop, began: float, now: float, cpu: float = 0.0) -> None:
        samples, state.samples = state.samples, {}
        place = max(samples, key=samples.__getitem__) if samples else None
        state.blocks.append((began, now, place))
        self._totals.add(BLOCKED, "", place, (), now - began)
        self._totals.add(BLOCKED_CPU, "", place, (), cpu)

    def _beat(self, loop: Any, state: Loop) -> None:
        """Watch a loop that does not tell its callbacks, by a beat of its own."""
        due = perf_counter() + BEAT

        def beat() -> None:
            nonlocal due
            now = perf_counter()
            if self._loops.get(get_ident()) is not state:
                return
            late = now - due
            if late >= LONG:
                self._block(state, due, now)
            else:
                state.samples = {}
                self._totals.add(TURN, "beat", None, (), max(late, 0.0))
            due = now + BEAT
            state.began = due
            loop.call_later(BEAT, beat)

        state.began = due
        loop.call_later(BEAT, beat)

    def _watch(self) -> None:
        """Look where callbacks are that take long, in a thread of its own."""
        self._totals.own_threads.add(get_ident())
        while True:
            _sleep(WATCH)
            now = perf_counter()
            for state in list(self._loops.values()):
                began = state.began
                if began and now - began >= WATCH:
                    frame = sys._current_frames().get(state.thread)
                    place = self._totals.project.nearest(frame)
                    if state.began == began:
                        state.samples[place] = state.samples.get(place, 0) + 1
                elif state.samples and not began:
                    state.samples = {}
