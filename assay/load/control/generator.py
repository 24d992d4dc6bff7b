"""One Locust process as Assay sees it: slices, and whole load tests."""

from collections.abc import Mapping, Sequence

from assay.errors import MeasureError
from assay.load.answers import Beginnings, Slice, Tick, columns_of, tick
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
from assay.metrics import Mode

ATTACH_TIMEOUT = 30.0  # seconds in which one user more must come through
ATTACH_LONGEST = 600.0
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
        most: int = 0,
        strict: bool = True,
    ) -> dict[str, Beginnings]:
        """Give each variant a pool of users who have come through their on_start.

        Args:
            hosts: Variant to base URL.
            pids: Variant to the processes whose CPU time is read.
            cores: The cores that they are pinned to; empty if they are not.
            users: Users of each pool, for the moment.
            most: How many there may be; `users` if that is more.
            strict: Whether a user who does not come through is an error; otherwise
                there are fewer.

        Returns:
            What the on_start of each variant's users came to.

        Raises:
            MeasureError: A user's `on_start` failed.
        """
        order = Attach(hosts, users, most, ATTACH_TIMEOUT, pids, cores, strict=strict)
        told, _ = self._ask(order, ATTACH_LONGEST)
        return {name: Beginnings(**told[name]) for name in hosts}

    def grow(self, users: int) -> None:
        """Make users until every pool has so many; the new ones connect.

        Raises:
            MeasureError: The process has ended.
        """
        self._ask(Grow(users, ATTACH_TIMEOUT), ATTACH_LONGEST)

    def finish(self) -> int | None:
        """Stop all users and let listeners know; return the exit code they set.

        Raises:
            MeasureError: The process has ended.
        """
        answer, _ = self._ask(Finish(), FINISH_TIMEOUT)
        code = answer["exit_code"]
        return None if code is None else int(code)

    def detach(self) -> None:
        """Stop all users."""
        self._ask(Detach(), 30.0)

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
    ) -> Slice:
        """Run a closed loop: so many `users` for `duration` seconds.

        The seed decides which tasks the users choose, as far as chance has a say.
        Without think time they ask again as soon as they are answered.
        """
        order = RunSlice(
            variant,
            "closed",
            duration,
            users,
            seed=seed,
            drain=drain,
            think_time=think_time,
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
    ) -> Slice:
        """Run an open loop: Poisson arrivals, `rate` a second, for `duration`.

        A shape says how the rate changes meanwhile; for `drain` seconds after the
        last arrival answers are waited for.
        """
        order = RunSlice(
            variant, "open", duration, rate=rate, seed=seed, drain=drain, shape=shape
        )
        return self._slice(order, "open")

    def load(self, order: RunLoad) -> None:
        """Begin a load test; `tick` tells of it."""
        self._ask(order, 30.0)

    def tick(self) -> Tick:
        """Wait for the next second of a load test, or its end.

        Raises:
            MeasureError: The process has ended, or says nothing any more.
        """
        header, body = self._answer(TICK_TIMEOUT)
        if "error" in header:
            raise MeasureError(
                f"the load generator failed: {header['error']}; its last lines:\n"
                f"{self.last_lines()}"
            )
        return tick(header, body)

    def stop(self) -> None:
        """End a load test before its time; `tick` tells when it has ended."""
        self._tell(message(Stop()))

    def pace(self, variant: str, users: int, duration: float) -> float:
        """Return the requests a second of a closed loop, as a first look."""
        found = self.closed(variant, users, duration)
        return found.requests / found.duration

    def _slice(self, order: RunSlice, mode: Mode) -> Slice:
        longest = 2 * order.duration + order.drain + 60.0
        answer, body = self._ask(order, longest)
        if answer["limit"]:
            raise MeasureError(f"{self.setup.locustfile}: {answer['limit']}")
        columns, offset = columns_of(body, answer["requests"], 0)
        answer["iterations"], _ = columns_of(body, answer["iterations"], offset)
        return Slice(variant=order.variant, mode=mode, columns=columns, **answer)
