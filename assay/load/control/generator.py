"""Assay's side of one Locust process: it runs slices and whole load tests."""

from collections.abc import Mapping, Sequence

from assay.errors import MeasureError
from assay.load import ticks
from assay.load.answers import OnStartResult, Slice, unpack
from assay.load.control.process import LocustProcess
from assay.load.orders import (
    DRAIN,
    Attach,
    Detach,
    Finish,
    Grow,
    RunLoad,
    RunSlice,
    Stop,
    message,
)
from assay.load.shapes import Shape
from assay.load.ticks import Tick
from assay.metrics import Mode

USER_TIMEOUT = 30.0  # seconds within which one more user must complete its on_start
ATTACH_TIMEOUT = 600.0  # seconds within which all users must complete their on_start
LOAD_TIMEOUT = 30.0  # seconds to begin a load test
DETACH_TIMEOUT = 30.0
FINISH_TIMEOUT = 60.0
TICK_TIMEOUT = 60.0


class Generator(LocustProcess):
    """One Locust process that loads the variants of one topic."""

    def attach(
        self,
        hosts: Mapping[str, str],
        pids: Mapping[str, Sequence[int]],
        cores: Sequence[int],
        users: int,
        max_users: int = 0,
        strict: bool = True,
    ) -> dict[str, OnStartResult]:
        """Give each variant a pool of users who have completed their on_start.

        Args:
            hosts: The base URL of each variant.
            pids: For each variant, the processes whose CPU time is read.
            cores: The cores that these processes are pinned to; empty if they are not.
            users: Users that each pool has at first.
            max_users: How many users a pool may have later; `users` if that is more.
            strict: Whether a user who does not complete its on_start is an error. If
                not, the pool has fewer users.

        Returns:
            The result of the on_start of each variant's users.

        Raises:
            MeasureError: A user's `on_start` failed.
        """
        order = Attach(
            hosts, users, max_users, USER_TIMEOUT, pids, cores, strict=strict
        )
        answer, _ = self._ask(order, ATTACH_TIMEOUT)
        return {name: OnStartResult(**answer[name]) for name in hosts}

    def grow(self, users: int) -> None:
        """Make users until every pool has `users`; each new user connects.

        Raises:
            MeasureError: The process has ended.
        """
        self._ask(Grow(users, USER_TIMEOUT), ATTACH_TIMEOUT)

    def finish(self) -> int | None:
        """Stop all users; return the exit code that the locustfile set, or None.

        Raises:
            MeasureError: The process has ended.
        """
        answer, _ = self._ask(Finish(), FINISH_TIMEOUT)
        code = answer["exit_code"]
        return None if code is None else int(code)

    def detach(self) -> None:
        """Stop all users."""
        self._ask(Detach(), DETACH_TIMEOUT)

    def touch(self, variant: str, drain: float = DRAIN) -> Slice:
        """Let every user of a variant run one task, which opens its connection."""
        return self._slice(RunSlice(variant, "touch", drain=drain), "open")

    def closed(
        self,
        variant: str,
        users: int,
        duration: float,
        seed: int = 0,
        think_time: bool = False,
        drain: float = DRAIN,
        request: str = "",
    ) -> Slice:
        """Run a closed loop of `users` for `duration` seconds.

        The seed decides all random choices of tasks. Without think time, a user sends
        the next request as soon as the last one is answered. For `request`, see
        `RunSlice`.
        """
        order = RunSlice(
            variant,
            "closed",
            duration,
            users,
            seed=seed,
            drain=drain,
            think_time=think_time,
            request=request,
        )
        return self._slice(order, "closed")

    def alone(
        self, variant: str, duration: float, seed: int = 0, drain: float = DRAIN
    ) -> Slice:
        """Run a closed loop of a single user, and note which tasks send which requests.

        With several user classes, the seed says of which class the user is.
        """
        order = RunSlice(
            variant, "closed", duration, 1, seed=seed, drain=drain, learns=True
        )
        return self._slice(order, "closed")

    def open(
        self,
        variant: str,
        rate: float,
        duration: float,
        seed: int,
        shape: Shape | None = None,
        drain: float = DRAIN,
        request: str = "",
    ) -> Slice:
        """Run an open loop for `duration` seconds: Poisson arrivals, `rate` per second.

        A shape replaces `rate` and `duration`: the rate then changes over time. After
        the last arrival, answers are awaited for at most `drain` seconds. For
        `request`, see `RunSlice`.
        """
        order = RunSlice(
            variant,
            "open",
            duration,
            rate=rate,
            seed=seed,
            drain=drain,
            shape=shape,
            request=request,
        )
        return self._slice(order, "open")

    def load(self, order: RunLoad) -> None:
        """Begin a load test; `tick` reports on it."""
        self._ask(order, LOAD_TIMEOUT)

    def tick(self) -> Tick:
        """Wait for the next tick, the report on one second of the test, and return it.

        Raises:
            MeasureError: The load test failed, or the process has ended or does not
                answer.
        """
        header, body = self._answer(TICK_TIMEOUT)
        if "error" in header:
            raise MeasureError(
                f"the load generator failed: {header['error']}; its last lines:\n"
                f"{self.last_lines()}"
            )
        return ticks.decode(header, body)

    def stop(self) -> None:
        """End a load test early; its last tick shows that it has ended."""
        self._send(message(Stop()))

    def closed_loop_rate(self, variant: str, users: int, duration: float) -> float:
        """Return the requests per second of a short closed loop."""
        measured = self.closed(variant, users, duration)
        return measured.requests / measured.duration

    def _slice(self, order: RunSlice, mode: Mode) -> Slice:
        timeout = 2 * order.duration + order.drain + 60.0
        answer, body = self._ask(order, timeout)
        if answer["limit"]:
            raise MeasureError(f"{self.setup.locustfile}: {answer['limit']}")
        request_columns, offset = unpack(body, answer["requests"])
        task_columns, _ = unpack(body, answer.pop("iterations"), offset)
        return Slice(
            variant=order.variant,
            mode=mode,
            request_columns=request_columns,
            task_columns=task_columns,
            **answer,
        )
