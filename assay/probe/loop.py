"""The state of one running event loop, and the times at which its events arrived."""

from __future__ import annotations

from collections import deque
from typing import Any, Optional

from .places import Place
from .request import Request
from .totals import get_ident, perf_counter, thread_time

# Seconds; if a loop waits for events for a shorter time, one was ready before it asked.
AT_ONCE = 0.0001
# Seconds; between two callbacks, the loop works this long for the first one at most.
BETWEEN = 0.00005


class Loop:
    """One event loop, and the thread that runs it.

    Args:
        loop: The loop.
        turns: Count and seconds of the waits behind short callbacks. The third number,
            the longest wait, stays 0.
        after: Count and CPU seconds of the callbacks that ran for a request after its
            answer. The third number stays 0. No client waits for them.

    Attributes:
        thread: Identifier of the thread.
        began: When the running callback began; 0 if none is running.
        woken: When the event happened that the running callback had waited for, such as
            the arrival of bytes from a socket; 0 if unknown.
        ready: `woken`, plus the time that earlier callbacks took to pass the event on.
            From then on, the callback waited for its turn; 0 if unknown.
        request: The request whose task the running callback runs; None otherwise.
        ran: The request whose task the last callback ran, when this callback began, and
            when it ended; None otherwise.
        passes: Whether the running callback passes its event on to the callbacks that
            it schedules. A task does not: it does work of its own.
        late: How many samples of the current long callback came late.
        samples: How often the current long callback was seen at each of the user's
            places.
        blocks: The last blocks of the loop: when each began and ended, and its place.
        after_cpu: CPU time of this thread when the last callback ended, if it ran for a
            request after its answer; 0 otherwise.
        after_began: When that callback began, or sent the answer.
        after_ended: When it ended.
        follows: Whether that callback probably scheduled the running one.
    """

    def __init__(self, loop: object, turns: list[float], after: list[float]) -> None:
        """Begin to watch; must be called in the thread that runs the loop."""
        self.loop = loop
        self.thread = get_ident()
        self.turns, self.after = turns, after
        self.after_cpu = self.after_began = self.after_ended = 0.0
        self.follows = False
        self.began = self.woken = self.ready = 0.0
        self.request: Optional[Request] = None
        self.ran: Optional[tuple[Request, float, float]] = None
        self.passes = False
        self.late = 0
        self.samples: dict[Optional[Place], int] = {}
        self.blocks: deque[tuple[float, float, Optional[Place]]] = deque(maxlen=64)

    def begins(self, callback: Any, woken: float, ready: float, began: float) -> None:
        """Note that a callback begins."""
        if self.ran is not None:
            request, first, last = self.ran
            request.runs.add(first, min(last + BETWEEN, began))
            self.ran = None
        self.woken, self.ready, self.began = woken, ready, began
        self.passes = woken > 0 and not is_step(callback)
        self.after_cpu = 0.0

    def ends(self, cpu: float) -> None:
        """Note that the running callback has ended.

        Args:
            cpu: CPU time of this thread when the callback began.
        """
        request = self.request
        if request is not None:
            self.ran = request, self.began, perf_counter()
            if self.is_after(request):
                began = max(self.began, request.answered)
                self._count_after(began, max(cpu, request.answered_cpu))
            self.request = None
        elif self.follows:
            self._count_after(self.began, cpu)
        self.began = self.woken = self.ready = 0.0
        self.follows = False

    def is_after(self, request: Request) -> bool:
        """Say whether the running callback works for a request after its answer."""
        return request.is_after(self.began)

    def _count_after(self, began: float, cpu: float) -> None:
        """Count the running callback as work after an answer.

        Args:
            began: When this work began.
            cpu: CPU time of this thread at that moment.
        """
        self.after_cpu = thread_time()
        self.after_began, self.after_ended = began, perf_counter()
        self.after[0] += 1
        self.after[1] += max(0.0, self.after_cpu - cpu)

    def follow(self, scheduled: float, cpu: float) -> None:
        """Note that a callback begins that another callback may have scheduled.

        If it was scheduled while the last callback worked after an answer, then the
        loop's own work between them also came after the answer. So does the new
        callback, unless it turns out to run another request.

        Args:
            scheduled: When the callback was scheduled.
            cpu: CPU time of this thread now.
        """
        if self.after_cpu and self.after_began <= scheduled <= self.after_ended:
            self.after[1] += max(0.0, cpu - self.after_cpu)
            self.follows = True

    def scheduled(self, now: float) -> tuple[float, float]:
        """Return `woken` and `ready` of a callback that the running one schedules."""
        if self.began and self.passes:
            return self.woken, self.ready + now - self.began
        return now, now

    def forget_samples(self) -> None:
        """Drop the samples before the next long callback."""
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


def is_step(callback: Any) -> bool:
    """Say whether a callback runs a step of a task."""
    try:
        return hasattr(type(getattr(callback, "__self__", None)), "get_coro")
    except Exception:  # the callback's own `__getattr__` may raise anything
        return False


class SelectorLoop(Loop):
    """A loop of asyncio's own, which asks a selector for events.

    Attributes:
        asked: When the loop last asked which events are ready.
        returned: When the loop got the answer.
        before: When the loop got the previous answer.
    """

    def __init__(self, loop: object, turns: list[float], after: list[float]) -> None:
        """Begin to watch."""
        super().__init__(loop, turns, after)
        self.asked = self.returned = self.before = 0.0

    def arrived(self) -> float:
        """Return the arrival time of the event that the loop has just received.

        If the event was ready when the loop asked, it arrived while the loop was busy.
        Every moment of that time is equally likely, so the middle is returned.
        """
        if self.returned - self.asked > AT_ONCE:
            return self.returned
        return (self.asked + self.before) / 2 if self.before else self.asked

    def noticed(self, due: float) -> float:
        """Return when the loop noticed a timer; if busy, when an idle loop would have.

        Selectors round up to milliseconds, so an idle loop is late, too. It also needs
        some time to wake up for a callback of another thread.
        """
        # If a timer is due before the previous answer, it was made later, for the past.
        due = max(due, self.before)
        return max(due, self.returned) if self.returned - self.asked > AT_ONCE else due


class CompiledLoop(Loop):
    """A loop such as uvloop, which waits for events in compiled code.

    Only the callbacks that Python code schedules are seen. The loop runs them in
    batches, and waits for events after each batch.

    Attributes:
        batch: Number of the batch that runs, or that ran last.
        batch_began: When this batch began.
        ended: When the last callback ended; 0 before the first one.
        cpu: The thread's CPU time at that moment.
        counted: The thread's CPU time up to which `arrived` has counted it.
    """

    def __init__(self, loop: object, turns: list[float], after: list[float]) -> None:
        """Begin to watch."""
        super().__init__(loop, turns, after)
        self.batch = 0
        self.batch_began = self.ended = 0.0
        self.cpu = self.counted = 0.0

    def begins_batch(self, batch: int, began: float) -> None:
        """Note that a callback of a batch begins, and with it perhaps the batch."""
        if batch > self.batch:
            self.batch, self.batch_began = batch, began

    def ends(self, cpu: float) -> None:
        """Note that the running callback has ended."""
        super().ends(cpu)
        self.ended = perf_counter()
        self.cpu = self.counted = thread_time()

    def is_after(self, request: Request) -> bool:
        """Say whether the running callback works for a request after its answer.

        uvloop sends an answer after the batch of callbacks that has written it.
        """
        return request.answered < self.batch_began and super().is_after(request)

    def scheduled(self, now: float) -> tuple[float, float]:
        """Return `woken` and `ready` of a callback that is scheduled now."""
        return super().scheduled(now) if self.began else self.arrived(now)

    def arrived(self, now: float) -> tuple[float, float]:
        """Return when the event arrived that compiled code handles now.

        If the thread was idle since its last callback, the loop had waited for the
        event. Otherwise the event arrived while the loop was busy. Every moment of that
        time is equally likely, so the middle is taken.

        Args:
            now: The time now.

        Returns:
            When the event arrived, and the same plus the CPU time that the loop has
            since spent on it.
        """
        if not self.ended:
            return now, now
        cpu = thread_time()
        idle = (now - self.ended) - (cpu - self.cpu)
        arrived = (self.batch_began + self.ended) / 2
        if idle > AT_ONCE:
            arrived = self.ended + idle
        spent, self.counted = cpu - self.counted, cpu
        return arrived, min(arrived + spent, now)

    def noticed(self, due: float, now: float) -> float:
        """Return when the loop noticed a timer; if busy, when an idle loop would have.

        Args:
            due: When the timer was due.
            now: The time now.
        """
        idle = (now - self.ended) - (thread_time() - self.cpu)
        was_idle = self.ended and idle > AT_ONCE
        return min(now, max(due, self.ended + idle) if was_idle else due)
