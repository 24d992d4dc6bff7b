"""The workers of a fleet; some of them may run on this machine."""

import hmac
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.errors import InputError, MeasureError
from assay.load import arrivals, protocol
from assay.load.arrivals import Part
from assay.load.control import process
from assay.load.control.process import Setup
from assay.system import processes
from assay.system.processes import Child


@dataclass
class Member:
    """One worker.

    Attributes:
        index: The number that Locust gave it.
        host: Name of its machine.
        pid: Id of its process on that machine.
        speed: Speed of its core, in an arbitrary unit.
        lost: Why it was lost; empty if it was not.
    """

    index: int
    host: str
    pid: int
    speed: float
    lost: str = ""

    @property
    def name(self) -> str:
        """Its machine and process."""
        return f"{self.host}:{self.pid}"


class Workers:
    """The workers that take part; a worker's number is its place among them."""

    def __init__(self) -> None:
        """Begin with no workers."""
        self._members: list[Member] = []
        self._children: list[Child] = []

    def __len__(self) -> int:
        """Return the number of workers that have joined."""
        return len(self._members)

    def __iter__(self) -> Iterator[Member]:
        """Yield the workers that have joined."""
        return iter(self._members)

    def __getitem__(self, number: int) -> Member:
        """Return a worker by its number."""
        return self._members[number]

    def start(self, setup: Setup, port: int, count: int, cores: Sequence[int]) -> None:
        """Start workers on this machine, if possible each on its own core.

        Args:
            setup: How their master was started.
            port: The port on which the master listens.
            count: The number of workers to start.
            cores: The cores that the workers may use.
        """
        # The arguments for the locustfile come from the master.
        worker = Setup(setup.locustfile, setup.folder)
        for number in range(count):
            child = processes.start(
                f"worker {number + 1}",
                worker.argv("-", f"worker:127.0.0.1:{port}"),
                log=setup.folder / f"worker-{number + 1}.log",
                cwd=setup.working_directory,
                env=process.environment(),
                cores=[cores[-1 - number]] if count <= len(cores) else (),
            )
            self._children.append(child)

    def add(self, member: Member) -> None:
        """Add a worker that has joined."""
        self._members.append(member)

    def remove(self, index: int) -> None:
        """Remove a worker that left before the test began."""
        self._members = [member for member in self._members if member.index != index]

    def sort_by_speed(self) -> None:
        """Put the workers in their final order, once all have joined.

        If Assay started workers on this machine, all count as equally fast, because
        they measured their speed while the others started. Otherwise the workers are
        sorted by speed, not by the time they joined, so that the same seed gives each
        the same work.
        """
        if self._children:
            for member in self._members:
                member.speed = 1.0
        self._members.sort(key=lambda member: -member.speed)

    def check_alive(self) -> None:
        """Check that no worker of this machine has ended.

        Raises:
            MeasureError: A worker of this machine has ended.
        """
        for child in self._children:
            if not child.running():
                raise MeasureError(
                    f"{child.name} ended before it had joined; its last lines:\n"
                    f"{child.last_lines()}"
                )

    def find_ended(self) -> tuple[Member, str] | None:
        """Return a worker of this machine that has ended, and how; None if none has."""
        for member in self._members:
            for child in self._children:
                is_here = member.host == socket.gethostname()
                is_its_process = is_here and child.pid == member.pid and not member.lost
                if is_its_process and not child.running():
                    return member, f"its process ended (exit code {child.exit_code()})"
        return None

    def number(self, index: int) -> int | None:
        """Return the number of the worker with this index; None if there is none."""
        for number, member in enumerate(self._members):
            if member.index == index:
                return number
        return None

    @property
    def parts(self) -> list[Part]:
        """Each worker's part of the arrivals."""
        return arrivals.split([member.speed for member in self._members])

    def shares(self, whole: int, option: str) -> list[int]:
        """Divide a number among the workers; each share is at least 1.

        Args:
            whole: The number to divide.
            option: The option that set this number, for the error message.

        Raises:
            InputError: The number is too small.
        """
        parts = self.parts
        shares = [part.count(whole) for part in parts]
        if min(shares) < 1:
            raise InputError(
                f"{option} {whole}: too few for {len(shares)} workers; expected at "
                f"least {parts[0].of}"
            )
        return shares

    def close(self, keep_log: Callable[[Child], None]) -> None:
        """End the workers of this machine that have not ended by themselves.

        Args:
            keep_log: Called with each worker of this machine.
        """
        for child in self._children:
            child.wait(2.0)
            child.stop(grace=0.5)
            keep_log(child)


def cores_for(count: int) -> Sequence[int]:
    """Return the cores for workers: the generator's, or all if those are too few."""
    split = processes.split_cores()
    if count <= len(split.generator):
        return split.generator
    return (*split.target, *split.generator)


def knows_token(header: Mapping[str, Any]) -> bool:
    """Return whether a joining worker knows the token; True if the master has none."""
    token = os.environ.get(protocol.TOKEN, "")
    expected = protocol.proof(token, str(header["host"]), int(header["pid"]))
    return not token or hmac.compare_digest(expected, str(header.get("proof", "")))
