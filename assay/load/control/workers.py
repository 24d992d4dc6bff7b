"""The workers of a fleet: who they are, and which of them run on this machine."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from assay.errors import InputError, MeasureError
from assay.load import arrivals
from assay.load.arrivals import Part
from assay.load.control import process
from assay.load.control.process import Setup
from assay.system import processes
from assay.system.processes import Child


@dataclass
class Member:
    """One worker.

    Attributes:
        index: Locust's number of it.
        host: Name of its machine.
        pid: Of its process there.
        speed: Of its core, in a unit of its own.
        lost: Why it is heard no more.
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
    """Those that take part, in the order in which they joined."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._members: list[Member] = []
        self._children: list[Child] = []

    def __len__(self) -> int:
        """Return how many have joined."""
        return len(self._members)

    def __iter__(self) -> Iterator[Member]:
        """Yield those that have joined."""
        return iter(self._members)

    def __getitem__(self, number: int) -> Member:
        """Return one by its number."""
        return self._members[number]

    def hire(self, setup: Setup, port: int, count: int, cores: Sequence[int]) -> None:
        """Start workers on this machine, if possible each on a core of its own.

        Args:
            setup: Of their master.
            port: Where the master listens.
            count: How many.
            cores: Those that they may use.
        """
        # What its locustfile is told comes from the master.
        worker = Setup(setup.locustfile, setup.folder)
        for number in range(count):
            child = processes.start(
                f"worker {number + 1}",
                worker.argv("-", f"worker:127.0.0.1:{port}"),
                log=setup.folder / f"worker-{number + 1}.log",
                cwd=setup.where,
                env=process.environment(),
                cores=[cores[-1 - number]] if count <= len(cores) else (),
            )
            self._children.append(child)

    def join(self, member: Member) -> None:
        """Take one in."""
        self._members.append(member)

    def leave(self, index: int) -> None:
        """Forget one that left before the test had begun."""
        self._members = [one for one in self._members if one.index != index]

    def complete(self) -> None:
        """Put them in order, once all have joined.

        Those of one machine count alike: they measured themselves while all of them
        started. Others stand in the order of their speed, whoever joined first: the
        same seed gives the same work.
        """
        if self._children:
            for member in self._members:
                member.speed = 1.0
        self._members.sort(key=lambda member: -member.speed)

    def check_alive(self) -> None:
        """Make sure that none of this machine has ended.

        Raises:
            MeasureError: One has.
        """
        for child in self._children:
            if not child.running():
                raise MeasureError(
                    f"{child.name} ended before it had joined; its last lines:\n"
                    f"{child.last_lines()}"
                )

    def ended(self) -> tuple[Member, str] | None:
        """Return one of this machine that has ended, and how; None if none has."""
        for member in self._members:
            for child in self._children:
                mine = child.pid == member.pid and not member.lost
                if mine and not child.running():
                    return member, f"its process ended (exit code {child.exit_code()})"
        return None

    def number(self, index: int) -> int | None:
        """Return the number of the one that has Locust's index; None if none has."""
        for number, member in enumerate(self._members):
            if member.index == index:
                return number
        return None

    @property
    def parts(self) -> list[Part]:
        """Return the part of the arrivals of each."""
        return arrivals.parts([member.speed for member in self._members])

    def shares(self, whole: int, option: str) -> list[int]:
        """Return what of a number each gets; nobody goes without.

        Raises:
            InputError: The number, which an option gave, is too small.
        """
        parts = self.parts
        shares = [part.count(whole) for part in parts]
        if min(shares) < 1:
            raise InputError(
                f"{option} {whole}: too few for {len(shares)} workers; expected at "
                f"least {parts[0].of}"
            )
        return shares

    def close(self, keep: Callable[[Child], None]) -> None:
        """End those of this machine that have not ended by themselves.

        Args:
            keep: Takes each, whose log may be kept.
        """
        for child in self._children:
            child.wait(2.0)
            child.stop(grace=0.5)
            keep(child)


def cores_of(count: int) -> Sequence[int]:
    """Return the cores for so many workers: the generator's, or all if too few."""
    split = processes.split_cores()
    if count <= len(split.generator):
        return split.generator
    return (*split.target, *split.generator)
