"""The samples of one slice: exact times, in arrays in memory."""

import math
from array import array
from collections import Counter
from typing import Any

from assay.load.protocol import COLUMNS

NO_USER = 0xFFFF
# What the column `failed` says: nothing wrong, an error, or given up waiting.
FINE, FAILED, TIMED_OUT = range(3)
MAX_NAMES = 1000
OTHER = "(other names)"
OTHER_ERRORS = "(other errors)"
UNSERVED = "(unserved)"
ERROR_LENGTH = 200
# Where errors keep what they wrap: Python's, Locust's, geventhttpclient's.
WRAPPED = ("__cause__", "reason", "original")


class Recorder:
    """Takes samples: those of requests, and those of iterations.

    An iteration is a task that made several requests.

    Attributes:
        columns: One array for each column of `COLUMNS`.
        names: The numbers of the names in the column `name`.
        errors: How often each error came.
        lags: Seconds that arrivals were sent late by this process itself.
        stall: Seconds that this process was late for its own heartbeat, at worst.
        reconnects: Connections that a server had closed and that were opened again,
            as far as the client tells.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self._begin()
        self.names: dict[str, int] = {}
        self.errors: Counter[str] = Counter()
        self._known_errors: set[str] = set()
        self.lags = array("d")
        self.stall = 0.0
        self.reconnects = 0

    def add(
        self,
        name: str,
        scheduled: float,
        start: float,
        end: float,
        user: int,
        error: object = None,
    ) -> int:
        """Take a request; times in seconds of `time.perf_counter`.

        Returns:
            What the column `failed` says of it.
        """
        outcome = FINE
        if error is not None:
            outcome = _outcome(error)
            self._count(f"{name}: {error}")
        number = self.names.get(name)
        if number is None:
            number = self._number(name)
        to_scheduled, to_start, to_end, to_name, to_user, to_failed = self._appends
        to_scheduled(scheduled)
        to_start(start)
        to_end(end)
        to_name(number)
        to_user(user)
        to_failed(outcome)
        return outcome

    def add_iteration(
        self,
        name: str,
        scheduled: float,
        start: float,
        end: float,
        user: int,
        outcome: int,
    ) -> None:
        """Take a task that made several requests; it fails if one of them did."""
        row = scheduled, start, end, self._number(name), user, outcome
        for (column, _), value in zip(COLUMNS, row, strict=True):
            self.iterations[column].append(value)

    def add_unserved(self, scheduled: float) -> None:
        """Take an arrival that nobody answered: its end is unknown."""
        self.add(UNSERVED, scheduled, math.nan, math.nan, NO_USER, "no answer")

    def body(self) -> bytes:
        """Return all columns as the body of an answer: requests, then iterations."""
        return b"".join(
            columns[name].tobytes()
            for columns in (self.columns, self.iterations)
            for name, _ in COLUMNS
        )

    def flush(self) -> tuple[dict[str, Any], bytes]:
        """Return what came since the last time, and forget it.

        Returns:
            A header and a body, as in an answer. The names are all that there are.
        """
        header = {
            "requests": len(self.columns["end"]),
            "iterations": len(self.iterations["end"]),
            "names": list(self.names),
            "errors": dict(self.errors),
            "lag_p50": _quantile(self.lags, 0.5),
            "lag_p99": _quantile(self.lags, 0.99),
            "stall": self.stall,
            "reconnects": self.reconnects,
        }
        body = self.body()
        self._begin()
        self.errors.clear()
        self.lags, self.stall, self.reconnects = array("d"), 0.0, 0
        return header, body

    def _begin(self) -> None:
        self.columns, self.iterations = _empty(), _empty()
        # Bound once: this is done for every request.
        self._appends = tuple(self.columns[name].append for name, _ in COLUMNS)

    def _count(self, error: str) -> None:
        error = _sound(error[:ERROR_LENGTH])
        if error not in self._known_errors:
            # Nor must one that puts ids into its errors, in a test of many hours.
            if len(self._known_errors) >= MAX_NAMES:
                error = OTHER_ERRORS
            self._known_errors.add(error)
        self.errors[error] += 1

    def _number(self, name: str) -> int:
        name = _sound(name)
        number = self.names.get(name)
        if number is None:
            # A locustfile that puts ids into names must not grow without bound.
            if len(self.names) >= MAX_NAMES:
                name = OTHER
            number = self.names.setdefault(name, len(self.names))
        return number


def _sound(text: str) -> str:
    """Return a text without halves of letters, which no message could hold."""
    return text.encode("utf-8", "replace").decode()


def _empty() -> dict[str, "array[Any]"]:
    return {name: array(code) for name, code in COLUMNS}


def _quantile(values: "array[float]", share: float) -> float:
    ordered = sorted(values)
    return ordered[int(share * (len(ordered) - 1))] if ordered else 0.0


def _outcome(error: object) -> int:
    """Say whether a request failed, or its client gave up waiting for the answer.

    Clients have timeouts of many types, so the type's name decides, of the error
    or of what it wraps.
    """
    if error is None:
        return FINE
    wrapped = (getattr(error, name, None) for name in WRAPPED)
    for kind in (error, *wrapped):
        if isinstance(kind, BaseException) and any(
            "timeout" in known.__name__.lower() for known in type(kind).__mro__
        ):
            return TIMED_OUT
    return FAILED
