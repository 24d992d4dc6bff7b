"""The samples of a load test, read piece by piece, and what each of them took.

Latency is the waiting that the target caused, when no user was free since all of them
waited for answers, and the time from sent to answered. What the generator itself was
late by is in neither.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.analysis.statistics import Floats
from assay.load_results import UNNAMED, Name
from assay.run_directory.directory import NotARunError
from assay.run_directory.load_run import LoadRun

Numbers = NDArray[np.int64]
# With what the target made it wait; only since sent; and from the moment it was due,
# with what the generator was late by, too.
LATENCY, SERVICE, FROM_DUE = range(3)
TIMED_OUT = 2  # in the column `failed`, see assay.load.recorder


@dataclass(frozen=True)
class Groups:
    """What the samples belong to.

    Attributes:
        names: Of each group, each of them once.
        of: The group of each number in the column `name`: names that differed in
            nothing but a secret have become one.
    """

    names: tuple[Name, ...]
    of: Numbers

    @property
    def load(self) -> NDArray[np.bool_]:
        """Which groups are the load itself: not on_start, on_stop or tasks."""
        return np.array([name.kind == "request" for name in self.names], dtype=bool)


def groups(run: LoadRun) -> Groups:
    """Return what the samples of a test belong to.

    Raises:
        NotARunError: The names are damaged, or of an older version of Assay.
    """
    known: dict[Name, int] = {}
    of = []
    for name in run.names():
        own = name if name.label else name._replace(name=UNNAMED)
        of.append(known.setdefault(own, len(known)))
    return Groups(tuple(known), np.array(of, dtype=np.int64))


@dataclass(frozen=True)
class Samples:
    """Some of the samples.

    Attributes:
        group: The number of each one's group.
        scheduled: When each was due.
        start: When it was sent; NaN if it never was.
        end: When it was answered; NaN if it never was.
        waited: Seconds that it waited for a user, which the target caused.
        given_up: Those that nobody waited for any longer.
    """

    group: Numbers
    failed: Numbers
    scheduled: Floats
    start: Floats
    end: Floats
    waited: Floats
    given_up: NDArray[np.bool_]

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Those that have a say in latency: a quick error is no quick answer."""
        found: NDArray[np.bool_] = (self.failed == 0) | self.given_up
        return found

    def times(self, which: int) -> Floats:
        """Return what each took; infinity if it was given up.

        Args:
            which: `LATENCY`, `SERVICE` or `FROM_DUE`.
        """
        found: Floats = np.where(self.given_up, math.inf, self._took(which))
        return found

    def at_least(self, which: int, over: float) -> Floats:
        """Return what each took, or for how long it was waited.

        Args:
            which: `LATENCY` or `SERVICE`.
            over: When the test had ended, and with it what had no end of its own.
        """
        if which == SERVICE:
            end = np.where(np.isnan(self.end), over, self.end)
            # One that was never sent was not waited for since then.
            return np.maximum(0.0, np.nan_to_num(end - self.start))
        open_still = np.isnan(self.end)
        found = np.where(open_still, over - self.scheduled, self._took(LATENCY))
        return np.maximum(0.0, np.nan_to_num(found))

    def _took(self, which: int) -> Floats:
        if which == FROM_DUE:
            from_due: Floats = np.maximum(0.0, self.end - self.scheduled)
            return from_due
        # A client that could not even connect may not say when it began to.
        begun = self.scheduled + self.waited
        begun = np.where(np.isnan(self.start), begun, self.start)
        took: Floats = np.maximum(0.0, self.end - begun)
        return took + self.waited if which == LATENCY else took


def batches(run: LoadRun, kind: str, found: Groups) -> Iterator[Samples]:
    """Yield the samples piece by piece.

    Args:
        run: Whose samples.
        kind: `runs.REQUESTS` or `runs.ITERATIONS`.
        found: What they belong to.

    Raises:
        NotARunError: They are damaged, or of an older version of Assay.
    """
    columns = ("scheduled", "start", "end", "waited", "name", "failed")
    for batch in run.batches(kind, columns):
        scheduled, start, end, waited, name, failed = (
            batch.column(column).to_numpy(zero_copy_only=False) for column in columns
        )
        if len(name) and name.max() >= len(found.of):
            raise NotARunError(f"{run.path}: its samples have names that are lost")
        yield Samples(
            group=found.of[name],
            failed=failed.astype(np.int64),
            scheduled=scheduled,
            start=start,
            end=end,
            waited=waited,
            given_up=np.isnan(end) | (failed == TIMED_OUT),
        )
