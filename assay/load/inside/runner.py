"""The runner that a locustfile finds in its environment, and its statistics.

Users come and go by Assay's pools, so what a runner of Locust's would start or stop
is said here instead, to whoever runs the test.
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

from assay.load.protocol import TASK

Name = tuple[str, str, str]


class SteeredRunner(LocalRunner):
    """A local runner whose users are Assay's.

    Attributes:
        ended: Whether the locustfile has ended the test: `quit` or `stop`.
    """

    def __init__(self, environment: Environment) -> None:
        """Begin without users."""
        super().__init__(environment)
        self.ended = False
        self._tell: Callable[[], None] = lambda: None

    def steer(self, tell: Callable[[], None]) -> None:
        """Have somebody told when the locustfile ends the test."""
        self._tell = tell
        if self.ended:
            tell()

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
        self._tell()

    def quit(self) -> None:
        """End the test."""
        self.stop()

    @property
    def user_classes_count(self) -> dict[str, int]:
        """How many users of each class there are."""
        counts = {cls.__name__: 0 for cls in self.user_classes}
        for greenlet in self.user_greenlets:
            name = greenlet.assay_seat.role.cls.__name__
            counts[name] = counts.get(name, 0) + 1
        return counts

    def spawning(self, users: int) -> None:
        """Note that users are made, and how many there are to be."""
        self.target_user_count = users
        self.update_state(STATE_SPAWNING)

    def spawned(self) -> None:
        """Fire the event that says that all users have been made."""
        self.update_state(STATE_RUNNING)
        self.target_user_classes_count = self.user_classes_count
        self.environment.events.spawning_complete.fire(user_count=self.user_count)


class LiveStats(RequestStats):
    """Locust's statistics, counted when somebody looks at them.

    Locust counts at every request, which takes some microseconds of it. Here samples
    wait in the recorder's arrays, and are counted together: once a second, and
    whenever a locustfile reads a number.
    """

    def __init__(self, use_response_times_cache: bool = True) -> None:
        """Begin with nothing."""
        self._refresh: Callable[[], None] = lambda: None
        self._busy = True  # Locust's own assignments are no look
        super().__init__(use_response_times_cache)
        self._busy = False

    def source(self, refresh: Callable[[], None]) -> None:
        """Say who counts what has come meanwhile."""
        self._refresh = refresh

    def __getattribute__(self, name: str) -> Any:
        """Count what has come meanwhile, before a number is read."""
        if name in ("entries", "errors", "total") and not self._busy:
            self._busy = True
            try:
                self._refresh()
            finally:
                self._busy = False
        return super().__getattribute__(name)

    def count(
        self,
        names: Sequence[Name],
        columns: Mapping[str, Any],
        errors: Mapping[tuple[str, str, str], int],
        lengths: Mapping[Name, int],
    ) -> None:
        """Count requests that have ended.

        Args:
            names: What the column `name` numbers: kind, method, name.
            columns: `name`, `start`, `end` and `failed` as arrays.
            errors: Method, name and text, and how often it came.
            lengths: Bytes of the answers, by name.
        """
        busy, self._busy = self._busy, True
        try:
            self._count(names, columns, errors, lengths)
        finally:
            self._busy = busy

    def _count(
        self,
        names: Sequence[Name],
        columns: Mapping[str, Any],
        errors: Mapping[tuple[str, str, str], int],
        lengths: Mapping[Name, int],
    ) -> None:
        end = np.asarray(columns["end"])
        answered = ~np.isnan(end)
        number = np.asarray(columns["name"])[answered]
        start, end = np.asarray(columns["start"])[answered], end[answered]
        failed = np.asarray(columns["failed"])[answered] > 0
        epoch = time.time() - time.perf_counter()
        for one in np.unique(number).tolist():
            kind, method, name = names[one]
            if kind == TASK:
                continue
            own = number == one
            entry = self._entry(
                name,
                method,
                1000 * (end[own] - start[own]),
                (epoch + end[own]).astype(int),
                failed[own],
            )
            entry.total_content_length = lengths.get(names[one], 0)
            self.entries[(name, method)].extend(entry)
            self.total.extend(entry)
        for (method, name, text), times in errors.items():
            key = StatsError.create_key(method, name, text)
            if key not in self.errors:
                self.errors[key] = StatsError(method, name, text)
            for _ in range(times):
                self.errors[key].occurred()

    def _entry(
        self, name: str, method: str, took: Any, second: Any, failed: Any
    ) -> StatsEntry:
        """Return some requests of one name as an entry of their own."""
        entry = StatsEntry(self, name, method)
        entry.start_time = time.time()
        entry.num_requests, entry.num_failures = len(took), int(failed.sum())
        entry.total_response_time = took.sum()
        entry.min_response_time, entry.max_response_time = took.min(), took.max()
        entry.last_request_timestamp = float(second.max())
        for values, counts in (
            (_rounded(took), entry.response_times),
            (second, entry.num_reqs_per_sec),
            (second[failed], entry.num_fail_per_sec),
        ):
            for value, count in zip(
                *np.unique(values, return_counts=True), strict=True
            ):
                counts[int(value)] += int(count)
        return entry


def _rounded(milliseconds: Any) -> Any:
    """Round as Locust's `bucket_response_time` does: two digits from 100 ms on."""
    below = [milliseconds < limit for limit in (100, 1000, 10_000)]
    rounded = [np.round(milliseconds, -digits) for digits in range(4)]
    return np.select(below, rounded[:3], rounded[3]).astype(int)
