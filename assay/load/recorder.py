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
UNSERVED = "(unserved)"
ERROR_LENGTH = 200
# Where errors keep what they wrap: Python's, Locust's, geventhttpclient's.
WRAPPED = ("__cause__", "reason", "original")


class Recorder:
    """Takes the samples of one slice."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.columns: dict[str, array[Any]] = {
            name: array(code) for name, code in COLUMNS
        }
        self.names: dict[str, int] = {}
        self.errors: Counter[str] = Counter()
        self.lags = array("d")
        self.stall = 0.0

    def add(
        self,
        name: str,
        scheduled: float,
        start: float,
        end: float,
        user: int,
        error: object = None,
    ) -> None:
        """Take one sample; times in seconds of `time.perf_counter`."""
        columns = self.columns
        columns["scheduled"].append(scheduled)
        columns["start"].append(start)
        columns["end"].append(end)
        columns["name"].append(self._number(name))
        columns["user"].append(user)
        columns["failed"].append(_outcome(error))
        if error is not None:
            self.errors[f"{name}: {error}"[:ERROR_LENGTH]] += 1

    def add_unserved(self, scheduled: float) -> None:
        """Take an arrival that nobody answered: its end is unknown."""
        self.add(UNSERVED, scheduled, math.nan, math.nan, NO_USER, "no answer")

    def body(self) -> bytes:
        """Return the columns as the body of an answer."""
        return b"".join(self.columns[name].tobytes() for name, _ in COLUMNS)

    def _number(self, name: str) -> int:
        number = self.names.get(name)
        if number is None:
            # A locustfile that puts ids into names must not grow without bound.
            if len(self.names) >= MAX_NAMES:
                name = OTHER
            number = self.names.setdefault(name, len(self.names))
        return number


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
