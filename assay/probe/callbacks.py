"""Time every callback of an event loop, and its wait from being ready to running."""

from __future__ import annotations

import functools
from selectors import EVENT_READ, EVENT_WRITE
from types import ModuleType
from typing import Any, Callable, Optional

from .loop import CompiledLoop, Loop, SelectorLoop
from .totals import Totals, get_ident, perf_counter, thread_time

# Counts a callback that ends now. It takes the loop, when the callback became ready (0
# if unknown), when it began, and the thread's CPU time and counted waits at that time.
Finished = Callable[[Loop, float, float, float, float], None]


def observe_selector(selector: Any, state: SelectorLoop, totals: Totals) -> None:
    """Note when a loop asks which events are ready, and when it gets the answer."""
    original, waited = type(selector).select, totals.waited

    def select(timeout: Optional[float] = None) -> Any:
        state.before, state.asked = state.returned, perf_counter()
        events = original(selector, timeout)
        state.returned = perf_counter()
        # Note this wait, so that it is not counted again as a wait of the function
        # that runs the loop.
        waited(state.returned - state.asked)
        if events:
            _note_arrivals(events, state.arrived())
        return events

    selector.select = select


def _note_arrivals(events: Any, arrived: float) -> None:
    """Note in the handles of a selector's events when these events arrived.

    A socket's handle is made once, but becomes ready again and again.

    Args:
        events: Pairs of a selector key and a mask, as `select` returns them. The key's
            data are the handles for reading and for writing.
        arrived: When the events arrived.
    """
    for key, mask in events:
        try:
            reader, writer = key.data
        except (TypeError, ValueError):  # not a key of asyncio's own loop
            continue
        for handle, event in ((reader, EVENT_READ), (writer, EVENT_WRITE)):
            if handle is not None and mask & event:
                _note_arrival(handle, arrived)


def _note_arrival(handle: Any, arrived: float) -> None:
    try:
        when = 0.0 if _wakes(handle._callback) else arrived
        handle.assay_made = handle.assay_woken = handle.assay_ready = when
        handle.assay_event = True
    except AttributeError:  # made before handles were observed
        pass


def observe_handles(
    events: ModuleType, loops: dict[int, Loop], totals: Totals, finished: Finished
) -> None:
    """Time the callbacks of asyncio's own loops.

    Args:
        events: The module `asyncio.events`.
        loops: The running loops, by the identifier of their thread.
        totals: Knows the counted waits of each thread.
        finished: Counts a callback that has ended.
    """
    module: Any = events
    handle: Any = module.Handle
    run, waits = handle._run, totals.waits

    class Ready(handle):  # type: ignore[misc]
        """A handle that knows when its callback began to wait for its turn."""

        __slots__ = ("assay_made", "assay_woken", "assay_ready", "assay_event")

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            state = loops.get(get_ident())
            self.assay_event = False
            self.assay_made = now = perf_counter()
            self.assay_woken, self.assay_ready = (
                state.scheduled(now)
                if state is not None and state.loop is self._loop
                else (now, now)
            )

    def begins(self: Any, state: SelectorLoop, began: float, cpu: float) -> float:
        """Note that a callback begins; return when its own wait for a turn began."""
        queued = getattr(self, "assay_made", 0.0)
        ready = getattr(self, "assay_ready", 0.0)
        woken = getattr(self, "assay_woken", 0.0)
        due = getattr(self, "_when", None)
        if due is not None:
            late = max(0.0, self._loop.time() - due)
            queued = woken = ready = state.noticed(began - late)
        elif state.asked < queued < state.returned:  # by another thread
            queued = woken = ready = state.noticed(queued)
        elif not getattr(self, "assay_event", True):
            state.follow(queued, cpu)
        state.begins(self._callback, woken, ready, began)
        return float(queued)

    def timed(self: Any) -> Any:
        state = loops.get(get_ident())
        if not isinstance(state, SelectorLoop):
            return run(self)
        cpu, waited, began = thread_time(), waits(), perf_counter()
        ready = begins(self, state, began, cpu)
        try:
            return run(self)
        finally:
            state.ends(cpu)
            finished(state, ready, began, cpu, waited)

    handle._run = timed
    Ready.__name__ = Ready.__qualname__ = "Handle"
    module.Handle = Ready


def _wakes(callback: Any) -> bool:
    """Say whether a callback only wakes the loop, for a call from another thread."""
    try:
        return getattr(callback, "__name__", "") == "_read_from_self"
    except Exception:  # the callback's own `__getattr__` may raise anything
        return False


class Callback:
    """A callback of a compiled loop that is timed when it runs.

    Args:
        function: The callback.
        times: Times it.
        made: When it was scheduled.
        queued: When the callback itself began to wait for its turn.
        woken: When the event that it waits for happened.
        ready: `woken`, plus the time that earlier callbacks took to pass the event on.
        batch: Number of the batch of callbacks that it will run in; 0 if unknown.
    """

    __slots__ = ("function", "times", "made", "queued", "woken", "ready", "batch")

    def __init__(
        self,
        function: Any,
        times: Times,
        made: float,
        queued: float,
        woken: float,
        ready: float,
        batch: int,
    ) -> None:
        """Prepare to run."""
        self.function, self.times, self.made = function, times, made
        self.queued, self.woken, self.ready, self.batch = queued, woken, ready, batch

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the callback: messages of the loop show its name."""
        return getattr(self.function, name)

    def __repr__(self) -> str:
        """Return the representation of the callback."""
        return repr(self.function)

    def __call__(self, *args: Any) -> Any:
        """Run the callback."""
        return self.times.run(self, args)


class Times:
    """Times the callbacks that Python code schedules in compiled loops.

    Args:
        loops: The running loops, by the identifier of their thread.
        totals: Knows the counted waits of each thread.
        finished: Counts a callback that has ended.
    """

    def __init__(
        self, loops: dict[int, Loop], totals: Totals, finished: Finished
    ) -> None:
        """Begin without loops."""
        self._loops, self._waits, self._finished = loops, totals.waits, finished
        self._observed: set[Any] = set()

    def observe(self, loop: Any) -> None:
        """Time the callbacks of a loop, and of all other loops of its class.

        This replaces the methods that schedule callbacks. Tasks and futures call these
        methods like any other Python code.
        """
        cls = type(loop)
        if cls in self._observed:
            return
        self._observed.add(cls)
        for name in ("call_soon", "call_soon_threadsafe"):
            setattr(cls, name, self._soon(getattr(cls, name)))
        cls.call_later = self._later(cls.call_later)
        cls.call_at = self._at(cls.call_at)

    def _soon(self, original: Any) -> Any:
        @functools.wraps(original)
        def soon(self_: Any, callback: Any, *args: Any, **options: Any) -> Any:
            timed = self._ready(self_, callback, perf_counter())
            return original(self_, timed, *args, **options)

        return soon

    def _ready(self, loop: Any, callback: Any, now: float) -> Callback:
        state = self._loops.get(get_ident())
        if not isinstance(state, CompiledLoop) or state.loop is not loop:
            return Callback(callback, self, now, now, now, now, 0)  # another thread's
        woken, ready = state.scheduled(now)
        queued = now if state.began else ready
        return Callback(callback, self, now, queued, woken, ready, state.batch + 1)

    def _later(self, original: Any) -> Any:
        @functools.wraps(original)
        def call_later(
            self_: Any, delay: float, callback: Any, *args: Any, **options: Any
        ) -> Any:
            return original(
                self_, delay, self._timer(callback, delay), *args, **options
            )

        return call_later

    def _at(self, original: Any) -> Any:
        @functools.wraps(original)
        def call_at(
            self_: Any, when: float, callback: Any, *args: Any, **options: Any
        ) -> Any:
            timer = self._timer(callback, when - self_.time())
            return original(self_, when, timer, *args, **options)

        return call_at

    def _timer(self, callback: Any, delay: float) -> Callback:
        now = perf_counter()
        due = now + max(0.0, delay)
        return Callback(callback, self, now, due, due, due, 0)

    def run(self, callback: Callback, args: tuple[Any, ...]) -> Any:
        """Run a callback, and time it unless it runs inside another callback."""
        state = self._loops.get(get_ident())
        if not isinstance(state, CompiledLoop) or state.began:
            return callback.function(*args)
        cpu, waited, began = thread_time(), self._waits(), perf_counter()
        queued, woken, ready = callback.queued, callback.woken, callback.ready
        if not callback.batch:  # a timer, or a callback of another thread
            queued = woken = ready = state.noticed(ready, began)
        else:
            state.follow(callback.made, cpu)
        state.begins_batch(callback.batch, began)
        state.begins(callback.function, woken, ready, began)
        try:
            return callback.function(*args)
        finally:
            state.ends(cpu)
            self._finished(state, queued, began, cpu, waited)
