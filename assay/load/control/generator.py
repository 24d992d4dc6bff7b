"""One Locust process as Assay sees it: slices, and whole load tests."""

from collections.abc import Mapping, Sequence
from typing import Any

from assay.errors import MeasureError
from assay.load.answers import Beginnings, Slice, Tick, columns_of, tick
from assay.load.control.process import LocustProcess
from assay.load.shapes import Shape
from assay.metrics import Mode

ATTACH_TIMEOUT = 30.0  # seconds in which one user more must come through
ATTACH_LONGEST = 600.0
FINISH_TIMEOUT = 60.0
TICK_TIMEOUT = 60.0
DRAIN = 10.0  # seconds that a slice waits for answers, if nothing else is said


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
        order = {
            "do": "attach",
            "hosts": dict(hosts),
            "processes": {name: list(ids) for name, ids in pids.items()},
            "cores": list(cores),
            "users": users,
            "most": most,
            "timeout": ATTACH_TIMEOUT,
            "strict": strict,
        }
        told, _ = self._ask(order, ATTACH_LONGEST)
        return {name: Beginnings(**told[name]) for name in hosts}

    def grow(self, users: int) -> None:
        """Make users until every pool has so many; the new ones connect.

        Raises:
            MeasureError: The process has ended.
        """
        order = {"do": "grow", "users": users, "timeout": ATTACH_TIMEOUT}
        self._ask(order, ATTACH_LONGEST)

    def finish(self) -> int | None:
        """Stop all users and let listeners know; return the exit code they set.

        Raises:
            MeasureError: The process has ended.
        """
        answer, _ = self._ask({"do": "finish"}, FINISH_TIMEOUT)
        code = answer["exit_code"]
        return None if code is None else int(code)

    def detach(self) -> None:
        """Stop all users."""
        self._ask({"do": "detach"}, 30.0)

    def touch(self, variant: str, drain: float = DRAIN) -> Slice:
        """Let every user of a variant run one task, which opens its connection."""
        order = {"mode": "touch", "duration": 0.0, "drain": drain}
        return self._slice(variant, "open", order)

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
        order = {"mode": "closed", "users": users, "duration": duration, "seed": seed}
        more = {"think_time": think_time, "drain": drain}
        return self._slice(variant, "closed", {**order, **more})

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
        order = {"mode": "open", "rate": rate, "duration": duration, "seed": seed}
        order["drain"] = drain
        if shape:
            rates = {"times": shape.times, "rates": shape.rates}
            return self._slice(variant, "open", {**order, "shape": rates})
        return self._slice(variant, "open", order)

    def load(self, variant: str, order: Mapping[str, Any]) -> None:
        """Begin a load test; `tick` tells of it.

        Args:
            variant: Whose users work.
            order: See `assay.load.inside.loading.Loading.run`.
        """
        self._ask({"do": "load", "variant": variant, **order}, 30.0)

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
        self._tell({"do": "stop"})

    def pace(self, variant: str, users: int, duration: float) -> float:
        """Return the requests a second of a closed loop, as a first look."""
        found = self.closed(variant, users, duration)
        return found.requests / found.duration

    def _slice(self, variant: str, mode: Mode, order: dict[str, Any]) -> Slice:
        order |= {"do": "slice", "variant": variant}
        answer, body = self._ask(order, 2 * order["duration"] + order["drain"] + 60.0)
        if answer["limit"]:
            raise MeasureError(f"{self.locustfile}: {answer['limit']}")
        columns, offset = columns_of(body, answer["requests"], 0)
        answer["iterations"], _ = columns_of(body, answer["iterations"], offset)
        return Slice(variant=variant, mode=mode, columns=columns, **answer)
