"""One request that is being served: each second that it waits counts once."""

from __future__ import annotations

import contextvars
import functools
import math
from typing import Any, Optional

from .places import Place
from .totals import perf_counter, thread_time

AT_ONCE = "at once: "  # prefix of a kind: another wait counts these seconds already
MOST = 1000  # spans of a request that are kept; the oldest are dropped
ROUNDED = 1e-6  # a smaller share comes from rounding


class Spans:
    """Spans of time that do not overlap, in order."""

    __slots__ = ("_spans",)

    def __init__(self) -> None:
        """Begin without spans."""
        self._spans: list[tuple[float, float]] = []

    def overlap(self, began: float, ended: float) -> float:
        """Return how many seconds of a span these spans cover."""
        seconds = 0.0
        for first, last in reversed(self._spans):
            if last <= began:
                break
            seconds += max(0.0, min(last, ended) - max(first, began))
        return seconds

    def add(self, began: float, ended: float) -> list[tuple[float, float]]:
        """Add a span, and return the parts of it that were not covered before."""
        new, right = [], ended
        first, last = began, ended
        later = []
        while self._spans and self._spans[-1][1] >= began:
            span = self._spans.pop()
            if span[0] > ended:
                later.append(span)
                continue
            if span[1] < right:
                new.append((span[1], right))
            right = min(right, span[0])
            first, last = min(first, span[0]), max(last, span[1])
        if began < right:
            new.append((began, right))
        self._spans.append((first, last))
        self._spans.extend(reversed(later))
        if len(self._spans) > MOST:  # a stream, for example
            del self._spans[: MOST // 2]
        return new


class Request:
    """One request that is being served.

    Attributes:
        children: How many of the tasks and calls in worker threads that it started
            have not ended.
        waits: Spans in which one of its tasks awaited something.
        pools: Spans in which one of its tasks waited for a pooled connection.
        turns: Spans in which one of its tasks waited for its turn in the event loop.
        answered: When its answer was complete; infinity before.
        answered_cpu: CPU time of the answering thread when it had sent the answer;
            infinity before, and if only the framework knows when it is sent.
        ended: When the coroutine that serves it had ended; infinity before.
        place: The user's function that served it last; None before.
        runs: Spans in which one of its coroutines ran.
        since: Since when one of its coroutines runs; 0 if none does.
        used: For each kind of event that pooled connections are used for, the spans
            that count as this kind.
    """

    __slots__ = (
        "children",
        "waits",
        "turns",
        "answered",
        "answered_cpu",
        "ended",
        "place",
        "pools",
        "runs",
        "since",
        "used",
    )

    def __init__(self) -> None:
        """Begin without children."""
        self.children = 0
        self.waits, self.pools, self.turns, self.runs = (Spans() for _ in range(4))
        self.answered = self.answered_cpu = self.ended = math.inf
        self.used: dict[str, Spans] = {}
        self.place: Optional[Place] = None
        self.since = 0.0

    def count(self, began: float, ended: float, kind: str) -> tuple[float, float]:
        """Count a span in which one of this request's tasks awaited something.

        Several tasks of a request may wait at the same time, but the time counts once.
        Time after the answer does not count, because it costs the client nothing.

        Args:
            began: When the wait began.
            ended: When it ended.
            kind: The kind of event that it counts as.

        Returns:
            Seconds that no other wait has counted, and those that others have counted.
        """
        ended = min(ended, self.answered)
        if ended <= began:
            return 0.0, 0.0
        new = self.waits.add(began, ended)
        used = self.used.setdefault(kind, Spans())
        for first, last in new:
            used.add(first, last)
        alone = sum(last - first for first, last in new)
        return alone, ended - began - alone

    def count_pooled(self, began: float, ended: float, use: str) -> tuple[float, float]:
        """Count a span in which one of its tasks waited for a pooled connection.

        Meanwhile other tasks use the pool's connections. Without the wait, this task
        would have been served at the same time, so the wait counts, and not theirs.

        Args:
            began: When the wait began.
            ended: When it ended.
            use: The kind of event that the connections are used for.

        Returns:
            Seconds that count as this wait, and those of them that `use` has counted.
        """
        ended = min(ended, self.answered)
        if ended <= began:
            return 0.0, 0.0
        used = self.used.get(use, Spans())
        alone = twice = 0.0
        for first, last in self.pools.add(began, ended):
            by_use = used.overlap(first, last)
            by_any = self.waits.overlap(first, last)
            alone += last - first - by_any + by_use
            twice += by_use
        self.waits.add(began, ended)
        return alone, twice

    def count_idle(self, began: float, ended: float) -> float:
        """Count a wait as `count` does.

        Returns:
            Seconds that no other wait has counted, and in which none of the request's
            coroutines ran.
        """
        ended = min(ended, self.answered)
        return self._idle(self.waits.add(began, ended)) if ended > began else 0.0

    def count_turn(self, began: float, ended: float) -> float:
        """Count a wait of one of its tasks for a turn.

        Returns:
            Seconds in which no other task of the request ran or waited for its turn.
        """
        ended = min(ended, self.answered)
        return self._idle(self.turns.add(began, ended)) if ended > began else 0.0

    def _idle(self, spans: list[tuple[float, float]]) -> float:
        """Return the seconds of some spans in which none of its coroutines ran."""
        return sum(
            max(0.0, last - first - self.ran_between(first, last))
            for first, last in spans
        )

    def ran_between(self, began: float, ended: float) -> float:
        """Return the seconds of a span in which its coroutines have run."""
        seconds = self.runs.overlap(began, ended)
        if self.since:
            seconds += max(0.0, ended - max(began, self.since))
        return seconds

    def answers(self) -> None:
        """Note that its answer was sent, unless that was noted before."""
        if self.answered == math.inf:
            self.answered, self.answered_cpu = perf_counter(), thread_time()

    def is_after(self, began: float) -> bool:
        """Say whether a callback of it that began then works after the answer.

        A task may outlive the request that made it, and serve all later ones. So only
        callbacks count that ran before the coroutine that serves the request ended.
        """
        return self.answered_cpu < math.inf and began <= self.ended

    def answering(self, send: Any) -> Any:
        """Return a function that sends an answer by ASGI, and notes its end."""

        @functools.wraps(send)
        async def noting(message: Any) -> Any:
            result = await send(message)
            is_body = message.get("type") == "http.response.body"
            if is_body and not message.get("more_body"):
                self.answers()
            return result

        return noting


# The request that runs.
current: contextvars.ContextVar[Optional[Request]] = contextvars.ContextVar(
    "assay_probe_request", default=None
)


def serving(place: Optional[Place]) -> Optional[Place]:
    """Note the place that serves the current request, and return it.

    If the place is None, return the place that was noted last.

    A framework works on behalf of this place, for example when it turns what the
    user's function returned into an answer.
    """
    request = current.get()
    if request is None:
        return place
    request.place = place or request.place
    return request.place


def shares(
    began: float, took: float, kind: str, pooled: float = 0.0
) -> tuple[float, float]:
    """Return the share of a wait that counts, and the share that other waits overlap.

    The rest of the wait is after the answer.

    Args:
        began: When the wait began, by `perf_counter`; it ends now.
        took: How long it took, in seconds.
        kind: The kind of event that it counts as.
        pooled: Seconds of it that are counted as a wait for a pooled connection; the
            shares are those of the rest.
    """
    request, rest = current.get(), took - pooled
    if request is None or rest <= 0:
        return 1.0, 0.0
    alone, at_once = request.count(began, began + took, kind)
    return min(1.0, alone / rest), max(0.0, at_once - pooled) / rest
