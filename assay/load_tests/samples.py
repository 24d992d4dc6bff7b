"""Read the samples of a load test batch by batch, and compute their times.

Latency is the time from sending a request to its answer, plus the time that the arrival
waited for a user because all users waited for the target. The generator's own lateness
is not part of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.analysis.statistics import Floats
from assay.load.protocol import LATER_COLUMNS
from assay.load_results import UNNAMED, Name
from assay.run_directory.directory import NotARunError
from assay.run_directory.load_run import LoadRun

Numbers = NDArray[np.int64]
# The times of a sample.
LATENCY = 0  # from sending to the answer, plus the wait that the target caused
SERVICE = 1  # from sending to the answer
FROM_DUE = 2  # from the due time to the answer: includes the generator's lateness
TIMED_OUT = 2  # value of the column `failed`: see assay.load.recorder


@dataclass(frozen=True)
class Groups:
    """The groups that samples are summarised by, one for each name.

    Attributes:
        names: The name of each group.
        group_of: The group of each number in the column `name`. Names that differed
            only in a secret share a group.
    """

    names: tuple[Name, ...]
    group_of: Numbers

    @property
    def load(self) -> NDArray[np.bool_]:
        """Which groups are the load itself: not on_start, on_stop or tasks."""
        return np.array([name.kind == "request" for name in self.names], dtype=bool)


def groups(run: LoadRun) -> Groups:
    """Return the groups of a test's samples.

    Raises:
        NotARunError: The names are damaged, or an older version of Assay wrote them.
    """
    numbers: dict[Name, int] = {}
    group_of = []
    for name in run.names():
        group_name = name if name.label else name._replace(name=UNNAMED)
        group_of.append(numbers.setdefault(group_name, len(numbers)))
    return Groups(tuple(numbers), np.array(group_of, dtype=np.int64))


@dataclass(frozen=True)
class Samples:
    """One batch of samples, column by column, with times in seconds since the start.

    Attributes:
        group: The number of the sample's group.
        failed: How it failed, see assay.load.recorder; 0 if it did not.
        scheduled: When it was due.
        start: When it was sent; NaN if it never was.
        end: When it was answered; NaN if it never was.
        waited: How long it waited for a user because of the target.
        given_up: Whether it timed out or was still unanswered at the end.
        status: HTTP status of the answer; 0 if unknown.
        size: Bytes of the answer's body; 0 if unknown.
    """

    group: Numbers
    failed: Numbers
    scheduled: Floats
    start: Floats
    end: Floats
    waited: Floats
    given_up: NDArray[np.bool_]
    status: Numbers
    size: Numbers

    @property
    def timed(self) -> NDArray[np.bool_]:
        """Which samples count in the times: a quick error is not a quick answer."""
        timed: NDArray[np.bool_] = (self.failed == 0) | self.given_up
        return timed

    def times(self, which: int) -> Floats:
        """Return the time of each sample; infinity if it was given up.

        Args:
            which: `LATENCY`, `SERVICE` or `FROM_DUE`.
        """
        times: Floats = np.where(self.given_up, math.inf, self._elapsed(which))
        return times

    def at_least(self, which: int, test_end: float) -> Floats:
        """Return the time of each sample, or a lower bound if it was given up.

        Args:
            which: `LATENCY` or `SERVICE`.
            test_end: When the test ended; unanswered samples count until then.
        """
        unanswered = np.isnan(self.end)
        if which == SERVICE:
            end = np.where(unanswered, test_end, self.end)
            # A request that was never sent has no service time: its NaN becomes 0.
            return np.maximum(0.0, np.nan_to_num(end - self.start))
        bounds = np.where(unanswered, test_end - self.scheduled, self._elapsed(LATENCY))
        return np.maximum(0.0, np.nan_to_num(bounds))

    def _elapsed(self, which: int) -> Floats:
        if which == FROM_DUE:
            from_due: Floats = np.maximum(0.0, self.end - self.scheduled)
            return from_due
        # A client that failed to connect may not report when it started.
        sent = self.scheduled + self.waited
        sent = np.where(np.isnan(self.start), sent, self.start)
        service: Floats = np.maximum(0.0, self.end - sent)
        return service + self.waited if which == LATENCY else service


def batches(run: LoadRun, kind: str, groups: Groups) -> Iterator[Samples]:
    """Yield the samples batch by batch.

    Args:
        run: The directory of the test.
        kind: `load_run.REQUESTS` or `load_run.ITERATIONS`.
        groups: The groups of the samples.

    Raises:
        NotARunError: The samples are damaged, or an older version of Assay wrote them.
    """
    columns = ("scheduled", "start", "end", "waited", "name", "failed")
    for batch in run.batches(kind, columns, LATER_COLUMNS):
        scheduled, start, end, waited, name, failed = (
            batch.column(column).to_numpy(zero_copy_only=False) for column in columns
        )
        if len(name) and name.max() >= len(groups.group_of):
            raise NotARunError(f"{run.path}: the names of some samples are missing")
        status, size = (
            (
                batch.column(column).to_numpy().astype(np.int64)
                if column in batch.schema.names
                else np.zeros(len(name), dtype=np.int64)
            )
            for column in LATER_COLUMNS
        )
        yield Samples(
            group=groups.group_of[name],
            failed=failed.astype(np.int64),
            scheduled=scheduled,
            start=start,
            end=end,
            waited=waited,
            given_up=np.isnan(end) | (failed == TIMED_OUT),
            status=status,
            size=size,
        )
