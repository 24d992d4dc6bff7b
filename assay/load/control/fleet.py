"""Several workers that load one target: on this machine, or on many.

Their master is a Locust process of its own, with a channel to Assay. It begins when
all have joined; whoever is lost on the way is counted, and the others go on.
"""

import contextlib
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from assay.errors import InputError, MeasureError
from assay.load import arrivals, protocol
from assay.load.answers import Beginnings, Tick, tick
from assay.load.control.generator import (
    ATTACH_LONGEST,
    ATTACH_TIMEOUT,
    FINISH_TIMEOUT,
    TICK_TIMEOUT,
)
from assay.load.control.merge import Seconds, check
from assay.load.control.process import LocustProcess, Message, Setup
from assay.load.control.workers import Member, Workers, cores_of
from assay.load.orders import (
    Attach,
    Begin,
    Finish,
    Order,
    RunLoad,
    RunSlice,
    Stop,
    message,
)

NO_SENSE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)
BEGIN_TIMEOUT = 60.0  # seconds that a test_start listener may take
LOOK = 0.5  # seconds between two looks at whether a worker has ended


class Fleet(LocustProcess):
    """Workers and their master.

    Attributes:
        address: Where the master listens.
        members: Those that take part, in the order in which they joined.
    """

    def __init__(
        self, setup: Setup, address: tuple[str, int] = ("127.0.0.1", 0)
    ) -> None:
        """Start the master.

        Args:
            setup: What it is started with.
            address: Where it listens; port 0 takes one that is free.

        Raises:
            InputError: The locustfile cannot be imported, or the port is taken.
        """
        _check_free(*address)
        super().__init__(setup, role=f"master:{address[0]}:{address[1]}")
        self.address = (address[0], int(self.hello["port"]))
        self.members = Workers()
        self._quit = False  # whether a listener of the master's has ended the test
        self._seconds: Seconds | None = None

    def hire(self, count: int) -> None:
        """Start so many workers on this machine."""
        self.members.hire(self.setup, self.address[1], count, cores_of(count))

    def gather(
        self,
        expected: int,
        timeout: float,
        say: Callable[[str], None] = lambda words: None,
    ) -> None:
        """Wait until all workers have joined, and have the master begin.

        Args:
            expected: How many.
            timeout: Seconds to wait.
            say: Takes who has joined.

        Raises:
            InputError: A `test_start` listener fails.
            MeasureError: Not all did, or one cannot work for this master.
        """
        until = time.monotonic() + timeout
        while len(self.members) < expected:
            self.members.check_alive()
            if time.monotonic() > until:
                raise MeasureError(
                    f"{len(self.members)} of {expected} workers joined within "
                    f"{timeout:g} s; start the others: assay worker --join "
                    f"HOST:{self.address[1]}"
                )
            heard = self._heard(LOOK)
            if heard is None:
                continue
            header, _ = heard
            if header["event"] == "joined":
                self._join(header)
                say(f"worker {len(self.members)} of {expected}: {header['host']}")
            elif header["event"] == "lost":
                self.members.leave(header["worker"])
                say(f"a worker is gone again: {header['why']}")
        self.members.complete()
        self._begin()

    def attach(
        self,
        hosts: Mapping[str, str],
        pids: Mapping[str, Sequence[int]],
        cores: Sequence[int],
        users: int,
        most: int = 0,
        strict: bool = True,
    ) -> dict[str, Beginnings]:
        """Give each worker its part of the users; see `Generator.attach`.

        Raises:
            InputError: There are fewer users than workers.
            MeasureError: A user's `on_start` failed, or a worker was lost.
        """
        shares = self.members.shares(max(users, most), "--users")
        # As many as its part of those who begin, and nobody begins without any.
        firsts = [-(-users * share // sum(shares)) for share in shares]
        orders = [
            Attach(
                hosts,
                first,
                share,
                ATTACH_TIMEOUT,
                strict=strict,
                arguments=self.setup.arguments,
                settings=self.setup.options,
            )
            for share, first in zip(shares, firsts, strict=True)
        ]
        told = self._all(orders, ATTACH_LONGEST)
        with _making_sense():
            return {name: _together([one[name] for one in told]) for name in hosts}

    def finish(self) -> int | None:
        """End the test everywhere; return the exit code that the master's file set.

        Raises:
            MeasureError: The master says nothing.
        """
        self._tell(message(Finish()))
        until = time.monotonic() + FINISH_TIMEOUT
        while time.monotonic() < until:
            heard = self._heard(LOOK)
            if heard is not None and heard[0].get("event") == "finished":
                code = heard[0]["exit_code"]
                return None if code is None else int(code)
        raise MeasureError(
            f"a quitting listener of {self.setup.locustfile} did not come to its end; "
            f"its last lines:\n{self.last_lines()}"
        )

    def load(self, order: RunLoad) -> None:
        """Begin a load test; `tick` tells of it. Each worker does its part.

        Raises:
            InputError: There is less to do than there are workers.
        """
        parts, users = self.members.parts, self.members.shares(order.users, "--users")
        limits = [0] * len(parts)
        if order.iterations:
            limits = self.members.shares(order.iterations, "--iterations")
        orders = [
            replace(
                order,
                users=users[number],
                spawn_rate=order.spawn_rate * users[number] / sum(users),
                iterations=limits[number],
                seed=arrivals.seed_of(order.seed, number),
                part=part,
            )
            for number, part in enumerate(parts)
        ]
        self._seconds = Seconds(orders, [member.name for member in self.members])
        self._all(orders, 30.0)
        if self._quit:
            self._end_by_locustfile()

    def tick(self) -> Tick:
        """Wait for the next second of all workers together, or the end.

        Raises:
            MeasureError: The master has ended, or nobody says anything any more.
        """
        seconds, until = self._seconds, time.monotonic() + TICK_TIMEOUT
        assert seconds is not None, "no load test has begun"
        while (ready := seconds.ready()) is None:
            self._take(*self._next(until))
        return ready

    def stop(self) -> None:
        """End a load test before its time; `tick` tells when it has ended."""
        if self._seconds is not None:
            self._seconds.stopped = True
        for member in self.members:
            if not member.lost:
                self._tell({**message(Stop()), "worker": member.index})

    def pace(self, variant: str, users: int, duration: float) -> float:
        """Return the requests a second of a closed loop, as a first look."""
        each = max(1, users // len(self.members))
        order = RunSlice(variant, "closed", duration, each)
        found = self._all([order] * len(self.members), duration + 60.0)
        with _making_sense():
            return sum(
                float(one["requests"] / (one["ended"] - one["began"])) for one in found
            )

    def close(self) -> None:
        """End the master, which ends its workers; then those here that did not."""
        super().close()
        if hasattr(self, "members"):  # the master had started
            self.members.close(self._keep)

    def _begin(self) -> None:
        """Have the master fire `test_start`: what it sends reaches its workers now."""
        self._tell(message(Begin()))
        until = time.monotonic() + BEGIN_TIMEOUT
        while (header := self._next(until)[0])["event"] != "begun":
            if header["event"] == "lost":
                raise MeasureError(f"a worker was lost: {header['why']}")
            self._quit = self._quit or header["event"] == "quit"
        if "error" in header:
            raise self._refused(header)

    def _join(self, header: Mapping[str, Any]) -> None:
        if header["version"] != protocol.VERSION:
            raise MeasureError(
                f"the worker on {header['host']} has another version of Assay; "
                "install the same one everywhere"
            )
        self.members.join(
            Member(header["worker"], header["host"], header["pid"], header["speed"])
        )

    def _all(self, orders: Sequence[Order], timeout: float) -> list[dict[str, Any]]:
        """Tell each worker its own order, and wait for what all answer.

        Raises:
            MeasureError: One was lost, or could not do it, or says nothing.
        """
        for member in self.members:
            if member.lost:
                raise MeasureError(f"worker {member.host} was lost: {member.lost}")
        for member, order in zip(self.members, orders, strict=True):
            self._tell({**message(order), "worker": member.index})
        answers: dict[int, dict[str, Any]] = {}
        until = time.monotonic() + timeout
        while len(answers) < len(self.members):
            header, body = self._next(until)
            number = self._take(header, body)
            if number is None:
                continue
            if header["event"] == "lost":
                raise MeasureError(f"worker {number + 1} was lost: {header['why']}")
            if header["event"] == "answer":
                if "error" in header:
                    raise MeasureError(f"{self.setup.locustfile}: {header['error']}")
                answers[number] = header
        return [answers[number] for number in range(len(orders))]

    def _take(self, header: dict[str, Any], body: bytes) -> int | None:
        """Keep what a worker says of a load test; return the worker's number."""
        if header["event"] == "quit":
            self._end_by_locustfile()
            return None
        number = self.members.number(header["worker"])
        if number is None:
            return None  # it came too late to take part
        if header["event"] == "lost":
            self._lose(number, str(header["why"]))
        elif header["event"] == "tick" and self._seconds is not None:
            try:
                said = tick(header, body)
                check(said)
            except (ValueError, LookupError, TypeError, AttributeError):
                self._tell({**message(Stop()), "worker": header["worker"]})
                self._lose(number, protocol.NONSENSE)
            else:
                self._seconds.add(number, said)
        return number

    def _lose(self, number: int, why: str) -> None:
        if self.members[number].lost:
            return
        self.members[number].lost = why
        if self._seconds is not None:
            self._seconds.lose(number, why)

    def _next(self, until: float) -> Message:
        """Wait for what somebody says, or until one of ours has ended.

        Raises:
            MeasureError: Somebody is silent for too long, though not lost.
        """
        while True:
            if time.monotonic() > until:
                raise MeasureError(
                    "a worker is there but does not answer; is a listener or an "
                    f"on_start of {self.setup.locustfile} waiting for something?"
                )
            heard = self._heard(LOOK)
            if heard is not None:
                return heard
            if gone := self.members.ended():
                member, why = gone
                return {"event": "lost", "worker": member.index, "why": why}, b""

    def _end_by_locustfile(self) -> None:
        """End the test, since a listener of the master's says so."""
        if self._seconds is not None:
            self._seconds.ended_by = "locustfile"
        self.stop()


@contextlib.contextmanager
def _making_sense() -> Iterator[None]:
    """Say of what a worker answers that it makes no sense, if it makes none.

    Raises:
        MeasureError: It does not.
    """
    try:
        yield
    except NO_SENSE as error:
        raise MeasureError(f"of a worker: {protocol.NONSENSE} ({error!r})") from error


def _together(told: Sequence[Mapping[str, Any]]) -> Beginnings:
    """Return what the on_start of all workers' users came to."""
    errors = Counter[str]()
    for one in told:
        errors.update({str(text): int(n) for text, n in one["errors"].items()})
    return Beginnings(
        max(float(one["seconds"]) for one in told),
        sum(int(one["requests"]) for one in told),
        sum(int(one["failed"]) for one in told),
        dict(errors),
    )


def _check_free(host: str, port: int) -> None:
    """Make sure that a master can listen there.

    Raises:
        InputError: It cannot.
    """
    try:
        with socket.create_server(("" if host == "*" else host, port)):
            pass
    except OSError as error:
        raise InputError(
            f"--bind {host}:{port}: {error.strerror}; expected an address of this "
            "machine and a port that is free, such as '*:5557'"
        ) from error
