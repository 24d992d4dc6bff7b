"""Time what the coroutines of a request await, if nothing else counts that wait.

The coroutine of each request, and those of the tasks that it makes, are stepped through
here. Each time such a coroutine suspends, the chain of its awaits tells the user's line
and the library function that this line awaits.
"""

from __future__ import annotations

import contextvars
import functools
import gc
import math
import os
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Callable, Optional

from .imports import Imports
from .loops import Loops
from .places import DEEPEST, Place, current_task, step
from .totals import Totals, perf_counter

KIND = "await"
AT_ONCE = "at once: "  # the seconds of a wait that another wait of the request overlaps
MIN_SECONDS = 0.0002  # a shorter wait is not counted
# Where the servers and frameworks begin to serve a request.
SERVED_BY = (
    ("uvicorn.protocols.http.h11_impl", "RequestResponseCycle", "run_asgi"),
    ("uvicorn.protocols.http.httptools_impl", "RequestResponseCycle", "run_asgi"),
    ("starlette.applications", "Starlette", "__call__"),
    ("django.core.handlers.asgi", "ASGIHandler", "__call__"),
    ("quart.app", "Quart", "__call__"),
    ("litestar.app", "Litestar", "__call__"),
    ("aiohttp.web_app", "Application", "_handle"),
)
# Awaits of these files are counted by the worker thread that does the work meanwhile.
IN_THREADS = tuple(
    os.path.join("", *parts)
    for parts in (
        ("anyio", "to_thread.py"),
        ("asyncio", "threads.py"),
        ("asgiref", "sync.py"),
        ("aiosqlite", "core.py"),
    )
)
# Awaits of these files wait for a connection or a process, never for another task.
FOR_ITSELF = tuple(
    os.path.join("asyncio", name)
    for name in ("streams.py", "base_subprocess.py", "selector_events.py")
)
# Servers and frameworks that wait for their client.
_SERVERS = tuple(
    f"{os.sep}{name}{os.sep}" for name in ("uvicorn", "hypercorn", "granian")
)
# They await a coroutine, but Python does not say which; their referents do.
_OPAQUE = frozenset(
    ("async_generator_asend", "async_generator_athrow", "coroutine_wrapper")
)


class Request:
    """One request that is being served.

    Attributes:
        children: Tasks and calls in worker threads that it has begun, and that run.
        counted: The time up to which its waits have been counted.
        answered: When its answer was complete; infinity before.
        place: The user's function that served it last; None before.
    """

    __slots__ = ("children", "counted", "answered", "place")

    def __init__(self) -> None:
        """Begin without children."""
        self.children = 0
        self.counted = 0.0
        self.answered = math.inf
        self.place: Optional[Place] = None

    def count(self, began: float, ended: float) -> float:
        """Return the seconds of a wait that no other wait of this request has counted.

        If several tasks of a request wait at the same time, the time counts once.
        """
        began = max(began, self.counted)
        self.counted = max(self.counted, ended)
        # A task may go on after the answer. That costs the client nothing.
        return max(0.0, min(ended, self.answered) - began)

    def answering(self, send: Any) -> Any:
        """Return a function that sends an answer by ASGI, and notes its end."""

        @functools.wraps(send)
        async def noting(message: Any) -> Any:
            result = await send(message)
            is_body = message.get("type") == "http.response.body"
            if is_body and not message.get("more_body"):
                self.answered = perf_counter()
            return result

        return noting


# The request that runs, and the steps of its current task.
current: contextvars.ContextVar[Optional[Request]] = contextvars.ContextVar(
    "assay_probe_request", default=None
)
stepping: contextvars.ContextVar[Optional[Steps]] = contextvars.ContextVar(
    "assay_probe_steps", default=None
)


class Wait:
    """A wait that nothing else counts.

    Attributes:
        place: The user's line that awaits.
        resource: The library function that it awaits; empty if there is none.
        limit: The longest that it can last, in seconds; None if there is no limit.
    """

    __slots__ = ("place", "resource", "limit")

    def __init__(self, place: Place, resource: str, limit: Optional[float]) -> None:
        """Describe the wait."""
        self.place, self.resource, self.limit = place, resource, limit


class Steps(Coroutine[Any, Any, Any]):
    """A coroutine that is run in steps, so that its waits can be timed.

    Args:
        coroutine: The coroutine to run.
        request: The request that it serves.
        awaits: Counts the waits.
        is_child: Whether it is a task of its own, which its request may wait for.
    """

    def __init__(
        self, coroutine: Any, request: Request, awaits: Awaits, is_child: bool
    ) -> None:
        """Prepare to run; the coroutine does not begin yet."""
        self._coroutine, self._request, self._awaits = coroutine, request, awaits
        self._is_child = is_child
        self._wait: Optional[Wait] = None
        self._since = 0.0
        self.counted = 0  # how many counted waits it is inside of
        if is_child:
            request.children += 1

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the coroutine: some look at its frame and name."""
        return getattr(self._coroutine, name)

    def __await__(self) -> Any:
        """Return what steps through the coroutine."""
        return self

    def __iter__(self) -> Steps:
        """Return what steps through the coroutine."""
        return self

    def __next__(self) -> Any:
        """Run until the next suspension."""
        return self.send(None)

    def send(self, value: Any) -> Any:
        """Run until the next suspension."""
        return self._step(self._coroutine.send, (value,))

    def throw(self, *error: Any) -> Any:
        """Raise an error in the coroutine, and run until the next suspension."""
        return self._step(self._coroutine.throw, error)

    def close(self) -> None:
        """End the coroutine."""
        self._resumed()
        try:
            self._coroutine.close()
        finally:
            self._ended()

    def _step(self, run: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        self._resumed()
        outer = stepping.set(self)
        try:
            awaited = run(*args)
        except BaseException:  # also the end of the coroutine
            self._ended()
            raise
        finally:
            stepping.reset(outer)
        self._suspended()
        return awaited

    def _suspended(self) -> None:
        if self.counted:
            return
        wait = self._awaits.wait_of(
            self._coroutine, self._request.children - self._is_child
        )
        if wait is None:
            return
        self._wait, self._since = wait, perf_counter()

    def _resumed(self) -> None:
        """Count the wait that ends now."""
        wait, self._wait = self._wait, None
        if wait is None:
            return
        ended = perf_counter() - self._awaits.turn()
        if wait.limit is not None:
            ended = min(ended, self._since + wait.limit)
        took = self._request.count(self._since, ended)
        if took > MIN_SECONDS:
            self._awaits.totals.add(KIND, wait.resource, wait.place, (), took)

    def _ended(self) -> None:
        if self._is_child:
            self._is_child = False
            self._request.children -= 1


def begin_counted() -> Optional[Steps]:
    """Mark what this task awaits as counted elsewhere, until `end_counted`."""
    steps = stepping.get()
    if steps is not None:
        steps.counted += 1
    return steps


def end_counted(steps: Optional[Steps]) -> None:
    """End what `begin_counted` began, and returned."""
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


def serving(place: Optional[Place]) -> Optional[Place]:
    """Note the place that serves the current request; return the last one if None.

    A framework works on behalf of this place, for example when it turns what the
    user's function returned into an answer.
    """
    request = current.get()
    if request is None:
        return place
    request.place = place or request.place
    return request.place


def alone(began: float, took: float) -> float:
    """Return the share of a wait that no other wait of the same request overlaps.

    Args:
        began: When the wait began, by `perf_counter`; it ends now.
        took: How long it took, in seconds.
    """
    request = current.get()
    if request is None or took <= 0:
        return 1.0
    return min(1.0, request.count(began, began + took) / took)


class Awaits:
    """Counts what the coroutines of requests await.

    Args:
        totals: Counts the waits.
        loops: Knows how long a callback waited for its turn.
    """

    def __init__(self, totals: Totals, loops: Loops) -> None:
        """Begin without requests."""
        self.totals, self._loops = totals, loops

    def observe(self, imports: Imports) -> None:
        """Observe the requests of common servers and frameworks from now on."""
        for module, cls, method in SERVED_BY:
            imports.patch(module, functools.partial(self._serve, cls, method))
        imports.patch("concurrent.futures.thread", self._observe_threads)

    def turn(self) -> float:
        """Return how long the running callback had waited for its turn, in seconds."""
        return self._loops.turn()

    def child(self, coroutine: Any) -> Any:
        """Return the coroutine for a new task, which a request may be about to make."""
        request = current.get()
        if request is None or not hasattr(coroutine, "send"):
            return coroutine
        return Steps(coroutine, request, self, True)

    def _serve(self, cls: str, method: str, module: Any) -> None:
        owner = getattr(module, cls)
        original = getattr(owner, method)

        @functools.wraps(original)
        async def served(self_: Any, *args: Any, **options: Any) -> Any:
            by_asgi = len(args) == 3 and isinstance(args[0], dict)
            is_http = not by_asgi or args[0].get("type") == "http"
            if not is_http or current.get() is not None:
                return await original(self_, *args, **options)
            request = Request()
            if by_asgi:
                args = (*args[:2], request.answering(args[2]))
            elif method == "run_asgi":
                self_.send = request.answering(self_.send)
            token = current.set(request)
            try:
                serving = original(self_, *args, **options)
                return await Steps(serving, request, self, False)
            finally:
                current.reset(token)

        setattr(owner, method, served)

    def _observe_threads(self, module: Any) -> None:
        """Count calls in worker threads as children of the request that makes them."""
        executor = module.ThreadPoolExecutor
        original = executor.submit

        @functools.wraps(original)
        def submit(self: Any, fn: Any, /, *args: Any, **options: Any) -> Any:
            future = original(self, fn, *args, **options)
            request = current.get()
            if request is not None:
                request.children += 1
                future.add_done_callback(functools.partial(_done, request))
            return future

        executor.submit = submit

    def wait_of(self, coroutine: Any, children: int) -> Optional[Wait]:
        """Return the wait that a coroutine has just begun; None if it is counted.

        Waits without a line of the user's code are not counted either: servers and
        frameworks wait for their clients.

        Args:
            coroutine: The coroutine.
            children: How many other tasks its request could be waiting for.
        """
        place: Optional[Place] = None
        resource, frame = "", None
        for frame, own in self._chain(coroutine):
            if frame.f_code.co_filename.endswith(IN_THREADS):
                return None
            if own is not None:
                place, resource = own, ""
            elif not resource:
                resource = self.totals.project.called(frame)
        if frame is None:
            return None
        if place is None:
            # A task may run only library code, as in gather(sleep(1), sleep(2)).
            file = frame.f_code.co_filename
            if any(server in file for server in _SERVERS):
                return None
            place = self.totals.project.made_at(current_task())
            if place is None:
                return None
        limit = _delay(frame)
        for_itself = limit is not None or frame.f_code.co_filename.endswith(FOR_ITSELF)
        if children and not for_itself:
            return None
        return Wait(place, resource, limit)

    def _chain(self, coroutine: Any) -> Iterator[tuple[FrameType, Optional[Place]]]:
        """Yield the frames of a chain of awaits, outermost first, with their places."""
        of_code = self.totals.project.of_code
        for _ in range(DEEPEST):
            frame, coroutine = step(_seen_through(coroutine))
            if frame is None:
                return
            yield frame, of_code(frame.f_code, frame.f_lineno)


def _done(request: Request, _: Any) -> None:
    request.children -= 1


def _seen_through(coroutine: Any) -> Any:
    """Return the generator or coroutine that an opaque awaitable runs."""
    if type(coroutine).__name__ not in _OPAQUE:
        return coroutine
    for one in gc.get_referents(coroutine):
        if hasattr(one, "ag_frame") or hasattr(one, "cr_frame"):
            return one
    return None


def _delay(frame: FrameType) -> Optional[float]:
    """Return how long `asyncio.sleep` was asked to sleep; None in other functions."""
    code = frame.f_code
    if code.co_name != "sleep" or not code.co_filename.endswith(
        os.path.join("asyncio", "tasks.py")
    ):
        return None
    delay = frame.f_locals.get("delay")
    return float(delay) if isinstance(delay, (int, float)) else None
