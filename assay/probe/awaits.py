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
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, Optional

from .imports import Imports
from .loops import Loops
from .places import DEEPEST, Place, current_task, step
from .request import Request, current
from .totals import Totals, perf_counter, thread_time

KIND = "await"
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
# Objects of these types await a coroutine; only their referents show which one.
_OPAQUE = frozenset(
    ("async_generator_asend", "async_generator_athrow", "coroutine_wrapper")
)


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
        counted: How many waits it is inside of that are counted elsewhere.
        waited: Seconds that it has been suspended until what it awaits happened,
            without the time in which other tasks of its request ran.
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
        self.waited = 0.0
        self._since = self._began = 0.0
        self._others = 0
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
            del error  # its traceback holds this frame: a circle that keeps all alive
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
        self._since = perf_counter()
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
        request.since = self._began

    def _count(self, request: Request, since: float, ended: float) -> None:
        self.waited += max(0.0, ended - since - request.ran_between(since, ended))
        if ended - since > MIN_SECONDS and not self.counted:
            try:
                self._awaits.add(self._coroutine, request, self._others, since, ended)
            except Exception as error:
                self._awaits.totals.problem(f"a wait cannot be counted: {error!r}")

    def _ended(self) -> None:
        request = self._request
        if request.since:
            request.runs.add(request.since, perf_counter())
            request.since = 0.0
        self._parent = None
        if self._is_child:
            self._is_child = False
            self._request.children -= 1


class Span:
    """A call of this task that may suspend it; it begins now."""

    __slots__ = ("began", "_cpu", "_steps", "_waited")

    def __init__(self) -> None:
        """Begin."""
        self._steps = stepping.get()
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


class Awaits:
    """Counts what the coroutines of requests await.

    Args:
        totals: Counts the waits.
        loops: Knows when what a task waits for has happened.
    """

    def __init__(self, totals: Totals, loops: Loops) -> None:
        """Begin without requests."""
        self.totals, self.loops = totals, loops

    def observe(self, imports: Imports) -> None:
        """Observe the requests of common servers and frameworks from now on."""
        for module, cls, method in SERVED_BY:
            imports.patch(module, functools.partial(self._serve, cls, method))
        imports.patch("concurrent.futures.thread", self._observe_threads)

    def child(self, coroutine: Any) -> Any:
        """Return the coroutine for a new task, which a request may be about to make."""
        request = current.get()
        if request is None or request.answered < math.inf:
            return coroutine
        if not isinstance(coroutine, Coroutine):  # the event loop refuses it
            return coroutine
        return Steps(coroutine, request, self, True)

    def _serve(self, cls: str, method: str, module: Any) -> None:
        owner = getattr(module, cls)
        original = getattr(owner, method)

        @functools.wraps(original)
        async def served(self_: Any, *args: Any, **options: Any) -> Any:
            outer = current.get()
            # A connection that is kept may run in the context of an earlier request.
            inside = outer is not None and outer.answered == math.inf
            if inside or not is_http(args):
                return await original(self_, *args, **options)
            request = Request()
            # uvicorn makes a task for each request, which waits for nothing before.
            self.loops.by_request |= method == "run_asgi"
            by_asgi = len(args) == 3
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
                request.answered = min(request.answered, perf_counter())
                if method == "run_asgi":  # else a cycle of references remains
                    vars(self_).pop("send", None)

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

    def add(
        self,
        coroutine: Any,
        request: Request,
        others: int,
        since: float,
        ended: float,
    ) -> None:
        """Count a wait of a coroutine, unless it is counted elsewhere.

        Waits without a line of the user's code are not counted either: servers and
        frameworks wait for their clients.

        Args:
            coroutine: The coroutine; it is still suspended.
            request: The request that it serves.
            others: How many other tasks its request could be waiting for.
            since: When the wait began.
            ended: When it ended.
        """
        place: Optional[Place] = None
        frame: Optional[FrameType] = None
        resource = ""
        for frame, own in self._chain(coroutine):
            if frame.f_code.co_filename.endswith(IN_THREADS):
                return
            if own is not None:
                place, resource = own, ""
            elif not resource:
                resource = self.totals.project.called(frame)
        if frame is None:
            return
        for_itself = _is_sleep(frame) or frame.f_code.co_filename.endswith(FOR_ITSELF)
        if for_itself and place is None:
            # A task may run only library code, as in gather(sleep(1), sleep(2)).
            place = self.totals.project.made_at(current_task())
        # A task that waits for something else may wait for another one, which counts.
        if place is None or (others and not for_itself):
            return
        seconds, _ = request.count(since, ended)
        seconds -= request.ran_between(since, ended)
        if seconds > MIN_SECONDS:
            self.totals.add(KIND, resource, place, (), seconds)

    def _chain(self, coroutine: Any) -> Iterator[tuple[FrameType, Optional[Place]]]:
        """Yield the frames of a chain of awaits, outermost first, with their places."""
        of_code = self.totals.project.of_code
        for _ in range(DEEPEST):
            frame, coroutine = step(_seen_through(coroutine))
            if frame is None:
                return
            yield frame, of_code(frame.f_code, frame.f_lineno)


def is_http(args: Sequence[Any]) -> bool:
    """Say whether a server's call serves a request, and not a socket or a start-up.

    Args:
        args: The arguments of the call: the arguments of ASGI, or a request.
    """
    if len(args) == 3 and isinstance(args[0], dict):
        return bool(args[0].get("type") == "http")
    headers = getattr(args[0], "headers", None) if args else None
    return not (isinstance(headers, Mapping) and "Sec-WebSocket-Key" in headers)


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


def _is_sleep(frame: FrameType) -> bool:
    """Say whether a frame is that of `asyncio.sleep`."""
    code = frame.f_code
    return code.co_name == "sleep" and code.co_filename.endswith(
        os.path.join("asyncio", "tasks.py")
    )
