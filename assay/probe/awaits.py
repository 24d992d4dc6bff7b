"""Time what the coroutines of a request await, if nothing else counts that wait.

The probe runs the coroutine of each request, and those of the tasks that it makes, step
by step. Each time such a coroutine suspends, the chain of its awaits shows the user's
line and the library function that this line awaits.
"""

from __future__ import annotations

import functools
import gc
import math
import os
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from types import FrameType
from typing import Any, Optional

from .imports import Imports
from .loops import Loops
from .places import DEEPEST, Place, current_task, step
from .request import Request, current
from .steps import MIN_SECONDS, Steps
from .totals import Totals, perf_counter

KIND = "await"
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


class Awaits:
    """Counts what the coroutines of requests await.

    Args:
        totals: Counts the waits.
        loops: Knows when the event that a task waits for happened.
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
        """Return the coroutine to run in a new task; `Steps` if a request makes it."""
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
            # uvicorn makes a task for each request; it waits for nothing before this.
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
                ended = request.ended = perf_counter()
                if by_asgi or method == "run_asgi":
                    request.answers()
                else:  # the framework sends the answer now
                    request.answered = ended
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
        # Any other wait may be for another task of the request, whose waits count.
        if place is None or (others and not for_itself):
            return
        seconds = request.count_idle(since, ended)
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
    """Say whether a server's call serves an HTTP request, not a socket or a start-up.

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
