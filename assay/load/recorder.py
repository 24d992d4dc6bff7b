"""The samples of one slice: exact times, in arrays in memory."""

import math
from array import array
from collections import Counter
from typing import Any

from assay.load import lateness, limits
from assay.load.protocol import COLUMNS, REQUEST, TASK

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

Name = tuple[str, str, str]  # kind, method, name


class Recorder:
    """Takes samples: those of requests, and those of tasks.

    A task has a row of its own where it made several requests, is a whole journey,
    or raised something although none of its requests had failed.

    Attributes:
        columns: One array for each column of `COLUMNS`.
        names: The numbers of the names in the column `name`.
        errors: How often each error came: method and name of its request, and text.
        lengths: Bytes of the answers, by name.
        tasks: How many tasks of each name have ended.
        raised: What tasks raised of their own, and how often.
        lags: Seconds from when arrivals could have begun to when they did.
        own: Seconds of the generator's own part, of each arrival.
        stall: Seconds that this process was late for its own heartbeat, at worst.
        reconnects: Connections that a server had closed and that were opened again,
            as far as the client tells.
        limit: Which limit of this machine was hit, as a sentence; empty if none was.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self._begin()
        self.names: dict[Name, int] = {}
        self.limit = ""
        self._known_errors: set[object] = set()

    def add(
        self,
        name: Name,
        scheduled: float,
        waited: float,
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
            text = str(error)[:ERROR_LENGTH]
            self._count(self.errors, tuple(map(_sound, (*name[1:], text))))
            self.limit = self.limit or limits.hit(error)
        number = self.names.get(name)
        if number is None:
            number = self._number(name)
        to_scheduled, to_start, to_end, to_waited, to_name, to_user, to_failed = (
            self._appends
        )
        to_scheduled(scheduled)
        to_start(start)
        to_end(end)
        to_waited(waited)
        to_name(number)
        to_user(user)
        to_failed(outcome)
        return outcome

    def add_task(
        self,
        name: str,
        scheduled: float,
        waited: float,
        start: float,
        end: float,
        user: int,
        outcome: int,
    ) -> None:
        """Take a task as a whole; it fails if one of its requests did."""
        number = self._number((TASK, "", name))
        row = scheduled, start, end, waited, number, user, outcome
        for (column, _), value in zip(COLUMNS, row, strict=True):
            self.iterations[column].append(value)

    def add_raised(self, name: str, error: BaseException) -> None:
        """Take what a task raised although none of its requests had failed."""
        said = f"task {name} raised {type(error).__name__}: {error}"
        self._count(self.raised, _sound(said[:ERROR_LENGTH]))
        self.limit = self.limit or limits.hit(error)

    def add_unserved(self, scheduled: float) -> None:
        """Take an arrival that nobody answered: its end is unknown."""
        name = REQUEST, "", UNSERVED
        self.add(name, scheduled, 0.0, math.nan, math.nan, NO_USER, "no answer")

    def body(self) -> bytes:
        """Return all columns as the body of an answer: requests, then tasks."""
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
        errors = Counter[str]()
        for error, count in self.errors.items():
            errors[told(*error)] += count
        header = {
            "requests": len(self.columns["end"]),
            "iterations": len(self.iterations["end"]),
            "names": [list(name) for name in self.names],
            "errors": dict(errors),
            "tasks": dict(self.tasks),
            "raised": dict(self.raised),
            "lags": lateness.binned(self.lags),
            "own": lateness.binned(self.own),
            "lag_p50": _quantile(self.lags, 0.5),
            "lag_p99": _quantile(self.lags, 0.99),
            "own_p50": _quantile(self.own, 0.5),
            "own_p99": _quantile(self.own, 0.99),
            "stall": self.stall,
            "reconnects": self.reconnects,
            "limit": self.limit,
        }
        body = self.body()
        self._begin()
        return header, body

    def _begin(self) -> None:
        self.columns, self.iterations = _empty(), _empty()
        # Bound once: this is done for every request.
        self._appends = tuple(self.columns[name].append for name, _ in COLUMNS)
        self.errors: Counter[Name] = Counter()
        self.lengths: Counter[Name] = Counter()
        self.tasks: Counter[str] = Counter()
        self.raised: Counter[str] = Counter()
        self.lags, self.own = array("d"), array("d")
        self.stall, self.reconnects = 0.0, 0

    def _count(self, counter: Counter[Any], error: Any) -> None:
        if error not in self._known_errors:
            # Nor must one that puts ids into its errors, in a test of many hours.
            if len(self._known_errors) >= MAX_NAMES:
                whole = isinstance(error, str)
                error = OTHER_ERRORS if whole else ("", "", OTHER_ERRORS)
            self._known_errors.add(error)
        counter[error] += 1

    def _number(self, name: Name) -> int:
        kind, method, text = name
        name = kind, _sound(method), _sound(text)
        number = self.names.get(name)
        if number is None:
            # A locustfile that puts ids into names must not grow without bound.
            if len(self.names) >= MAX_NAMES:
                name = kind, "", OTHER
            number = self.names.setdefault(name, len(self.names))
        return number


def told(method: str, name: str, text: str) -> str:
    """Return an error with the request that it is of."""
    request = f"{method} {name}".strip()
    return f"{request}: {text}" if request else text


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
