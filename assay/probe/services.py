"""Count and time calls to other services over HTTP, and find the calling lines."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any, Callable

from .fingerprints import of_address
from .imports import Imports
from .pools import inside
from .request import AT_ONCE, ROUNDED, shares
from .steps import Span, counted
from .threads import is_coroutine_function
from .totals import Totals, perf_counter, thread_time

KIND = "other service"


def observe(totals: Totals, imports: Imports) -> None:
    """Observe common HTTP clients.

    Time waiting for a pooled connection is not included. `pools` counts it.
    """

    def after(name: str, cls: str, method: str, address: Callable[..., str]) -> None:
        def patch(module: ModuleType) -> None:
            _wrap(getattr(module, cls), method, address, totals)

        imports.patch(name, patch)

    def of_request(_: Any, request: Any, *__: Any, **___: Any) -> str:
        return f"{getattr(request, 'method', '')} {of_address(str(request.url))}"

    def of_arguments(_: Any, method: Any, url: Any = "", *__: Any, **___: Any) -> str:
        return f"{method} {of_address(str(url))}"

    def of_pool(pool: Any, method: Any, url: Any = "", *_: Any, **__: Any) -> str:
        url = str(url)
        whole = f"{pool.scheme}://{pool.host}:{pool.port}{url}"
        return f"{method} {of_address(whole if url.startswith('/') else url)}"

    def of_opened(_: Any, fullurl: Any, *__: Any, **___: Any) -> str:
        url = fullurl if isinstance(fullurl, str) else fullurl.full_url
        return of_address(url)

    after("httpx._client", "Client", "send", of_request)
    after("httpx._client", "AsyncClient", "send", of_request)
    after("requests.sessions", "Session", "send", of_request)
    after("urllib3.connectionpool", "HTTPConnectionPool", "urlopen", of_pool)
    after("aiohttp.client", "ClientSession", "_request", of_arguments)
    after("urllib.request", "OpenerDirector", "open", of_opened)


def _wrap(owner: Any, method: str, address: Callable[..., str], totals: Totals) -> None:
    original = getattr(owner, method)

    def count(
        took: float, where: str, alone: float = 1.0, at_once: float = 0.0
    ) -> None:
        place, took = totals.project.here(), max(took, 0.0)
        totals.add(KIND, where, place, (), took * alone)
        if at_once > ROUNDED:
            totals.add(AT_ONCE + KIND, where, place, (), took * at_once)

    def named(*args: Any, **options: Any) -> str:
        try:
            return address(*args, **options)
        except Exception:
            return "?"

    if is_coroutine_function(original):

        @functools.wraps(original)
        async def timed_async(self: Any, *args: Any, **options: Any) -> Any:
            if inside.get() is not None:
                return await original(self, *args, **options)
            cell, span = [0.0], Span()
            token = inside.set(cell)
            try:
                with counted():
                    return await original(self, *args, **options)
            finally:
                inside.reset(token)
                waited = span.waited() - cell[0]
                where = named(self, *args, **options)
                took = perf_counter() - span.began
                count(waited, where, *shares(span.began, took, KIND, cell[0]))

        setattr(owner, method, timed_async)
    else:

        @functools.wraps(original)
        def timed(self: Any, *args: Any, **options: Any) -> Any:
            if inside.get() is not None:  # a redirect is part of the outer call
                return original(self, *args, **options)
            cell, waits = [0.0], totals.waits()
            cpu, began = thread_time(), perf_counter()
            token = inside.set(cell)
            try:
                return original(self, *args, **options)
            finally:
                inside.reset(token)
                took = perf_counter() - began
                spent = totals.waited_since(waits, cpu, took)
                count(took - spent - cell[0], named(self, *args, **options))

        setattr(owner, method, timed)
