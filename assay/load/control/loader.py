"""The interface of a load generator that runs load tests."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from assay.load.answers import OnStartResult
from assay.load.orders import RunLoad
from assay.load.ticks import Tick


class Loader(Protocol):
    """One Locust process (`Generator`), or a master with its workers (`Fleet`)."""

    @property
    def shape(self) -> str:
        """Name of the locustfile's LoadTestShape; empty if it has none."""

    @property
    def warnings(self) -> list[str]:
        """Warnings about parts of the locustfile that have no effect under Assay."""

    def attach(
        self,
        hosts: Mapping[str, str],
        pids: Mapping[str, Sequence[int]],
        cores: Sequence[int],
        users: int,
        max_users: int = 0,
        strict: bool = True,
    ) -> dict[str, OnStartResult]:
        """Give each variant its users; see `Generator.attach`."""

    def closed_loop_rate(self, variant: str, users: int, duration: float) -> float:
        """Return the requests per second of a short closed loop."""

    def load(self, order: RunLoad) -> None:
        """Begin a load test; `tick` reports on it."""

    def tick(self) -> Tick:
        """Wait for the next tick, the report on one second of the test; return it."""

    def stop(self) -> None:
        """End a load test early; its last tick shows that it has ended."""

    def finish(self) -> int | None:
        """Stop all users; return the exit code that the locustfile set, or None."""

    def last_lines(self) -> str:
        """Return the last lines that the locustfile has printed or logged."""

    def close(self) -> None:
        """End all processes."""
