"""CPU time, run delay and foreign work during a slice or a load test."""

import math
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from assay.system import processes


@dataclass(frozen=True)
class Usage:
    """The times used between two readings, in seconds; see `Slice`."""

    cpu: float
    run_delay: float
    generator_cpu: float
    generator_run_delay: float
    foreign: float


@dataclass(frozen=True)
class Clocks:
    """One reading of all clocks, in seconds.

    Attributes:
        cpu: CPU time of each of the target's processes.
        run_delays: Run delay of each thread of the target's processes.
        generator_cpu: CPU time of this process.
        generator_run_delays: Run delay of each thread of this process.
        busy: How long the target's cores have been busy with any process; NaN if
            unknown.
    """

    cpu: Mapping[int, float]
    run_delays: Mapping[int, float]
    generator_cpu: float
    generator_run_delays: Mapping[int, float]
    busy: float

    def since(self, before: "Clocks") -> Usage:
        """Return the times used since an earlier reading."""
        cpu = _increase(before.cpu, self.cpu)
        return Usage(
            cpu=cpu,
            run_delay=_increase(before.run_delays, self.run_delays),
            generator_cpu=self.generator_cpu - before.generator_cpu,
            generator_run_delay=_increase(
                before.generator_run_delays, self.generator_run_delays
            ),
            foreign=self.busy - before.busy - cpu,
        )


def read(pids: Sequence[int] = (), cores: Sequence[int] = ()) -> Clocks:
    """Read the clocks of a target's processes, of its cores and of this process."""
    members = [member for pid in pids for member in _members(pid)]
    run_delays: dict[int, float] = {}
    for member in members:
        run_delays |= processes.run_delays(member)
    return Clocks(
        cpu={member: processes.cpu_seconds(member) for member in members},
        run_delays=run_delays,
        generator_cpu=time.process_time(),
        generator_run_delays=processes.run_delays(os.getpid()),
        busy=processes.busy_seconds(cores) if members and cores else math.nan,
    )


def _increase(before: Mapping[int, float], after: Mapping[int, float]) -> float:
    """Return the total increase of the processes or threads that still exist.

    The difference of the two sums would be too small, or even negative, because a
    process that has ended is missing from `after`.
    """
    return sum(now - before.get(key, 0.0) for key, now in after.items())


def _members(pid: int) -> list[int]:
    """Return a process and its descendants, at a lower cost than a walk over /proc."""
    members = [pid]
    for member in members:
        try:
            threads = os.listdir(f"/proc/{member}/task")
        except OSError:
            continue  # it has ended
        for thread in threads:  # any thread may have started a process
            with suppress(OSError):
                with open(f"/proc/{member}/task/{thread}/children") as file:
                    members.extend(int(child) for child in file.read().split())
    return members
