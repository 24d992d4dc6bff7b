"""The samples of one slice or one load test: exact times, in arrays in memory."""

import math
from array import array
from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from assay.load import lateness, limits
from assay.load.answers import Columns
from assay.load.protocol import COLUMNS, REQUEST, TASK, Name

NO_USER = 0xFFFF
# Values of the column `failed`: no error, an error, or a client that gave up waiting.
FINE, FAILED, TIMED_OUT = range(3)
MAX_NAMES = 1000
OTHER = "(other names)"
OTHER_ERRORS = "(other errors)"
UNSERVED = "(unserved)"
ERROR_LENGTH = 200
# Where errors keep what they wrap: Python's, Locust's, geventhttpclient's.
WRAPPED = ("__cause__", "reason", "original")


@dataclass(frozen=True)
class Recording:
    """What a recorder took between two flushes; see `assay.load.answers.Slice`."""

    columns: Columns = field(repr=False)
    iterations: Columns = field(repr=False)
    names: list[Name]
    errors: dict[str, int]
    tasks: dict[str, int]
    raised: dict[str, int]
    lags: dict[str, int]
    own: dict[str, int]
    lag_p50: float
    lag_p99: float
    own_p50: float
    own_p99: float
    stall: float
    reconnects: int
    limit: str

    def totals(self) -> dict[str, Any]:
        """Return all fields but the samples, by name."""
        samples = ("columns", "iterations")
        names = [item.name for item in fields(self) if item.name not in samples]
        return {name: getattr(self, name) for name in names}


class Recorder:
    """Takes the samples of requests and of tasks.

    A task has a sample of its own where it made several requests, is a whole journey,
    or raised an exception although none of its requests had failed.

    Attributes:
        columns: One array for each column of `COLUMNS`.
        names: The numbers of the names in the column `name`.
        errors: How often each error occurred: method and name of its request, and text.
        lengths: Bytes of the answers, by name.
        tasks: How many tasks of each name have ended.
        raised: Exceptions of tasks none of whose requests had failed, with counts.
        lags: How many seconds late each arrival began.
        own: The generator's own delay of each arrival, in seconds.
        stall: The longest delay of this process's heartbeat, in seconds.
        reconnects: Connections that a server had closed and that were opened again,
            as far as the client reports them.
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
            Its value in the column `failed`.
        """
        outcome = FINE
        if error is not None:
            outcome = _outcome(error)
            text = str(error)[:ERROR_LENGTH]
            self._count(self.errors, tuple(map(_encodable, (*name[1:], text))))
            self.limit = self.limit or limits.explain(error)
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
        """Take the exception of a task none of whose requests had failed."""
        text = f"task {name} raised {type(error).__name__}: {error}"
        self._count(self.raised, _encodable(text[:ERROR_LENGTH]))
        self.limit = self.limit or limits.explain(error)

    def add_unserved(self, scheduled: float) -> None:
        """Take an arrival that nobody answered: its end is unknown."""
        name = REQUEST, "", UNSERVED
        self.add(name, scheduled, 0.0, math.nan, math.nan, NO_USER, "no answer")

    def flush(self) -> Recording:
        """Return what came since the last flush, and forget it.

        Names are never forgotten: numbers keep their meaning.
        """
        errors = Counter[str]()
        for error, count in self.errors.items():
            errors[error_text(*error)] += count
        recording = Recording(
            columns=_columns(self.columns),
            iterations=_columns(self.iterations),
            names=list(self.names),
            errors=dict(errors),
            tasks=dict(self.tasks),
            raised=dict(self.raised),
            lags=lateness.binned(self.lags),
            own=lateness.binned(self.own),
            lag_p50=_quantile(self.lags, 0.5),
            lag_p99=_quantile(self.lags, 0.99),
            own_p50=_quantile(self.own, 0.5),
            own_p99=_quantile(self.own, 0.99),
            stall=self.stall,
            reconnects=self.reconnects,
            limit=self.limit,
        )
        self._begin()
        return recording

    def _begin(self) -> None:
        self.columns, self.iterations = _empty(), _empty()
        # Bound once: they are called for every request.
        self._appends = tuple(self.columns[name].append for name, _ in COLUMNS)
        self.errors: Counter[Name] = Counter()
        self.lengths: Counter[Name] = Counter()
        self.tasks: Counter[str] = Counter()
        self.raised: Counter[str] = Counter()
        self.lags, self.own = array("d"), array("d")
        self.stall, self.reconnects = 0.0, 0

    def _count(self, counter: Counter[Any], error: Any) -> None:
        """Count an error; errors with ids in them must not grow without bound."""
        if error not in self._known_errors:
            if len(self._known_errors) >= MAX_NAMES:
                is_text = isinstance(error, str)
                error = OTHER_ERRORS if is_text else ("", "", OTHER_ERRORS)
            self._known_errors.add(error)
        counter[error] += 1

    def _number(self, name: Name) -> int:
        """Return the number of a name; names with ids must not grow without bound."""
        kind, method, text = name
        name = kind, _encodable(method), _encodable(text)
        number = self.names.get(name)
        if number is None:
            if len(self.names) >= MAX_NAMES:
                name = kind, "", OTHER
            number = self.names.setdefault(name, len(self.names))
        return number


def error_text(method: str, name: str, text: str) -> str:
    """Return an error's text, preceded by its request."""
    request = f"{method} {name}".strip()
    return f"{request}: {text}" if request else text


def _encodable(text: str) -> str:
    """Return a text without lone surrogates, which UTF-8 cannot encode."""
    return text.encode("utf-8", "replace").decode()


def _empty() -> dict[str, "array[Any]"]:
    return {name: array(code) for name, code in COLUMNS}


def _columns(arrays: dict[str, "array[Any]"]) -> Columns:
    return {name: np.frombuffer(arrays[name], code) for name, code in COLUMNS}


def _quantile(values: "array[float]", share: float) -> float:
    ordered = sorted(values)
    return ordered[int(share * (len(ordered) - 1))] if ordered else 0.0


def _outcome(error: object) -> int:
    """Return whether a request failed, or its client gave up waiting for the answer.

    Clients have timeouts of many types, so the name of the type decides: that of the
    error or of what it wraps.
    """
    if error is None:
        return FINE
    wrapped = (getattr(error, name, None) for name in WRAPPED)
    for cause in (error, *wrapped):
        if isinstance(cause, BaseException) and any(
            "timeout" in base.__name__.lower() for base in type(cause).__mro__
        ):
            return TIMED_OUT
    return FAILED
