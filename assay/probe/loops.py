"""Time how long callbacks block an event loop, and how long other callbacks wait.

In asyncio's own loops, every callback is timed. Other loops, such as uvloop, are
watched by a beat, a callback that is due at regular intervals. Whatever delays the beat
also delays every request.
"""

from __future__ import annotations

import functools
import sys
from collections import deque
from types import ModuleType
from typing import Any, Callable, Optional

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

BLOCKED = "blocked loop"  # a callback that took long to return
# The part of a block that is already counted elsewhere: as CPU time, or as a wait of
# another kind.
COUNTED = "blocked loop counted"
BEHIND = "loop behind block"  # waits of callbacks that were ready during a block
TURN = "loop turn"  # waits of callbacks that were ready while shorter ones ran
# The same waits in a loop that is watched by a beat. Its callbacks are unknown, so half
# the square of each busy period is counted: requests arrive in proportion to the length
# of the period, and wait for half of it on average.
BEHIND_SQUARED = "loop behind block, squared"
TURN_SQUARED = "loop turn, squared"
LONG = 0.005  # seconds; a callback that takes longer blocks the loop
# Seconds; a callback that waits longer without using the CPU also blocks the loop.
IDLE = 0.0005
WATCH = 0.001  # seconds between two samples of a callback that takes long
BEAT = 0.001  # seconds between two beats
LATE = 0.004  # seconds; if a beat is later than this, the loop was blocked
AT_ONCE = 0.0001  # seconds; if the selector answers faster, events were ready before


class Loop:
    """One event loop, and the thread that runs it.

    Attributes:
        thread: Identifier of the thread.
        began: When the running callback began; 0 if none is running. In a loop with a
            beat, this is when the next beat is due.
        late: How many samples of the current long callback came late.
        samples: How often the current long callback was seen at each of the user's
            places.
        blocks: The last blocks of the loop: when each began and ended, and its place.
        asked: When the loop last asked which events are ready.
        returned: When the loop got the answer.
        before: When the loop got the previous answer.
        turns: Count and seconds of the waits behind short callbacks. The third number,
            the longest wait, stays 0.
        turn: How long the running callback had waited for its turn, in seconds.
    """

    def __init__(self, turns: list[float]) -> None:
        """Begin to watch; must be called in the thread that runs the loop."""
        self.thread = get_ident()
        self.turns = turns
        self.began = self.asked = self.returned = self.before = self.turn = 0.0
        self.late = 0
        self.samples: dict[Optional[Place], int] = {}
        self.blocks: deque[tuple[float, float, Optional[Place]]] = deque(maxlen=64)

    def forget_samples(self) -> None:
        """Begin anew with the next long callback."""
        self.samples, self.late = {}, 0

    def waits_for_interpreter(self, took: float, counted: float) -> bool:
        """Say whether a long callback only waits for the lock of the interpreter.

        A blocking call releases this lock, so the sampling thread runs on time. If
        another thread keeps the lock, the samples come late, too.

        Args:
            took: How long the callback took, in seconds.
            counted: Seconds of the callback that are already counted elsewhere: as CPU
                time, or as a wait of another kind.
        """
        late = self.late > sum(self.samples.values()) / 2
        return late and took - counted > took / 2

    def arrived(self) -> float:
        """Return the arrival time of the event that the loop has just received.

        If the event was ready when the loop asked, it arrived while the loop was busy.
        Every moment of that time is equally likely, so the middle is returned.
        """
        if self.returned - self.asked > AT_ONCE:
            return self.returned
        return (self.asked + self.before) / 2 if self.before else self.asked


class Loops:
    """All event loops of this process.

    Args:
        totals: Counts what is observed.
    """

    def __init__(self, totals: Totals) -> None:
        """Begin without loops."""
        self._totals = totals
        self._loops: dict[int, Loop] = {}  # by thread
        self._watching = False
        # Takes the coroutine of a new task, and returns the one to run.
        self.child: Callable[[Any], Any] = lambda coroutine: coroutine

    def turn(self) -> float:
        """Return how long the running callback had waited for its turn, in seconds.

        0 if the callbacks of this loop are not timed.
        """
        state = self._loops.get(get_ident())
        return state.turn if state is not None else 0.0

    def observe(self, imports: Imports) -> None:
        """Observe every loop that runs from now on."""
        imports.patch("asyncio.events", self._observe_events)
        imports.patch("asyncio.base_events", self._observe_tasks)

    def forget(self) -> None:
        """Drop all loops: a forked process begins anew."""
        self._loops.clear()
        self._watching = False

    def _observe_tasks(self, base_events: ModuleType) -> None:
        """Remember the place in the user's code at which each task is made."""
        base: Any = getattr(base_events, "BaseEventLoop")
        create_task, made = base.create_task, self._totals.project.made

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
                self._totals.problem(f"the event loop cannot be observed: {error!r}")

        setattr(events, "_set_running_loop", set_running_loop)
        asyncio: Any = sys.modules.get("asyncio")
        if asyncio is not None and hasattr(asyncio, "_set_running_loop"):
            asyncio._set_running_loop = set_running_loop
        self._observe_handles(events)

    def _begin(self, loop: Any) -> None:
        """Watch the loop that now begins to run in this thread."""
        state = self._loops[get_ident()] = Loop(self._totals.entry(TURN))
        if not self._watching:
            self._watching = True
            _start_thread(self._watch, ())
        selector = getattr(loop, "_selector", None)
        if selector is not None and hasattr(loop, "_run_once"):
            self._observe_selector(selector, state)
        else:
            self._beat(loop, state)
            self._make_tasks(loop)

    def _make_tasks(self, loop: Any) -> None:
        """Install a task factory on a loop whose `create_task` cannot be replaced."""
        if loop.get_task_factory() is not None:
            return
        asyncio: Any = sys.modules["asyncio"]
        made = self._totals.project.made

        def factory(loop: Any, coro: Any, **options: Any) -> Any:
            task = asyncio.Task(self.child(coro), loop=loop, **options)
            made(task)
            return task

        loop.set_task_factory(factory)

    def _end(self) -> None:
        self._loops.pop(get_ident(), None)

    def _observe_selector(self, selector: Any, state: Loop) -> None:
        """Note when a loop asks which events are ready, and when it gets the answer."""
        original, waited = type(selector).select, self._totals.waited

        def select(timeout: Optional[float] = None) -> Any:
            state.before, state.asked = state.returned, perf_counter()
            events = original(selector, timeout)
            state.returned = perf_counter()
            # Note this wait, so that it is not counted again as a wait of the function
            # that runs the loop.
            waited(state.returned - state.asked)
            return events

        selector.select = select

    def _observe_handles(self, events: ModuleType) -> None:
        """Time every callback, and its wait from being ready to running."""
        module: Any = events
        handle: Any = module.Handle
        run, loops, finished = handle._run, self._loops, self._finished
        waits = self._totals.waits

        class Ready(handle):  # type: ignore[misc]
            """A handle that knows when its callback became ready."""

            __slots__ = ("assay_ready",)

            def __init__(self, *args: Any, **options: Any) -> None:
                super().__init__(*args, **options)
                self.assay_ready = perf_counter()

        def timed(self: Any) -> Any:
            state = loops.get(get_ident())
            if state is None:
                return run(self)
            cpu, waited, began = thread_time(), waits(), perf_counter()
            state.began = began
            state.turn = began - getattr(self, "assay_ready", began)
            try:
                return run(self)
            finally:
                state.began = 0.0
                finished(state, self, began, cpu, waited)

        handle._run = timed
        Ready.__name__ = Ready.__qualname__ = "Handle"
        module.Handle = Ready

    def _finished(
        self, state: Loop, handle: Any, began: float, cpu: float, waited: float
    ) -> None:
        """Count how long a callback had waited, and whether it blocked the loop.

        Args:
            state: The loop that ran the callback.
            handle: The callback's handle.
            began: When the callback began.
            cpu: CPU time of this thread when the callback began.
            waited: Counted waits of this thread when the callback began, in seconds.
        """
        now = perf_counter()
        ready = getattr(handle, "assay_ready", 0.0)
        if ready and ready < state.before:
            # A socket's handle is made once, but becomes ready again and again.
            wakes = getattr(handle._callback, "__name__", "") == "_read_from_self"
            ready = 0.0 if wakes else state.arrived()
        if 0 < ready < began:
            in_turn = began - ready
            for start, end, place in reversed(state.blocks):
                if end <= ready:
                    break
                behind = min(end, began) - max(start, ready)
                self._totals.add(BEHIND, "", place, (), behind)
                in_turn -= behind
            state.turns[0] += 1
            state.turns[1] += in_turn
        took = now - began
        if took >= IDLE:
            cpu = thread_time() - cpu
            if took >= LONG or took - cpu >= IDLE:
                counted = min(cpu + self._totals.waits() - waited, took)
                if state.waits_for_interpreter(took, counted):
                    state.forget_samples()
                else:
                    self._block(state, began, now, counted)

    def _block(
        self, state: Loop, began: float, now: float, counted: float
    ) -> Optional[Place]:
        """Count a block of the loop, and return its place.

        Args:
            state: The loop.
            began: When the block began.
            now: When the block ended.
            counted: Seconds of the block that are already counted elsewhere: as CPU
                time, or as a wait of another kind.
        """
        samples = state.samples
        place = max(samples, key=samples.__getitem__) if samples else None
        state.forget_samples()
        state.blocks.append((began, now, place))
        self._totals.add(BLOCKED, "", place, (), now - began)
        self._totals.add(COUNTED, "", place, (), counted)
        return place

    def _beat(self, loop: Any, state: Loop) -> None:
        """Use a beat to watch a loop whose callbacks cannot be timed."""
        turns, waits = self._totals.entry(TURN_SQUARED), self._totals.waits
        due = perf_counter() + BEAT
        cpu, waited = thread_time(), waits()

        def beat() -> None:
            nonlocal due, cpu, waited
            now = perf_counter()
            if self._loops.get(get_ident()) is not state:
                return
            late = now - due
            spent, cpu = thread_time() - cpu, thread_time()
            known, waited = waits() - waited, waits()
            # A shorter delay is a block if the user's code waits without using the CPU.
            waits_in = late >= BEAT and late - spent >= IDLE and any(state.samples)
            is_block = late >= LATE or waits_in
            if is_block and not state.waits_for_interpreter(late, spent + known):
                place = self._block(state, due, now, min(late, spent + known))
                took = late + BEAT / 2  # the block began between two beats
                self._totals.add(BEHIND_SQUARED, "", place, (), took * took / 2)
            else:
                state.forget_samples()
                turns[0] += 1
                turns[1] += late * late / 2
            due = now + BEAT
            state.began = due
            loop.call_later(BEAT, beat)

        state.began = due
        loop.call_later(BEAT, beat)

    def _watch(self) -> None:
        """Sample the places of callbacks that take long; runs in a separate thread."""
        self._totals.own_threads.add(get_ident())
        while True:
            asleep = perf_counter()
            _sleep(WATCH)
            now = perf_counter()
            is_late = now - asleep > LATE
            for state in list(self._loops.values()):
                began = state.began
                if began and now - began >= WATCH:
                    frame = sys._current_frames().get(state.thread)
                    place = self._totals.project.nearest(frame)
                    if state.began == began:
                        state.samples[place] = state.samples.get(place, 0) + 1
                        state.late += is_late
                elif state.samples and not began:
                    state.forget_samples()
