"""A load test over time: users, requests in flight, and the busiest endpoints."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from assay.analysis.statistics import Floats
from assay.load_curves import Activity, Timeline
from assay.load_results import Name
from assay.load_tests.samples import Groups, Numbers, Samples
from assay.wording import counted

MAX_INTERVALS = 120
MAX_ENDPOINTS = 8  # endpoints that are counted separately
EARLY = 0.05  # seconds; a report may come this much before its second ends
MIN_INTERVALS = 3  # fewer intervals show no course over time

Ticks = Sequence[Mapping[str, Any]]


class Intervals:
    """Counts the requests that ended in each interval, by group."""

    def __init__(self, groups: Groups, test_end: float) -> None:
        """Divide the test into intervals of whole seconds.

        Args:
            groups: The groups of the samples.
            test_end: When the test ended, in seconds since its start.
        """
        self.width = float(max(1, math.ceil(test_end / MAX_INTERVALS)))
        # A short last interval joins the one before it: its own rates would be chance.
        self.count = max(1, math.ceil(test_end / self.width - 0.5))
        self._end, self._groups = test_end, groups
        shape = (len(groups.names), self.count)
        self._ended = np.zeros(shape, dtype=np.int64)
        self._failed = np.zeros(shape, dtype=np.int64)
        # The times when requests were sent, and the times when they were answered: for
        # each interval, how many of them lie in it, and their sum.
        self._flights = np.zeros((2, 2, self.count))

    def add(self, batch: Samples) -> None:
        """Add a batch of requests."""
        ended = np.isfinite(batch.end)
        place = self._place(batch.end[ended])
        keys = batch.group[ended] * self.count + place
        size, failed = self._ended.size, batch.failed[ended] > 0
        for counts, chosen in ((self._ended, keys), (self._failed, keys[failed])):
            counts += np.bincount(chosen, minlength=size).reshape(counts.shape)
        sent = np.isfinite(batch.start)
        # A request without an answer was in flight until the end.
        answered = np.where(ended, batch.end, self._end)[sent]
        for number, times in enumerate((batch.start[sent], answered)):
            times = np.clip(times, 0.0, self._end)
            places = self._place(times)
            for kind, weights in enumerate((None, times)):
                self._flights[number, kind] += np.bincount(
                    places, weights=weights, minlength=self.count
                )

    def _place(self, times: Floats) -> Numbers:
        places = (np.maximum(times, 0.0) / self.width).astype(np.int64)
        return np.minimum(places, self.count - 1)

    @property
    def lengths(self) -> Floats:
        """The seconds of each interval; only the last one may differ from `width`."""
        edges = np.append(np.arange(self.count) * self.width, self._end)
        lengths: Floats = np.maximum(np.diff(edges), 1e-9)
        return lengths

    def in_flight(self) -> Floats:
        """Return the mean number of requests in flight in each interval.

        The mean is exact. Up to a time t, the total time in flight is the sum of t - s
        over all requests sent at s before t, minus the same sum over all answers.
        """
        edges = np.append(np.arange(1, self.count) * self.width, self._end)
        counts, sums = np.cumsum(self._flights, axis=2).transpose(1, 0, 2)
        sent, answered = counts * edges - sums
        spent = np.diff(sent - answered, prepend=0.0)
        means: Floats = np.maximum(0.0, spent / self.lengths)
        return means

    def endpoints(self) -> tuple[Activity, ...]:
        """Return the endpoints with the most requests, and all others together."""
        totals = self._ended.sum(axis=1)
        groups = [int(group) for group in np.flatnonzero(self._groups.load * totals)]
        groups.sort(key=lambda group: (-int(totals[group]), group))
        # One endpoint is not worth a row for "others".
        most = MAX_ENDPOINTS if len(groups) != MAX_ENDPOINTS + 1 else MAX_ENDPOINTS + 1
        series = [
            self._activity(self._groups.names[group], [group])
            for group in groups[:most]
        ]
        if rest := groups[most:]:
            name = f"{counted(len(rest), 'other endpoint')}"
            series.append(self._activity(Name("request", "", name), rest))
        return tuple(series)

    def _activity(self, name: Name, groups: Sequence[int]) -> Activity:
        ended, failed = (
            (counts[list(groups)].sum(axis=0) / self.lengths).round(6).tolist()
            for counts in (self._ended, self._failed)
        )
        return Activity(
            method=name.method, name=name.name, requests=ended, failed=failed
        )


def timeline(intervals: Intervals, ticks: Ticks) -> Timeline | None:
    """Return the course of a test over time; None if the test was too short.

    Args:
        intervals: The requests of the test.
        ticks: The generator's reports of all seconds.
    """
    if intervals.count < MIN_INTERVALS or not ticks:
        return None
    users, waiting = [0] * intervals.count, [0] * intervals.count
    filled, number = 0, 0
    for tick in ticks:
        at = float(tick["at"])
        # A report at 2.003 s, or at 2.4 s under strain, is about the second that ended
        # at 2 s. The last one is about the time until the end.
        about = at if tick.get("last") else max(1.0, math.floor(at + EARLY))
        place = math.ceil(about / intervals.width) - 1
        place = min(max(0, place), intervals.count - 1)
        waiting[place] = max(waiting[place], int(tick.get("backlog", 0)))
        # When the last report comes, all users have stopped.
        if not tick.get("last") or not filled:
            number = int(tick.get("users", 0))
        for interval in range(min(filled, place), place + 1):
            users[interval] = number
        filled = place + 1
    users[filled:] = [number] * (intervals.count - filled)
    return Timeline(
        width=intervals.width,
        users=tuple(users),
        waiting=tuple(waiting),
        in_flight=tuple(intervals.in_flight().round(6).tolist()),
        endpoints=intervals.endpoints(),
    )
