"""HTTP statuses and sizes of the answers of each endpoint."""

from typing import Any

import numpy as np

from assay.load.protocol import MAX_STATUS
from assay.load_tests.samples import Groups, Samples

MAX_STATUSES = 12  # different statuses of a row that are counted separately
OTHER = "other"


class Answers:
    """Counts the statuses of each group of samples, and adds up the sizes."""

    def __init__(self, groups: Groups) -> None:
        """Begin without answers."""
        self._load = groups.load
        columns = len(groups.names)
        self._statuses = np.zeros((columns, MAX_STATUS + 1), dtype=np.int64)
        self._counts = np.zeros(columns, dtype=np.int64)
        self._sums = np.zeros(columns)
        self._largest = np.zeros(columns, dtype=np.int64)

    def add(self, batch: Samples) -> None:
        """Add a batch of samples."""
        answered = (batch.status > 0) | (batch.size > 0)
        if not answered.any():
            return
        group, status = batch.group[answered], np.minimum(
            batch.status[answered], MAX_STATUS
        )
        size, columns = batch.size[answered], len(self._counts)
        keys = group * (MAX_STATUS + 1) + status
        counts = np.bincount(keys, minlength=self._statuses.size)
        self._statuses += counts.reshape(self._statuses.shape)
        self._counts += np.bincount(group, minlength=columns)
        self._sums += np.bincount(group, weights=size, minlength=columns)
        np.maximum.at(self._largest, group, size)

    def fields(self, group: int) -> dict[str, Any]:
        """Return the statuses and sizes of a group, as fields of its row.

        The number after that of the last group stands for the whole load.
        """
        chosen = self._load if group == len(self._counts) else [group]
        count = int(self._counts[chosen].sum())
        if not count:
            return {}
        return {
            "statuses": _by_frequency(self._statuses[chosen].sum(axis=0)),
            "size_mean": float(self._sums[chosen].sum()) / count,
            "size_max": int(self._largest[chosen].max()),
        }


def _by_frequency(counts: Any) -> dict[str, int]:
    """Return the counts by status, the most frequent first, without status 0."""
    statuses = sorted(
        (int(status) for status in np.flatnonzero(counts) if status),
        key=lambda status: (-int(counts[status]), status),
    )
    kept = {str(status): int(counts[status]) for status in statuses[:MAX_STATUSES]}
    rest = sum(int(counts[status]) for status in statuses[MAX_STATUSES:])
    return {**kept, OTHER: rest} if rest else kept
