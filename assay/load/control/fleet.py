"""Several workers that load one target: on this machine, or on several.

Their master is a separate Locust process with a channel to Assay. The test begins when
all workers have joined. If a worker is lost during the test, the loss is reported and
the other workers go on.
"""

import contextlib
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from assay.errors import InputError, MeasureError
from assay.load import arrivals, protocol, ticks
from assay.load.answers import OnStartResult
from assay.load.control.generator import (
    ATTACH_TIMEOUT,
    FINISH_TIMEOUT,
    LOAD_TIMEOUT,
    TICK_TIMEOUT,
    USER_TIMEOUT,
)
from assay.load.control.merge import TickMerger
from assay.load.control.process import LocustProcess, Setup
from assay.load.control.workers import Member, Workers, cores_for, knows_token
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
from assay.load.protocol import Message
from assay.load.ticks import Tick

# The exceptions that can be raised when a worker's malformed answer is read.
MALFORMED_ERRORS = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)
BEGIN_TIMEOUT = 60.0  # seconds that a test_start listener may take
SLICE_TIMEOUT = 60.0  # seconds beyond a slice's duration
MAX_ERROR = 1000  # characters of a worker's error that are kept
POLL_INTERVAL = 0.5  # seconds between two checks whether a worker has ended


class Fleet(LocustProcess):
    """Workers and their master.

    Attributes:
        address: The address on which the master listens.
        members: The workers that take part.
    """

    def __init__(
        self, setup: Setup, address: tuple[str, int] = ("127.0.0.1", 0)
    ) -> None:
        """Start the master.

        Args:
            setup: How the master is started.
            address: The address on which the master listens; port 0 means a free port.

        Raises:
            InputError: The locustfile cannot be imported, or the port is taken.
            MeasureError: The master ended, or does not answer.
        """
        _check_free(*address)
        super().__init__(setup, role=f"master:{address[0]}:{address[1]}")
        self.address = (address[0], int(self.hello["port"]))
        self.members = Workers()
        self._quit = False  # whether one of the master's listeners has ended the test
        self._merger: TickMerger | None = None

    def start_workers(self, count: int) -> None:
        """Start workers on this machine."""
        self.members.start(self.setup, self.address[1], count, cores_for(count))

    def wait_for_workers(
        self,
        expected: int,
        timeout: float,
        say: Callable[[str], None] = lambda words: None,
    ) -> None:
        """Wait until all workers have joined, and let the master begin the test.

        Args:
            expected: The number of workers that should join.
            timeout: Seconds to wait.
            say: Called with a message for each worker that joins or leaves.

        Raises:
            InputError: A `test_start` listener fails.
            MeasureError: Not all workers joined, or a worker has another version of
                Assay.
        """
        deadline = time.monotonic() + timeout
        while len(self.members) < expected:
            self.members.check_alive()
            if time.monotonic() > deadline:
                raise MeasureError(
                    f"{len(self.members)} of {expected} workers joined within "
                    f"{timeout:g} s; start the others: assay worker --join "
                    f"HOST:{self.address[1]}"
                )
            received = self._receive(POLL_INTERVAL)
            if received is None:
                continue
            header, _ = received
            if header["event"] == "joined" and not knows_token(header):
                say(
                    f"a worker on {header['host']} was refused: it does not know the "
                    f"{protocol.TOKEN} of this master"
                )
            elif header["event"] == "joined":
                self._add_worker(header)
                say(f"worker {len(self.members)} of {expected}: {header['host']}")
            elif header["event"] == "lost":
                self.members.remove(header["worker"])
                say(f"a worker is gone again: {header['why']}")
        self.members.sort_by_speed()
        self._begin()

    def attach(
        self,
        hosts: Mapping[str, str],
        pids: Mapping[str, Sequence[int]],
        cores: Sequence[int],
        users: int,
        max_users: int = 0,
        strict: bool = True,
    ) -> dict[str, OnStartResult]:
        """Give each worker its part of the users; see `Generator.attach`.

        Raises:
            InputError: There are too few users to give each worker a share.
            MeasureError: A user's `on_start` failed, or a worker was lost.
        """
        shares = self.members.shares(max(users, max_users), "--users")
        # The users that exist at first are divided in the same way, rounded up, so that
        # each worker begins with at least one user.
        first_users = [-(-users * share // sum(shares)) for share in shares]
        orders = [
            Attach(
                hosts,
                first,
                share,
                USER_TIMEOUT,
                strict=strict,
                arguments=self.setup.arguments,
                settings=self.setup.options,
            )
            for share, first in zip(shares, first_users, strict=True)
        ]
        answers = self._ask_all(orders, ATTACH_TIMEOUT)
        with _reading_answers():
            return {
                name: _combined([answer[name] for answer in answers]) for name in hosts
            }

    def finish(self) -> int | None:
        """End the test everywhere; return the exit code that the locustfile set.

        Only the master's locustfile can set the exit code; None if it set none.

        Raises:
            MeasureError: The master does not answer.
        """
        self._send(message(Finish()))
        deadline = time.monotonic() + FINISH_TIMEOUT
        while time.monotonic() < deadline:
            received = self._receive(POLL_INTERVAL)
            if received is not None and received[0].get("event") == "finished":
                code = received[0]["exit_code"]
                return None if code is None else int(code)
        raise MeasureError(
            f"a quitting listener of {self.setup.locustfile} did not return; "
            f"its last lines:\n{self.last_lines()}"
        )

    def load(self, order: RunLoad) -> None:
        """Begin a load test; each worker does its part of the test.

        Raises:
            InputError: There are too few users or iterations to give each worker a
                share.
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
                seed=arrivals.worker_seed(order.seed, number),
                part=part,
            )
            for number, part in enumerate(parts)
        ]
        self._merger = TickMerger(orders, [member.name for member in self.members])
        self._ask_all(orders, LOAD_TIMEOUT)
        if self._quit:
            self._end_by_locustfile()

    def tick(self) -> Tick:
        """Wait for the next tick, the report of all workers on one second; return it.

        Raises:
            MeasureError: The master has ended, or no message comes in time.
        """
        merger, deadline = self._merger, time.monotonic() + TICK_TIMEOUT
        assert merger is not None, "no load test has begun"
        while (tick := merger.next_tick()) is None:
            self._handle(*self._next_message(deadline))
        return tick

    def stop(self) -> None:
        """End a load test early; its last tick shows that it has ended."""
        if self._merger is not None:
            self._merger.stopped = True
        for member in self.members:
            if not member.lost:
                self._send({**message(Stop()), "worker": member.index})

    def closed_loop_rate(self, variant: str, users: int, duration: float) -> float:
        """Return the requests per second of a short closed loop."""
        users_each = max(1, users // len(self.members))
        order = RunSlice(variant, "closed", duration, users_each)
        answers = self._ask_all([order] * len(self.members), duration + SLICE_TIMEOUT)
        with _reading_answers():
            return sum(
                float(answer["requests"] / (answer["ended"] - answer["began"]))
                for answer in answers
            )

    def close(self) -> None:
        """End the master, which ends its workers; then end any left on this machine."""
        super().close()
        if hasattr(self, "members"):  # the master had started
            self.members.close(self._keep_log)

    def _begin(self) -> None:
        """Let the master fire `test_start`, now that its messages reach all workers."""
        self._send(message(Begin()))
        deadline = time.monotonic() + BEGIN_TIMEOUT
        while (header := self._next_message(deadline)[0])["event"] != "begun":
            if header["event"] == "lost":
                raise MeasureError(f"a worker was lost: {header['why']}")
            self._quit = self._quit or header["event"] == "quit"
        if "error" in header:
            raise self._input_error(header)

    def _add_worker(self, header: Mapping[str, Any]) -> None:
        if header["version"] != protocol.VERSION:
            raise MeasureError(
                f"the worker on {header['host']} has another version of Assay; "
                "install the same one everywhere"
            )
        self.members.add(
            Member(header["worker"], header["host"], header["pid"], header["speed"])
        )

    def _ask_all(self, orders: Sequence[Order], timeout: float) -> list[dict[str, Any]]:
        """Send each worker its own order, and return all answers.

        Raises:
            MeasureError: A worker was lost, failed, or does not answer.
        """
        for member in self.members:
            if member.lost:
                raise MeasureError(f"worker {member.host} was lost: {member.lost}")
        for member, order in zip(self.members, orders, strict=True):
            self._send({**message(order), "worker": member.index})
        answers: dict[int, dict[str, Any]] = {}
        deadline = time.monotonic() + timeout
        while len(answers) < len(self.members):
            header, body = self._next_message(deadline)
            number = self._handle(header, body)
            if number is None:
                continue
            if header["event"] == "lost":
                raise MeasureError(f"worker {number + 1} was lost: {header['why']}")
            if header["event"] == "answer":
                if "error" in header:
                    raise MeasureError(f"{self.setup.locustfile}: {header['error']}")
                answers[number] = header
        return [answers[number] for number in range(len(orders))]

    def _handle(self, header: dict[str, Any], body: bytes) -> int | None:
        """Handle a message about a load test; return the worker's number.

        The number is None for a message of the master, or of a worker that joined too
        late to take part.
        """
        if header["event"] == "quit":
            self._end_by_locustfile()
            return None
        number = self.members.number(header["worker"])
        if number is None:
            return None  # it joined too late to take part
        if header["event"] == "lost":
            self._mark_lost(number, str(header["why"]))
        elif header["event"] == "tick" and self._merger is not None:
            if "error" in header:  # the load failed in this worker
                self._give_up(number, header, str(header["error"])[:MAX_ERROR])
                return number
            try:
                self._merger.add(number, ticks.decode(header, body))
            except ValueError:
                self._give_up(number, header, protocol.MALFORMED)
        return number

    def _give_up(self, number: int, header: Mapping[str, Any], why: str) -> None:
        """Stop a worker that sent this message, and count it as lost."""
        self._send({**message(Stop()), "worker": header["worker"]})
        self._mark_lost(number, why)

    def _mark_lost(self, number: int, why: str) -> None:
        if self.members[number].lost:
            return
        self.members[number].lost = why
        if self._merger is not None:
            self._merger.mark_lost(number, why)

    def _next_message(self, deadline: float) -> Message:
        """Wait for a message, or until a worker of this machine has ended.

        Raises:
            MeasureError: There was no message in time, though no worker was lost.
        """
        while True:
            if time.monotonic() > deadline:
                raise MeasureError(
                    "a worker is there but does not answer; is a listener or an "
                    f"on_start of {self.setup.locustfile} waiting for something?"
                )
            received = self._receive(POLL_INTERVAL)
            if received is not None:
                return received
            if ended := self.members.find_ended():
                member, why = ended
                return {"event": "lost", "worker": member.index, "why": why}, b""

    def _end_by_locustfile(self) -> None:
        """End the test, because one of the master's listeners asked for it."""
        if self._merger is not None:
            self._merger.ended_by = "locustfile"
        self.stop()


@contextlib.contextmanager
def _reading_answers() -> Iterator[None]:
    """Turn any error that a worker's malformed answer causes into a MeasureError.

    Raises:
        MeasureError: An answer is malformed.
    """
    try:
        yield
    except MALFORMED_ERRORS as error:
        raise MeasureError(f"a worker: {protocol.MALFORMED} ({error!r})") from error


def _combined(answers: Sequence[Mapping[str, Any]]) -> OnStartResult:
    """Combine the results of `on_start` from all workers."""
    errors = Counter[str]()
    for answer in answers:
        errors.update({str(text): int(n) for text, n in answer["errors"].items()})
    return OnStartResult(
        max(float(answer["seconds"]) for answer in answers),
        sum(int(answer["requests"]) for answer in answers),
        sum(int(answer["failed"]) for answer in answers),
        dict(errors),
    )


def _check_free(host: str, port: int) -> None:
    """Check that a master can listen on an address.

    Raises:
        InputError: A master cannot listen there.
    """
    try:
        with socket.create_server(("" if host == "*" else host, port)):
            pass
    except OSError as error:
        raise InputError(
            f"--bind {host}:{port}: {error.strerror}; expected an address of this "
            "machine and a port that is free, such as '*:5557'"
        ) from error
