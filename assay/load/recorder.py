"""The samples of one slice or one load test: exact times, in arrays in memory."""

import math
from array import array
from collections import Counter
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any

import numpy as np

from assay.load import lateness, limits, tracebacks
from assay.load.answers import Columns
from assay.load.protocol import COLUMNS, MAX_SIZE, MAX_STATUS, REQUEST, TASK, Name
from assay.system import redaction

NO_USER = 0xFFFF
# Values of the column `failed`: no error, an error, or a client that gave up waiting.
FINE, FAILED, TIMED_OUT = range(3)
MAX_NAMES = 1000
OTHER = "(other names)"
OTHER_ERRORS = "(other errors)"
UNSERVED = "(unserved)"
ERROR_LENGTH = 200
READ_LENGTH = 400  # characters of an error in which secrets are looked for
# What became of a request: its error or None, and its answer's status and size.
Answer = tuple[object, int, int]
NO_ERROR: Answer = (None, 0, 0)
# The attributes in which an error keeps the error that it wraps: those of Python,
# Locust and geventhttpclient.
WRAPPED = ("__cause__", "reason", "original")


@dataclass(frozen=True)
class Recording:
    """The samples and counts between two flushes; see `assay.load.answers.Slice`."""

    request_columns: Columns = field(repr=False)
    task_columns: Columns = field(repr=False)
    names: list[Name]
    errors: dict[str, int]
    tasks: dict[str, int]
    raised: dict[str, int]
    tracebacks: dict[str, str]
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
        samples = ("request_columns", "task_columns")
        names = [item.name for item in fields(self) if item.name not in samples]
        return {name: getattr(self, name) for name in names}


class Recorder:
    """Records the samples of requests and of tasks.

    A task is also recorded as a whole if it made several requests, if it is a journey
    (a whole `SequentialTaskSet`), or if it raised an exception although none of its
    requests had failed.

    Attributes:
        request_columns: The samples of requests: one array per column of `COLUMNS`.
        task_columns: The samples of the tasks that are recorded as a whole, in the same
            columns.
        names: Maps each name to its number in the column `name`.
        errors: How often each error occurred. The key has the method and the name of
            the request, and the text of the error.
        tasks: How many tasks of each name have ended.
        raised: How often each exception of a task occurred, not counting tasks that had
            a failed request.
        tracebacks: The traceback of the first occurrence of most of these exceptions.
        lags: For each arrival, the seconds from when it was due and a user was free,
            until it began.
        generator_delays: How late the first request of each arrival was sent, in
            seconds after the arrival could have begun: the lag, plus the work of the
            task and of the client before that request.
        stall: The longest delay of this process's heartbeat, in seconds.
        reconnects: How often a connection that a server had closed was opened again, as
            far as the client reports it.
        limit: Which limit of this machine was hit, as a sentence; empty if none was.
    """

    def __init__(self) -> None:
        """Begin without samples."""
        self._begin()
        self.names: dict[Name, int] = {}
        self.limit = ""
        self._known_errors: set[object] = set()
        self._traced: set[str] = set()  # errors whose traceback was recorded

    def add(
        self,
        name: Name,
        scheduled: float,
        waited: float,
        start: float,
        end: float,
        user: int,
        answer: Answer = NO_ERROR,
    ) -> int:
        """Record a request, with times in seconds of `time.perf_counter`.

        Args:
            name: Kind, method and name of the request.
            scheduled: When its arrival was due.
            waited: How long the arrival waited for a free user, while all users were
                waiting for the target.
            start: When the request was sent.
            end: When it was answered.
            user: Number of the user.
            answer: Why it failed, or None; and the status and size of its answer.

        Returns:
            The request's value in the column `failed`.
        """
        outcome, (error, status, size) = FINE, answer
        if error is not None:
            outcome = _outcome(error)
            text = _shown(str(error)[:READ_LENGTH])
            self._count(self.errors, (*map(_encodable, name[1:]), text))
            self.limit = self.limit or limits.explain(error)
        number = self.names.get(name)
        if number is None:
            number = self._number(name)
        (
            to_scheduled,
            to_start,
            to_end,
            to_waited,
            to_name,
            to_user,
            to_failed,
            to_status,
            to_size,
        ) = self._appends
        to_scheduled(scheduled)
        to_start(start)
        to_end(end)
        to_waited(waited)
        to_name(number)
        to_user(user)
        to_failed(outcome)
        to_status(status)
        to_size(size)
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
        """Record a task as a whole, with times in seconds of `time.perf_counter`."""
        number = self._number((TASK, "", name))
        row = scheduled, start, end, waited, number, user, outcome, 0, 0
        for (column, _), value in zip(COLUMNS, row, strict=True):
            self.task_columns[column].append(value)

    def add_raised(self, name: str, error: BaseException) -> None:
        """Record the exception of a task in which no request had failed."""
        text = f"task {name} raised {type(error).__name__}: {error}"
        text = _shown(text[:READ_LENGTH])
        if text not in self._traced and len(self._traced) < tracebacks.MAX_TRACEBACKS:
            self._traced.add(text)
            self.tracebacks[text] = _encodable(tracebacks.text(error))
        self._count(self.raised, text)
        self.limit = self.limit or limits.explain(error)

    def add_unserved(self, scheduled: float, start: float = math.nan) -> None:
        """Record an arrival that was never answered: its end is unknown.

        Args:
            scheduled: When it was due.
            start: When its last request was sent; NaN if no user had taken it.
        """
        name = REQUEST, "", UNSERVED
        self.add(name, scheduled, 0.0, start, math.nan, NO_USER, ("no answer", 0, 0))

    def flush(self) -> Recording:
        """Return the samples and counts since the last flush, and forget them.

        Names are never forgotten, so the numbers of names keep their meaning.
        """
        errors = Counter[str]()
        for error, count in self.errors.items():
            errors[error_text(*error)] += count
        recording = Recording(
            request_columns=_columns(self.request_columns),
            task_columns=_columns(self.task_columns),
            names=list(self.names),
            errors=dict(errors),
            tasks=dict(self.tasks),
            raised=dict(self.raised),
            tracebacks=self.tracebacks,
            lags=lateness.binned(self.lags),
            own=lateness.binned(self.generator_delays),
            lag_p50=_quantile(self.lags, 0.5),
            lag_p99=_quantile(self.lags, 0.99),
            own_p50=_quantile(self.generator_delays, 0.5),
            own_p99=_quantile(self.generator_delays, 0.99),
            stall=self.stall,
            reconnects=self.reconnects,
            limit=self.limit,
        )
        self._begin()
        return recording

    def _begin(self) -> None:
        self.request_columns, self.task_columns = _empty(), _empty()
        # These methods are looked up once, because they are called for every request.
        self._appends = tuple(self.request_columns[name].append for name, _ in COLUMNS)
        self.errors: Counter[Name] = Counter()
        self.tasks: Counter[str] = Counter()
        self.raised: Counter[str] = Counter()
        self.tracebacks: dict[str, str] = {}
        self.lags, self.generator_delays = array("d"), array("d")
        self.stall, self.reconnects = 0.0, 0

    def _count(self, counter: Counter[Any], error: Any) -> None:
        """Count an error; at most MAX_NAMES are kept, since texts may contain ids."""
        if error not in self._known_errors:
            if len(self._known_errors) >= MAX_NAMES:
                is_text = isinstance(error, str)
                error = OTHER_ERRORS if is_text else ("", "", OTHER_ERRORS)
            self._known_errors.add(error)
        counter[error] += 1

    def _number(self, name: Name) -> int:
        """Return a name's number; at most MAX_NAMES are kept, as they may hold ids."""
        kind, method, text = name
        name = kind, _encodable(method), _encodable(text)
        number = self.names.get(name)
        if number is None:
            if len(self.names) >= MAX_NAMES:
                name = kind, "", OTHER
            number = self.names.setdefault(name, len(self.names))
        return number


def answer_of(error: object, response: object, size: object) -> Answer:
    """Return what became of a request, from the fields of Locust's request event.

    The user's own client may report anything: an invalid status or size counts as 0,
    and a size above `MAX_SIZE` as `MAX_SIZE`.
    """
    status = getattr(response, "status_code", 0)
    if not isinstance(status, int) or not 0 <= status <= MAX_STATUS:
        status = 0
    if not isinstance(size, int) or size < 0:
        size = 0
    return error, status, min(size, MAX_SIZE)


def error_text(method: str, name: str, text: str) -> str:
    """Return an error's text, preceded by its request."""
    request = f"{method} {name}".strip()
    return f"{request}: {text}" if request else text


@lru_cache(maxsize=MAX_NAMES)
def _shown(text: str) -> str:
    """Return the text of an error: first secrets are removed, then it is cut off."""
    return redaction.text(_encodable(text))[:ERROR_LENGTH]


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
    """Return FINE, FAILED or TIMED_OUT.

    Each client has its own types of timeouts. So an error counts as a timeout if
    "timeout" is in the name of its type, or of the type of an error that it wraps.
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
