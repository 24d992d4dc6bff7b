"""What the machine's clocks say of a slice: CPU time, waiting, and neighbours."""

import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assay.system import processes


@dataclass(frozen=True)
class Clocks:
    """One reading; times in seconds.

    Attributes:
        cpu: CPU time of each of the target's processes.
        waited: Run-delay of each of their threads.
        own_cpu: CPU time of this process.
        own_waited: Run-delay of each of its threads.
        busy: How long the target's cores have worked for anybody; NaN if unknown.
    """

    cpu: Mapping[int, float]
    waited: Mapping[int, float]
    own_cpu: float
    own_waited: Mapping[int, float]
    busy: float

    def since(self, before: "Clocks") -> dict[str, float]:
        """Return what has passed, under the names of `assay.load.answers.Slice`."""
        cpu = _passed(before.cpu, self.cpu)
        return {
            "cpu": cpu,
            "run_delay": _passed(before.waited, self.waited),
            "generator_cpu": self.own_cpu - before.own_cpu,
            "generator_run_delay": _passed(before.own_waited, self.own_waited),
            "foreign": self.busy - before.busy - cpu,
        }


def read(pids: Sequence[int], cores: Sequence[int]) -> Clocks:
    """Read the clocks of a target's processes, of its cores and of this process."""
    members = [member for pid in pids for member in _members(pid)]
    waited: dict[int, float] = {}
    for member in members:
        waited |= processes.run_delays(member)
    return Clocks(
        cpu={member: processes.cpu_seconds(member) for member in members},
        waited=waited,
        own_cpu=time.process_time(),
        own_waited=processes.run_delays(os.getpid()),
        busy=processes.busy_seconds(cores) if members and cores else math.nan,
    )


def _passed(before: Mapping[int, float], after: Mapping[int, float]) -> float:
    """Return the sum over those that are still there.

    One that has ended takes its reading along: the sums' difference would be
    negative.
    """
    return sum(now - before.get(key, 0.0) for key, now in after.items())


def _members(pid: int) -> list[int]:
    """Return a process and its descendants; cheaper than a walk over /proc."""
    members = [pid]
    for member in members:
        try:
            with open(f"/proc/{member}/task/{member}/children") as file:
                members.extend(int(child) for child in file.read().split())
        except OSError:
            continue
    return members
