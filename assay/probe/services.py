"""Calls to other services over HTTP: how many, how long, from which line."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any, Callable

from .fingerprints import of_address
from .imports import Imports
from .pools import inside
from .totals import Totals, perf_counter

KIND = "other service"


def observe(totals: Totals, imports: Imports) -> None:
    """Observe the usual clients; their waits for a connection are counted apart."""

    def after(name: str, cls: str, method: str, address: Callable[..., str]) -> None:
        def patch(module: ModuleType) -> None:
            _wrap(getattr(module, cls), method, address, totals)

        imports.patch(name, patch)

    def of_request(request: Any, *_: Any) -> str:
        return f"{getattr(request, 'method', '')} {of_address(str(request.url))}"

    def of_arguments(method: Any, url: Any = "", *_: Any) -> str:
        return f"{method} {of_address(str(url))}"

    def of_opened(request: Any, *_: Any) -> str:
        url = request if isinstance(request, str) else request.full_url
        return of_address(url)

    after("httpx._client", "Client", "send", of_request)
    after("httpx._client", "AsyncClient", "send", of_request)
    after("requests.sessions", "Session", "send", of_request)
    after("aiohttp.client", "ClientSession", "_request", of_arguments)
    after("urllib.request", "OpenerDirector", "open", of_opened)


def _wrap(owner: Any, method: str, address: Callable[..., str], totals: Totals) -> None:
    original = getattr(owner, method)

    def count(began: float, waited: float, args: Any) -> None:
        took = perf_counter() - began - waited
        try:
            where = address(*args)
        except Exception:
            where = "?"
        totals.add(KIND, where, totals.project.here(), (), took)

    if _is_coroutine_function(original):

        @functools.wraps(original)
        async def timed_async(self: Any, *args: Any, **options: Any) -> Any:
            cell, began = [0.0], perf_counter()
            token = inside.set(cell)
            try:
                return await original(self, *args, **options)
            finally:
                inside.reset(token)
                count(began, cell[0], args)

        setattr(owner, method, timed_async)
    else:

        @functools.wraps(original)
        def timed(self: Any, *args: Any, **options: Any) -> Any:
            cell, began = [0.0], perf_counter()
            token = inside.set(cell)
            try:
                return original(self, *args, **options)
            finally:
                inside.reset(token)
                count(began, cell[0], args)

        setattr(owner, method, timed)


def _is_coroutine_function(function: Any) -> bool:
    code = getattr(function, "__code__", None)
    return bool(code and code.co_flags & 0x80)  # CO_COROUTINE
