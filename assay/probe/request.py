"""One request that is being served: what it waits for counts once, and where it was."""

from __future__ import annotations

import contextvars
import functools
import math
from typing import Any, Optional

from .places import Place
from .totals import perf_counter

AT_ONCE = "at once: "  # before a kind: another wait of the request counts these seconds
ROUNDED = 1e-6  # a smaller share comes from rounding


class Request:
    """One request that is being served.

    Attributes:
        children: Tasks and calls in worker threads that it has begun, and that run.
        counted: The spans of time in which its waits have been counted, in order; they
            do not overlap.
        answered: When its answer was complete; infinity before.
        place: The user's function that served it last; None before.
    """

    __slots__ = ("children", "counted", "answered", "place")

    def __init__(self) -> None:
        """Begin without children."""
        self.children = 0
        self.counted: list[tuple[float, float]] = []
        self.answered = math.inf
        self.place: Optional[Place] = None

    def count(self, began: float, ended: float) -> tuple[float, float]:
        """Count a wait of this request.

        Several tasks of a request may wait at the same time, but the time counts once.
        What goes on after the answer costs the client nothing.

        Returns:
            Seconds that no other wait has counted, and those that others have counted.
        """
        ended = min(ended, self.answered)
        if ended <= began:
            return 0.0, 0.0
        first, last, at_once = began, ended, 0.0
        later = []
        while self.counted and self.counted[-1][1] > began:
            span = self.counted.pop()
            if span[0] >= ended:
                later.append(span)
                continue
            at_once += min(span[1], ended) - max(span[0], began)
            first, last = min(first, span[0]), max(last, span[1])
        self.counted.append((first, last))
        self.counted.extend(reversed(later))
        return ended - began - at_once, at_once

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


# The request that runs.
current: contextvars.ContextVar[Optional[Request]] = contextvars.ContextVar(
    "assay_probe_request", default=None
)


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


def shares(began: float, took: float) -> tuple[float, float]:
    """Return the share of a wait that counts, and the share that other waits overlap.

    The rest of the wait is after the answer.

    Args:
        began: When the wait began, by `perf_counter`; it ends now.
        took: How long it took, in seconds.
    """
    request = current.get()
    if request is None or took <= 0:
        return 1.0, 0.0
    alone, at_once = request.count(began, began + took)
    return alone / took, at_once / took
