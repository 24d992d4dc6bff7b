"""Time how long callbacks block an event loop, and how long other callbacks wait.

Every callback is timed: `callbacks` reports when a callback begins and ends.
"""

from __future__ import annotations

import functools
import sys
from types import ModuleType
from typing import Any, Callable

from .callbacks import Times, observe_handles, observe_selector
from .imports import Imports
from .loop import CompiledLoop, Loop, SelectorLoop
from .request import Request
from .totals import (
    Totals,
    _sleep,
    _start_thread,
    get_ident,
    perf_counter,
    thread_time,
)

BLOCKED = "blocked loop"  # a callback that took long to return
# The part of a block that is already counted elsewhere: as CPU time, or as a wait of
# another kind.
COUNTED = "blocked loop counted"
BEHIND = "loop behind block"  # waits of callbacks that were ready during a block
AFTER = "cpu after answer"  # CPU time of requests that the client does not wait for
TURN = "loop turn"  # waits of callbacks that were ready while shorter ones ran
LONG = 0.005  # seconds; a callback that takes longer blocks the loop
# Seconds; a callback that waits longer without using the CPU also blocks the loop.
IDLE = 0.0005
WATCH = 0.001  # seconds between two samples of a callback that takes long
LATE = 0.004  # seconds; a sample that comes later than this had to wait itself


class Loops:
    """All event loops of this process.

    Args:
        totals: Counts what is observed.

    Attributes:
        running: The loops that run now, by the identifier of their thread.
        child: Takes the coroutine of a new task, and returns the one to run.
        by_request: Whether only the tasks of requests count their waits for a turn, by
            `resumed`. Otherwise those of all callbacks count.
    """

    def __init__(self, totals: Totals) -> None:
        """Begin without loops."""
        self.totals = totals
        self.running: dict[int, Loop] = {}
        self.child: Callable[[Any], Any] = lambda coroutine: coroutine
        self.by_request = False
        self._watching = False
        self._times = Times(self.running, totals, self._finished)

    def resumed(self, request: Request, now: float) -> float:
        """Count how long a task of a request has waited for its turn.

        Args:
            request: The request.
            now: The time now; the running callback has just begun to run the task.

        Returns:
            When the event that the task had waited for happened; `now` if unknown.
        """
        state = self.running.get(get_ident())
        if state is None:
            return now
        state.request = request
        if not state.woken:
            return now
        if self.by_request and state.ready < state.began:
            counts = request.count_turn(state.ready, state.began)
            self._turn(state, state.ready, state.began, counts)
        return state.woken

    def observe(self, imports: Imports) -> None:
        """Observe every loop that runs from now on."""
        imports.patch("asyncio.events", self._observe_events)
        imports.patch("asyncio.base_events", self._observe_tasks)

    def forget(self) -> None:
        """Drop all loops: a forked process begins anew."""
        self.running.clear()
        self._watching = False

    def _observe_tasks(self, base_events: ModuleType) -> None:
        """Remember the place in the user's code at which each task is made."""
        base: Any = getattr(base_events, "BaseEventLoop")
        create_task, made = base.create_task, self.totals.project.made

        @functools.wraps(create_task)
        def remembered(self_: Any, coro: Any, **options: Any) -> Any:
            task = create_task(self_, self.child(coro), **options)
            made(task)
            return task

        base.create_task = remembered

    def _observe_events(self, events: ModuleType) -> None:
        set_running = getattr(events, "_set_running_loop")

        def set_running_loop(loop: Any) -> None:
            set_running(loop)
            try:
                self._begin(loop) if loop is not None else self._end()
            except Exception as error:
                self.totals.problem(f"the event loop cannot be observed: {error!r}")

        setattr(events, "_set_running_loop", set_running_loop)
        asyncio: Any = sys.modules.get("asyncio")
        if asyncio is not None and hasattr(asyncio, "_set_running_loop"):
            asyncio._set_running_loop = set_running_loop
        observe_handles(events, self.running, self.totals, self._finished)

    def _begin(self, loop: Any) -> None:
        """Watch the loop that now begins to run in this thread."""
        counts = self.totals.entry(TURN), self.totals.entry(AFTER)
        self.totals.loops_here()
        if not self._watching:
            self._watching = True
            _start_thread(self._watch, ())
        selector = getattr(loop, "_selector", None)
        if selector is not None and hasattr(loop, "_run_once"):
            state = self.running[get_ident()] = SelectorLoop(loop, *counts)
            observe_selector(selector, state, self.totals)
        else:
            self.running[get_ident()] = CompiledLoop(loop, *counts)
            self._times.observe(loop)
            self._make_tasks(loop)

    def _make_tasks(self, loop: Any) -> None:
        """Install a task factory on a loop whose `create_task` cannot be replaced."""
        if loop.get_task_factory() is not None:
            return
        asyncio: Any = sys.modules["asyncio"]
        made = self.totals.project.made

        def factory(loop: Any, coro: Any, **options: Any) -> Any:
            task = asyncio.Task(self.child(coro), loop=loop, **options)
            made(task)
            return task

        loop.set_task_factory(factory)

    def _end(self) -> None:
        self.running.pop(get_ident(), None)
        self.totals.loop_left()

    def _finished(
        self, state: Loop, ready: float, began: float, cpu: float, waited: float
    ) -> None:
        """Count how long a callback had waited, and whether it blocked the loop.

        Args:
            state: The loop that ran the callback.
            ready: When the callback itself began to wait for its turn, even if another
                callback passed an event on to it; 0 if unknown.
            began: When the callback began.
            cpu: CPU time of this thread when the callback began.
            waited: Counted waits of this thread when the callback began, in seconds.
        """
        now = perf_counter()
        if 0 < ready < began and not self.by_request:
            self._turn(state, ready, began, began - ready)
        took = now - began
        if took >= IDLE:
            cpu = thread_time() - cpu
            if took >= LONG or took - cpu >= IDLE:
                counted = min(cpu + self.totals.waits() - waited, took)
                if not state.waits_for_interpreter(took, counted):
                    self._block(state, began, now, counted)
                state.forget_samples()

    def _turn(self, state: Loop, ready: float, began: float, counts: float) -> None:
        """Count a wait for a turn.

        Args:
            state: The loop.
            ready: When the wait began.
            began: When it ended.
            counts: The seconds of it that nothing else counts.
        """
        share = counts / (began - ready)
        in_turn = counts
        for start, end, place in reversed(state.blocks):
            if end <= ready:
                break
            behind = share * (min(end, began) - max(start, ready))
            self.totals.add(BEHIND, "", place, (), behind)
            in_turn -= behind
        state.turns[0] += 1
        state.turns[1] += in_turn

    def _block(self, state: Loop, began: float, now: float, counted: float) -> None:
        """Count a block of the loop.

        Args:
            state: The loop.
            began: When the block began.
            now: When the block ended.
            counted: Seconds of the block that are already counted elsewhere: as CPU
                time, or as a wait of another kind.
        """
        samples = state.samples
        place = max(samples, key=samples.__getitem__) if samples else None
        state.blocks.append((began, now, place))
        self.totals.add(BLOCKED, "", place, (), now - began)
        self.totals.add(COUNTED, "", place, (), counted)

    def _watch(self) -> None:
        """Sample the places of callbacks that take long; runs in a separate thread."""
        self.totals.probes_here()
        while True:
            asleep = perf_counter()
            _sleep(WATCH)
            now = perf_counter()
            is_late = now - asleep > LATE
            for state in list(self.running.values()):
                began = state.began
                if began and now - began >= WATCH:
                    frame = sys._current_frames().get(state.thread)
                    place = self.totals.project.nearest(frame)
                    if state.began == began:
                        state.samples[place] = state.samples.get(place, 0) + 1
                        state.late += is_late
                elif state.samples and not began:
                    state.forget_samples()
