"""The runner that a locustfile sees in its environment, and its statistics.

Assay's pools make and stop users. Under this runner, `start` is refused, and `stop` and
`quit` only tell the load test to end.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.ma  # noqa: F401  numpy would import it at the first use, under load
from locust.env import Environment
from locust.runners import (
    STATE_RUNNING,
    STATE_SPAWNING,
    LocalRunner,
)
from locust.stats import RequestStats, StatsEntry, StatsError

from assay.load.protocol import TASK, Name


class SteeredRunner(LocalRunner):
    """A local runner whose users Assay makes and stops.

    Attributes:
        ended: Whether the locustfile has ended the test by `quit` or `stop`.
    """

    def __init__(self, environment: Environment) -> None:
        """Begin without users."""
        super().__init__(environment)
        self.ended = False
        self._on_end: Callable[[], None] = lambda: None

    def when_ended(self, on_end: Callable[[], None]) -> None:
        """Set a function that is called when the locustfile ends the test."""
        self._on_end = on_end
        if self.ended:
            on_end()

    def start(self, *_: Any, **__: Any) -> None:
        """Refuse: Assay makes the users.

        Raises:
            RuntimeError: Always.
        """
        raise RuntimeError(
            "runner.start() has no effect under Assay, which makes the users: give "
            "--users and --spawn-rate, or a LoadTestShape"
        )

    def stop(self) -> None:
        """End the test."""
        self.ended = True
        self._on_end()

    def quit(self) -> None:
        """End the test."""
        self.stop()

    @property
    def user_classes_count(self) -> dict[str, int]:
        """The number of users of each class."""
        counts = {cls.__name__: 0 for cls in self.user_classes}
        for greenlet in self.user_greenlets:
            name = greenlet.assay_seat.role.cls.__name__
            counts[name] = counts.get(name, 0) + 1
        return counts

    def spawning(self, users: int) -> None:
        """Note that users are being made, and how many there will be."""
        self.target_user_count = users
        self.update_state(STATE_SPAWNING)

    def spawned(self) -> None:
        """Fire the event that says that all users have been made."""
        self.update_state(STATE_RUNNING)
        self.target_user_classes_count = self.user_classes_count
        self.environment.events.spawning_complete.fire(user_count=self.user_count)


class LiveStats(RequestStats):
    """Locust's statistics, updated once a second and before each read.

    Locust updates its statistics for every request, which takes some microseconds. Here
    samples wait in the recorder's arrays and are counted together: once a second, and
    whenever a locustfile reads a number.
    """

    def __init__(self, use_response_times_cache: bool = True) -> None:
        """Begin without requests."""
        self._refresh: Callable[[], None] = lambda: None
        self._updating = True  # Locust's own assignments are not reads
        super().__init__(use_response_times_cache)
        self._updating = False

    def refresh_with(self, refresh: Callable[[], None]) -> None:
        """Set the function that adds the samples that are not counted yet."""
        self._refresh = refresh

    def __getattribute__(self, name: str) -> Any:
        """Add the samples that are not counted yet before a number is read."""
        if name in ("entries", "errors", "total") and not self._updating:
            self._updating = True
            try:
                self._refresh()
            finally:
                self._updating = False
        return super().__getattribute__(name)

    def count(
        self,
        names: Sequence[Name],
        columns: Mapping[str, Any],
        errors: Mapping[Name, int],
    ) -> None:
        """Count requests that have ended.

        Args:
            names: The kind, method and name that each number in the column `name`
                stands for.
            columns: `name`, `start`, `end`, `failed` and `size` as arrays.
            errors: Method, name and text of each error, and how often it occurred.
        """
        updating, self._updating = self._updating, True
        try:
            self._count(names, columns, errors)
        finally:
            self._updating = updating

    def _count(
        self,
        names: Sequence[Name],
        columns: Mapping[str, Any],
        errors: Mapping[Name, int],
    ) -> None:
        end = np.asarray(columns["end"])
        answered = ~np.isnan(end)
        numbers = np.asarray(columns["name"])[answered]
        start, end = np.asarray(columns["start"])[answered], end[answered]
        failed = np.asarray(columns["failed"])[answered] > 0
        sizes = np.asarray(columns["size"])[answered]
        epoch = time.time() - time.perf_counter()
        for number in np.unique(numbers).tolist():
            kind, method, name = names[number]
            if kind == TASK:
                continue
            chosen = numbers == number
            entry = self._entry(
                name,
                method,
                1000 * (end[chosen] - start[chosen]),
                (epoch + end[chosen]).astype(int),
                failed[chosen],
            )
            entry.total_content_length = int(sizes[chosen].sum(dtype=np.int64))
            self.entries[(name, method)].extend(entry)
            self.total.extend(entry)
        for (method, name, text), count in errors.items():
            key = StatsError.create_key(method, name, text)
            if key not in self.errors:
                self.errors[key] = StatsError(method, name, text)
            for _ in range(count):
                self.errors[key].occurred()

    def _entry(
        self, name: str, method: str, milliseconds: Any, seconds: Any, failed: Any
    ) -> StatsEntry:
        """Return some requests of one name as a separate entry.

        Args:
            name: Name of the requests.
            method: Method of the requests.
            milliseconds: How long each request took.
            seconds: The second of the epoch in which each ended.
            failed: Whether each failed.
        """
        entry = StatsEntry(self, name, method)
        entry.start_time = time.time()
        entry.num_requests, entry.num_failures = len(milliseconds), int(failed.sum())
        entry.total_response_time = milliseconds.sum()
        entry.min_response_time = milliseconds.min()
        entry.max_response_time = milliseconds.max()
        entry.last_request_timestamp = float(seconds.max())
        for values, histogram in (
            (_rounded(milliseconds), entry.response_times),
            (seconds, entry.num_reqs_per_sec),
            (seconds[failed], entry.num_fail_per_sec),
        ):
            for value, count in zip(
                *np.unique(values, return_counts=True), strict=True
            ):
                histogram[int(value)] += int(count)
        return entry


def _rounded(milliseconds: Any) -> Any:
    """Round as Locust's `bucket_response_time` does: two digits from 100 ms on."""
    below = [milliseconds < limit for limit in (100, 1000, 10_000)]
    rounded = [np.round(milliseconds, -digits) for digits in range(4)]
    return np.select(below, rounded[:3], rounded[3]).astype(int)
