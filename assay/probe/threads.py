"""Time waits for worker threads, and find what keeps the threads busy."""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any, Callable, Optional

from .imports import Imports
from .locks import of_threads
from .places import Place
from .request import current, serving
from .totals import get_ident, perf_counter, thread_time
from .waits import KIND as OTHER_WAITS
from .waits import Waits

THREADS = "thread pool"
RESULT = "concurrent.futures.Future.result"


def observe(imports: Imports, waits: Waits) -> None:
    """Observe pools of threads, and what waits for their results, from now on."""

    def after(name: str, patch: Callable[[ModuleType, Waits], None]) -> None:
        imports.patch(name, lambda module: patch(module, waits))

    after("anyio.to_thread", _anyio)
    after("concurrent.futures.thread", _executor)
    after("waitress.task", _waitress)
    after("flask.app", _flask)
    after("django.core.handlers.base", _django)
    after("concurrent.futures._base", _future)
    imports.patch("asyncio.tasks", _from_thread)


class Threads:
    """The busy worker threads of one pool, and the functions that wait for a thread.

    Args:
        waits: Times the functions that the threads run.
        resource: The kind of pool.
    """

    def __init__(self, waits: Waits, resource: str) -> None:
        """Begin without busy threads."""
        self._waits, self._totals = waits, waits.totals
        self._resource = resource
        self._busy: dict[int, Any] = {}  # the function that each busy thread runs
        # The CPU time of each thread when its last function had ended.
        self._spent: dict[int, float] = {}

    def timed(
        self, function: Any, full: Callable[[int], bool], given: Sequence[Any] = ()
    ) -> Any:
        """Return a function that counts how long it waited for its thread.

        Args:
            function: The function that a worker thread will call.
            full: Takes the number of busy threads, and says whether no thread is free.
            given: Arguments of the function; one may be a generator that it resumes.
        """
        project = self._totals.project
        place = project.of_callable(function) or project.of_generator(given)
        place = place or project.here()
        behalf = serving(place)
        holders: list[Optional[Place]] = []
        if full(len(self._busy)):
            busy = list(self._busy.items())
            holders = [
                place or project.of_callable(runs)
                for place, (_, runs) in zip(
                    of_threads(project, tuple(ident for ident, _ in busy)), busy
                )
            ]
        request, asked = current.get(), perf_counter()

        def run(*args: Any, **options: Any) -> Any:
            ident, now, cpu = get_ident(), perf_counter(), thread_time()
            # The thread's CPU time, and time in which the request ran, are not waits.
            # A thread that has just begun may have the identifier of an earlier one.
            overhead = max(0.0, cpu - self._spent.get(ident, cpu))
            waited = now - asked - overhead
            if request is not None:
                waited -= request.ran_between(asked, now)
            waited = max(0.0, waited)
            self._totals.add(THREADS, self._resource, place, holders, waited)
            self._busy[ident] = function
            try:
                with project.on_behalf_of(behalf):
                    return self._waits.call(place, function, args, options)
            finally:
                self._busy.pop(ident, None)
                self._spent[ident] = thread_time()

        return run


def _anyio(module: Any, waits: Waits) -> None:
    original, threads = module.run_sync, Threads(waits, "anyio")

    @functools.wraps(original)
    def run_sync(func: Any, *args: Any, **options: Any) -> Any:
        def full(busy: int) -> bool:
            limiter = options.get("limiter")
            limiter = limiter or module.current_default_thread_limiter()
            return bool(limiter.available_tokens < 1)

        return original(threads.timed(func, full, args), *args, **options)

    module.run_sync = run_sync


def _executor(module: Any, waits: Waits) -> None:
    executor = module.ThreadPoolExecutor
    original = executor.submit

    def submit(self: Any, fn: Any, /, *args: Any, **options: Any) -> Any:
        threads = self.__dict__.get("_assay_threads")
        if threads is None:
            threads = self._assay_threads = Threads(waits, "ThreadPoolExecutor")
        called = functools.partial(fn, *args, **options)
        future = original(
            self, threads.timed(called, lambda busy: busy >= self._max_workers)
        )
        future._assay_counted = True
        return future

    executor.submit = submit


def _from_thread(module: Any) -> None:
    """Mark the futures of coroutines, which count their own waits."""
    original = module.run_coroutine_threadsafe

    @functools.wraps(original)
    def run_coroutine_threadsafe(*args: Any, **options: Any) -> Any:
        future = original(*args, **options)
        future._assay_counted = True
        return future

    module.run_coroutine_threadsafe = run_coroutine_threadsafe
    package = sys.modules.get("asyncio")
    if package is not None:
        setattr(package, "run_coroutine_threadsafe", run_coroutine_threadsafe)


def _future(module: Any, waits: Waits) -> None:
    """Note the time that a thread waits for the result of a future.

    The thread or coroutine that computes the result counts its own waits. If it is not
    known who does, and the user's own code asks for the result, this is a wait.
    """
    totals, original = waits.totals, module.Future.result
    project = totals.project

    @functools.wraps(original)
    def result(self: Any, timeout: Optional[float] = None) -> Any:
        counted = hasattr(self, "_assay_counted") or self.done()
        caller = sys._getframe(1).f_code.co_filename
        began = perf_counter()
        try:
            return original(self, timeout)
        finally:
            waited = perf_counter() - began
            if not counted and waits.is_working() and project.relative(caller):
                totals.add(OTHER_WAITS, RESULT, project.here(), (), waited)
            totals.waited(waited)
            del self  # otherwise the traceback of a failed future keeps it alive

    module.Future.result = result


def _waitress(module: Any, waits: Waits) -> None:
    dispatcher = module.ThreadedTaskDispatcher
    original = dispatcher.add_task

    def add_task(self: Any, task: Any) -> Any:
        threads = self.__dict__.get("_assay_threads")
        if threads is None:
            threads = self._assay_threads = Threads(waits, "waitress")
        # The task is the connection. It is added again for each of its requests.
        service = task.__dict__.setdefault("_assay_service", task.service)
        task.service = threads.timed(service, lambda busy: busy >= len(self.threads))
        return original(self, task)

    dispatcher.add_task = add_task


def _flask(module: Any, waits: Waits) -> None:
    """Observe views, which run in threads of the server, and the code around them."""
    original = module.Flask.ensure_sync

    def ensure_sync(self: Any, func: Any) -> Any:
        view = original(self, func)
        return view if is_coroutine_function(func) else _view(waits, view)

    module.Flask.ensure_sync = ensure_sync
    _around(waits, module.Flask, "full_dispatch_request")


def _django(module: Any, waits: Waits) -> None:
    """Observe views, which run in threads of the server, and the code around them."""
    original = module.BaseHandler.make_view_atomic

    def make_view_atomic(self: Any, view: Any) -> Any:
        atomic = original(self, view)
        return atomic if is_coroutine_function(view) else _view(waits, atomic)

    module.BaseHandler.make_view_atomic = make_view_atomic
    _around(waits, module.BaseHandler, "get_response")


def _around(waits: Waits, owner: Any, method: str) -> None:
    """Count the waits of a method that nothing else counts."""
    original = getattr(owner, method)

    @functools.wraps(original)
    def timed(*args: Any, **options: Any) -> Any:
        return waits.call(None, original, args, options)

    setattr(owner, method, timed)


def _view(waits: Waits, view: Any) -> Any:
    """Return a view whose otherwise uncounted waits are counted."""
    place = waits.totals.project.of_callable(view)

    @functools.wraps(view)
    def timed(*args: Any, **options: Any) -> Any:
        return waits.call(place, view, args, options)

    return timed


def is_coroutine_function(function: Any) -> bool:
    """Say whether a call of a function returns a coroutine."""
    while isinstance(function, functools.partial):
        function = function.func
    function = getattr(function, "__func__", function)
    call = getattr(type(function), "__call__", None)
    code = getattr(function, "__code__", None) or getattr(call, "__code__", None)
    return bool(code and code.co_flags & 0x80)  # CO_COROUTINE
